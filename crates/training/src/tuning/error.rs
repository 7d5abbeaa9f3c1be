use std::io;

use shortlist_evaluation::EvaluationError;
use shortlist_types::InvalidInput;

/// Why a study has no best trial. Trials that the journal holds are not lost.
#[derive(Debug, thiserror::Error)]
pub enum TuningError {
    /// The space or the config cannot be searched.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// The journal could not be read or written.
    #[error("journal: {0}; trials up to here are kept, run again to go on")]
    Io(#[from] io::Error),
    /// A record does not serialise.
    #[error("journal: {0}")]
    Json(#[from] serde_json::Error),
    /// The file is no journal. It was not touched.
    #[error("journal: the first line is not the header of a study; name another file")]
    NotAJournal,
    /// Its trials cannot be compared with those of this study. It was not touched.
    #[error(
        "journal: it belongs to another study: {what} was {found} and is now {expected}; go back to the old value \
         to go on with it, or name another file to begin anew"
    )]
    OtherStudy {
        /// What differs.
        what: String,
        /// What the journal holds.
        found: String,
        /// What this study has.
        expected: String,
    },
    /// A line before the last was changed or lost. It was not touched.
    #[error(
        "journal: line {line} is damaged: {reason}; remove it and all lines after it to make their trials again, or \
         name another file to begin anew"
    )]
    Damaged {
        /// Which line, from 1.
        line: usize,
        /// What was expected.
        reason: String,
    },
    /// No trial was measured.
    #[error("all {trials} trials failed, the first one with: {reason}")]
    AllFailed {
        /// How many were made.
        trials: usize,
        /// Why the first one failed.
        reason: String,
    },
    /// The interval could not be computed.
    #[error("evaluation: {0}")]
    Evaluation(#[from] EvaluationError),
}
