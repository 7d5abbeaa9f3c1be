//! The fold's state between the log and its checkpoints: how it is found at a start (here), how
//! checkpoints are made (`held_checkpoints`), and how a user is taken out of all of it (`erasure`).

mod erasure;
mod held_checkpoints;

use std::io;
use std::sync::Arc;

pub use erasure::LogOwner;
pub use held_checkpoints::HeldCheckpoints;
use parking_lot::Mutex;
use shortlist_features::{FeatureState, FoldError, StateError};
use shortlist_store::{Checkpoint, Store, StoreError};
use shortlist_types::{EventTypes, LogSeq};

/// Why the state could not be had.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The store cannot be read or written, or a record is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The records do not fold.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// A state could not be written or read.
    #[error(transparent)]
    State(#[from] StateError),
    /// A file failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The caller did not want to wait for the end.
    #[error("stopped before the checkpoint was made")]
    Stopped,
    /// The log was cut, and no checkpoint from before the cut can be used.
    #[error(
        "the log begins after record {}, and no checkpoint of the state at or after it can be read with these event \
         types; put back the [events] and the version that the store was served with, or restore a backup", .start.0
    )]
    NoState {
        /// The last record that was removed.
        start: LogSeq,
    },
}

/// A store and how its events are read: what the state depends on.
#[derive(Debug, Clone)]
pub struct DurableState {
    store: Store,
    event_types: Arc<EventTypes>,
    /// Held while a checkpoint is made, and while a user is erased.
    making: Arc<Mutex<()>>,
}

impl DurableState {
    /// The state of `store` with events read by `event_types`.
    pub fn new(store: Store, event_types: Arc<EventTypes>) -> Self {
        Self { store, event_types, making: Arc::default() }
    }

    /// The state after the last record: the newest checkpoint that can be read, and the records after
    /// it. `progress` hears how far it is.
    ///
    /// **Cost**: about 20 ns per (user, item) of the checkpoint, and 1 us per record after it.
    ///
    /// # Errors
    /// A damaged record after the checkpoint; a cut log without a checkpoint.
    pub fn restore(&self, progress: &mut dyn FnMut(LogSeq)) -> Result<FeatureState, RestoreError> {
        self.folded(LogSeq(u64::MAX), &mut |log_seq| {
            progress(log_seq);
            Ok(())
        })
    }

    /// The state that the log begins with: nothing, or the checkpoint at which it was cut. Whoever
    /// replays the log begins here.
    ///
    /// # Errors
    /// A cut log without a checkpoint that can be read.
    pub fn first(&self) -> Result<FeatureState, RestoreError> {
        let start = self.store.reader()?.start()?.log_seq;
        if start == LogSeq::default() {
            return Ok(FeatureState::new(Arc::clone(&self.event_types)));
        }
        let mut oldest_first = self.store.checkpoints()?;
        oldest_first.reverse();
        self.first_readable(oldest_first.into_iter().filter(|checkpoint| checkpoint.at.log_seq >= start))
            .ok_or(RestoreError::NoState { start })
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What the state is made by: another version, or other event types, would make another one.
    pub fn schema(&self) -> String {
        FeatureState::schema(&self.event_types)
    }

    /// The right to make and to remove checkpoints, once nobody else has it; until it is dropped.
    pub fn hold_checkpoints(&self) -> HeldCheckpoints<'_> {
        HeldCheckpoints { state: self, _alone: self.making.lock() }
    }

    /// The state after record `until`, or after the last.
    fn folded(
        &self,
        until: LogSeq,
        progress: &mut dyn FnMut(LogSeq) -> Result<(), RestoreError>,
    ) -> Result<FeatureState, RestoreError> {
        let checkpoints = self.store.checkpoints()?;
        let mut state = match self.first_readable(checkpoints.into_iter().filter(|one| one.at.log_seq <= until)) {
            Some(state) => state,
            None => self.first()?,
        };
        self.store.reader()?.read(state.log_seq(), until, |log_seq, record| {
            progress(log_seq)?;
            Ok::<_, RestoreError>(state.apply(log_seq, &record)?)
        })?;
        Ok(state)
    }

    /// The first of `checkpoints` that can be read; damage is told and passed over.
    fn first_readable(&self, checkpoints: impl Iterator<Item = Checkpoint>) -> Option<FeatureState> {
        let schema = self.schema();
        let fitting = checkpoints.filter(|checkpoint| {
            let fits = checkpoint.schema == schema;
            if !fits {
                tracing::info!(checkpoint = checkpoint.file, "made by other event types or another version");
            }
            fits
        });
        let mut read = fitting.map(|checkpoint| {
            self.read(&checkpoint).inspect_err(|error| {
                tracing::error!(%error, checkpoint = checkpoint.file, "passing over a checkpoint");
            })
        });
        read.find_map(Result::ok)
    }

    fn read(&self, checkpoint: &Checkpoint) -> Result<FeatureState, RestoreError> {
        let bytes = self.store.read_checkpoint(checkpoint)?;
        Ok(FeatureState::read_from(&bytes, Arc::clone(&self.event_types))?)
    }
}
