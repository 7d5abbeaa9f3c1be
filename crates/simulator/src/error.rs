use shortlist_types::{InvalidInput, Timestamp};

use crate::LOG_DAYS;

/// Why no marketplace was made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SimulatorError {
    /// The caller asked for too little or too much.
    #[error("{field}: expected {min} to {max}, got {got}")]
    OutOfRange {
        /// Field of the config.
        field: &'static str,
        /// What was asked for.
        got: usize,
        /// The least that is taken.
        min: usize,
        /// The most that is taken.
        max: usize,
    },
    /// The log would begin before the first time that can be written.
    #[error("end: expected a time at least {LOG_DAYS} days after the start of year 1, got {end}")]
    EndTooEarly {
        /// What was asked for.
        end: Timestamp,
    },
    /// A generated id, attribute or time is not valid: a fault of this crate, not of the caller.
    #[error("the simulator made a record that cannot be taken: {0}")]
    InvalidRecord(#[from] InvalidInput),
}
