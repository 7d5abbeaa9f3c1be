/// An input that has no such metric. The caller is at fault; nothing was computed.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum EvaluationError {
    /// Nothing to judge.
    #[error("expected at least one row, got none")]
    Empty,
    /// Two columns that belong together differ in length.
    #[error("expected columns of equal length, got {left} and {right} rows")]
    LengthsDiffer {
        /// Rows of the first column.
        left: usize,
        /// Rows of the second column.
        right: usize,
    },
    /// A value is NaN or infinite: it would poison the mean or the order.
    #[error("row {row}: expected a finite value, got {got}")]
    NotFinite {
        /// Which row, from 0.
        row: usize,
        /// Its value.
        got: f64,
    },
    /// A score was given where a probability is needed.
    #[error("row {row}: expected a probability from 0 to 1, got {got}; calibrate scores first")]
    NotProbability {
        /// Which row, from 0.
        row: usize,
        /// Its value.
        got: f64,
    },
    /// An order of positives against negatives needs both.
    #[error("expected positives and negatives, got {positives} positives in {rows} rows; take a longer slice")]
    OneClass {
        /// Rows in all.
        rows: usize,
        /// Rows with a positive label.
        positives: usize,
    },
    /// A share that would hold out nothing, or everything.
    #[error("share: expected more than 0 and less than 1, got {got}")]
    ShareOutOfRange {
        /// What was asked for.
        got: f64,
    },
    /// A count outside its limits: bootstrap samples, bins, or distinct items beyond the catalogue.
    #[error("{parameter}: expected 1 to {max}, got {got}")]
    OutOfRange {
        /// Which parameter.
        parameter: &'static str,
        /// What was asked for.
        got: usize,
        /// The most that is taken.
        max: usize,
    },
}
