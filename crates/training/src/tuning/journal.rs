use super::{TrialRecord, TuningError};

/// Keeps trials as they finish, so that a study that is killed loses one trial at most.
pub trait Journal {
    /// Keeps a finished trial.
    ///
    /// # Errors
    /// The trial could not be kept; the study stops, because its budget would be spent on what is lost.
    fn append(&mut self, record: &TrialRecord) -> Result<(), TuningError>;
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoJournal;

impl Journal for NoJournal {
    fn append(&mut self, _record: &TrialRecord) -> Result<(), TuningError> {
        Ok(())
    }
}
