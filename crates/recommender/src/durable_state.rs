//! The fold's state between the log and its checkpoints: how it is found at a start, how the next
//! checkpoint is made, and how a user is taken out of all of it.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use shortlist_features::{FeatureState, FoldError, StateError};
use shortlist_store::{Checkpoint, Erasure, LogAppender, LogHead, Store, StoreError};
use shortlist_types::{EventTypes, LogRecord, LogSeq, UserId};

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

    /// Makes the checkpoint after record `at`, from the one before it and the records between.
    ///
    /// **Cost**: a second copy of the state while it runs.
    ///
    /// # Errors
    /// As [`Self::restore`], and the disk; [`RestoreError::Stopped`] soon after `is_stopping`.
    pub fn checkpoint(&self, at: LogSeq, is_stopping: &dyn Fn() -> bool) -> Result<Checkpoint, RestoreError> {
        let _alone = self.making.lock();
        let state = self.folded(at, &mut |_| if is_stopping() { Err(RestoreError::Stopped) } else { Ok(()) })?;
        self.add(&state)
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
        let schema = FeatureState::schema(&self.event_types);
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

    fn add(&self, state: &FeatureState) -> Result<Checkpoint, RestoreError> {
        let log_seq = state.log_seq();
        let chain = self.store.reader()?.chain_at(log_seq)?.ok_or(RestoreError::NoState { start: log_seq })?;
        let schema = FeatureState::schema(&self.event_types);
        self.store
            .add_checkpoint(LogHead { log_seq, chain }, &schema, |out| Ok::<_, RestoreError>(state.write_to(out)?))
    }

    /// Keeps checkpoints from being made until the guard is dropped.
    pub fn hold_checkpoints(&self) -> impl Drop + '_ {
        self.making.lock()
    }

    /// Whether the log itself introduces a user: what was cut from it did not.
    ///
    /// # Errors
    /// As [`Self::first`].
    pub fn is_new(&self, user_id: &UserId) -> Result<bool, RestoreError> {
        Ok(self.first()?.user_index(user_id.as_str()).is_none())
    }

    /// What must be erased of a user: his records after `after`. If he `is_new` there, the first is
    /// marked, for his number stays taken.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn records_of(&self, user_id: &UserId, after: LogSeq, is_new: bool) -> Result<Vec<Erasure>, RestoreError> {
        let reader = self.store.reader()?;
        let start = reader.start()?.log_seq;
        let mut new_user = is_new;
        let mut erasures = Vec::new();
        reader.read_user(user_id, after.max(start), LogSeq(u64::MAX), |log_seq, record| {
            let interns = !matches!(record, LogRecord::UserDelete { .. });
            erasures.push(Erasure { log_seq, new_user: new_user && interns });
            new_user &= !interns;
            Ok::<_, StoreError>(())
        })?;
        Ok(erasures)
    }

    /// Takes a user whose records were erased out of the checkpoints: they are removed, but for the one
    /// that a cut log begins with, which is written anew without him.
    ///
    /// # Errors
    /// The disk or the database.
    pub fn forget_in_checkpoints(&self, user_id: &UserId) -> Result<(), RestoreError> {
        let start = self.store.reader()?.start()?.log_seq;
        if start == LogSeq::default() {
            return Ok(self.store.remove_checkpoints()?);
        }
        let mut first = self.first()?;
        first.forget(user_id.as_str());
        // First the new one, whole and listed: without any, a kill here would leave a log with no begin.
        let first = self.add(&first)?;
        Ok(self.store.keep_only_checkpoint(&first)?)
    }

    /// Erases a user from a store that no server owns. Returns how many of his records there were.
    ///
    /// # Errors
    /// As [`Self::records_of`] and [`LogAppender::erase`].
    pub fn erase(&self, appender: &mut LogAppender, user_id: &UserId) -> Result<usize, RestoreError> {
        let erasures = self.records_of(user_id, LogSeq::default(), self.is_new(user_id)?)?;
        appender.erase(&erasures)?;
        self.forget_in_checkpoints(user_id)?;
        appender.empty_wal()?;
        Ok(erasures.len())
    }
}
