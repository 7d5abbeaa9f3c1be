use shortlist_types::InvalidInput;

use crate::{ROWS_MAX, WEIGHT_MAX, WEIGHT_MIN};

/// Why a ranker could not be trained, loaded or asked. Nothing was changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RankingError {
    /// The configuration is at fault.
    #[error(transparent)]
    Config(InvalidInput),
    /// The schema has no features, or too many.
    #[error("schema: {0}")]
    Schema(InvalidInput),
    /// A row, or rows laid end to end, of another width than the model.
    #[error("expected rows of {expected} features, got {got} values: the feature schema differs from the trained one")]
    RowWidth {
        /// Features of a row.
        expected: usize,
        /// Values that were given.
        got: usize,
    },
    /// A row that the schema does not describe.
    #[error(
        "expected rows of {} numbers and {} categories, got {} and {}: the feature schema differs from the trained one",
        expected.0, expected.1, got.0, got.1
    )]
    RowShape {
        /// Numbers and categories of the schema.
        expected: (usize, usize),
        /// What was given.
        got: (usize, usize),
    },
    /// A number that is NaN or infinite.
    #[error("feature {feature} must be finite, got {value}")]
    FeatureNotFinite {
        /// Its name.
        feature: String,
        /// What was given.
        value: f32,
    },
    /// An id that no encoder of the schema gives.
    #[error("feature {feature} has ids below {ids}, got {id}")]
    UnknownId {
        /// Its name.
        feature: String,
        /// What was given.
        id: u32,
        /// The bound.
        ids: usize,
    },
    /// The ids of a category are not those of the candidates.
    #[error("feature {feature} needs ids for each of {candidates} candidates")]
    IdsMissing {
        /// Its name.
        feature: String,
        /// Candidates to score.
        candidates: usize,
    },
    /// Finite inputs gave a score that is not.
    #[error(
        "candidate {candidate} got the score {score}: a number of it lies far outside what the model was trained on"
    )]
    ScoreNotFinite {
        /// Its place, from 0.
        candidate: usize,
        /// What came out.
        score: f32,
    },
    /// A model file is not what its manifest says.
    #[error("tensor {tensor}: {reason}")]
    Tensor {
        /// Its name.
        tensor: String,
        /// What was expected and what was got.
        reason: String,
    },
    /// Another number of labels than the schema has outcomes.
    #[error("expected a label for each of {expected} outcomes, got {got}")]
    LabelCount {
        /// Outcomes of the schema.
        expected: usize,
        /// Labels given.
        got: usize,
    },
    /// A row's weight that would break the arithmetic.
    #[error("the weight of a row must lie in {WEIGHT_MIN} to {WEIGHT_MAX}, got {weight}")]
    WeightOutOfRange {
        /// What was given.
        weight: f32,
    },
    /// More rows than memory is planned for.
    #[error("expected at most {ROWS_MAX} training rows: sample the negatives, or train on a later slice of time")]
    TooManyRows,
    /// All rows have the same label, so every ranker fits them equally well.
    #[error(
        "expected positive and negative rows, got {positives} positive of {rows}: train on a longer slice of time, or \
         check which outcomes count as positive"
    )]
    OneClass {
        /// Rows with a true label.
        positives: usize,
        /// All rows.
        rows: usize,
    },
}
