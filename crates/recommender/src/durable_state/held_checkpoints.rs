use parking_lot::MutexGuard;
use shortlist_features::FeatureState;
use shortlist_store::{Checkpoint, LogHead};
use shortlist_types::LogSeq;

use super::{DurableState, RestoreError};

/// The right to make and to remove checkpoints; one at a time has it. Whoever cuts the log behind a
/// checkpoint holds it until the cut is done, or an erasure could remove that checkpoint in between.
pub struct HeldCheckpoints<'a> {
    pub(super) state: &'a DurableState,
    pub(super) _alone: MutexGuard<'a, ()>,
}

impl HeldCheckpoints<'_> {
    /// Makes the checkpoint after record `at`, from the one before it and the records between.
    ///
    /// **Cost**: a second copy of the state while it runs.
    ///
    /// # Errors
    /// As [`DurableState::restore`], and the disk; [`RestoreError::Stopped`] soon after `is_stopping`.
    pub fn make(&self, at: LogSeq, is_stopping: &dyn Fn() -> bool) -> Result<Checkpoint, RestoreError> {
        let stop = &mut |_| if is_stopping() { Err(RestoreError::Stopped) } else { Ok(()) };
        let state = self.state.folded(at, stop)?;
        let schema = self.state.schema();
        let at = self.position_of(&state)?;
        self.state.store.add_checkpoint(at, &schema, |out| Ok::<_, RestoreError>(state.write_to(out)?))
    }

    /// The position of the log that a state follows.
    pub(super) fn position_of(&self, state: &FeatureState) -> Result<LogHead, RestoreError> {
        let log_seq = state.log_seq();
        let chain = self.state.store.reader()?.chain_at(log_seq)?.ok_or(RestoreError::NoState { start: log_seq })?;
        Ok(LogHead { log_seq, chain })
    }
}
