use shortlist_types::InvalidInput;

use crate::{FEATURES_MAX, ROWS_MAX, WEIGHT_MAX, WEIGHT_MIN};

/// Why a ranker could not be trained, loaded or asked. Nothing was changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RankingError {
    /// The configuration is at fault.
    #[error(transparent)]
    Config(InvalidInput),
    /// The schema has no features, or too many.
    #[error("expected 1 to {FEATURES_MAX} features, got {got}")]
    FeatureCount {
        /// How many were given.
        got: usize,
    },
    /// A row, or rows laid end to end, of another width than the model or the training rows.
    #[error("expected rows of {expected} features, got {got} values: the feature schema differs from the trained one")]
    RowWidth {
        /// Features of a row.
        expected: usize,
        /// Values that were given.
        got: usize,
    },
    /// A feature that is NaN or infinite.
    #[error("feature {feature} must be finite, got {value}")]
    FeatureNotFinite {
        /// Its place in the row, from 0.
        feature: usize,
        /// What was given.
        value: f32,
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
