//! What a server does beside its requests: checkpoints of the state, and forgetting what has grown old.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant};

use shortlist_gateway::stand_back;
use shortlist_recommender::{DurableState, RestoreError};
use shortlist_store::{BundleId, LogWriter, Store, StoreConfig, StoreError};
use shortlist_types::LogSeq;

/// How often it looks whether something is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long it lets things be after a failure, such as a full disk.
const WAIT_AFTER_FAILURE: Duration = Duration::from_secs(60);
/// How often ids, records and bundles are looked at for their age.
const AGE_EVERY: Duration = Duration::from_secs(30);
/// The least share of the log that is worth a cut: each costs a fold up to it.
const CUT_SHARE_MIN: f64 = 0.02;

/// The thread that keeps a served store in order.
pub(crate) struct Maintenance {
    pub(crate) store: Store,
    pub(crate) state: DurableState,
    pub(crate) writer: Arc<LogWriter>,
    pub(crate) config: StoreConfig,
    /// Bundles that experiments serve from.
    pub(crate) spared: BTreeSet<BundleId>,
}

impl Maintenance {
    /// Works until `stopping`; what fails is told and tried again later.
    pub(crate) fn start(self, stopping: Arc<AtomicBool>) -> std::io::Result<JoinHandle<()>> {
        Builder::new().name("maintenance".to_owned()).spawn(move || {
            stand_back();
            self.tidy();
            let mut not_before = Instant::now();
            let mut ages_at = Instant::now();
            while !stopping.load(Ordering::Relaxed) {
                sleep(LOOK_EVERY);
                if Instant::now() < not_before {
                    continue;
                }
                let is_stopping = || stopping.load(Ordering::Relaxed);
                let mut outcome = self.checkpoint(&is_stopping);
                if outcome.is_ok() && Instant::now() >= ages_at {
                    outcome = self.forget(&is_stopping);
                    ages_at = Instant::now() + AGE_EVERY;
                }
                if matches!(outcome, Err(RestoreError::Stopped)) {
                    return;
                }
                if let Err(error) = outcome {
                    tracing::warn!(%error, "maintenance of the store failed; it is tried again in a minute");
                    not_before = Instant::now() + WAIT_AFTER_FAILURE;
                }
            }
        })
    }

    /// Finishes what a process that was killed had begun: files that nothing lists, bytes of erased records.
    fn tidy(&self) {
        let outcome = self.store.remove_unlisted_checkpoints().and_then(|()| self.store.empty_wal());
        if let Err(error) = outcome {
            tracing::warn!(%error, "the store was not tidied; the next start does it");
        }
    }

    /// Makes the next checkpoint when enough came after the last.
    fn checkpoint(&self, is_stopping: &dyn Fn() -> bool) -> Result<(), RestoreError> {
        let head = self.store.reader()?.head()?.log_seq;
        let last = self.store.checkpoints()?.first().map_or(LogSeq::default(), |checkpoint| checkpoint.at.log_seq);
        if head.0.saturating_sub(last.0) < self.config.checkpoint_records {
            return Ok(());
        }
        let held = self.state.hold_checkpoints();
        let made = held.make(head, is_stopping)?;
        self.store.prune_checkpoints()?;
        tracing::info!(log_seq = made.at.log_seq.0, bytes = made.bytes, "made a checkpoint");
        Ok(())
    }

    /// Forgets old event ids, cuts the log, and removes old bundles.
    fn forget(&self, is_stopping: &dyn Fn() -> bool) -> Result<(), RestoreError> {
        let window = self.config.deduplication_window();
        while !is_stopping() && self.writer.run(move |appender| appender.forget_event_ids(window))? {}
        self.cut(is_stopping)?;
        match self.store.registry().prune(self.config.bundles_kept, &self.spared) {
            // A training publishes; the bundles are looked at again.
            Ok(_) | Err(StoreError::RegistryBusy) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Cuts what is too old or too much, once it is a share of the log, behind a checkpoint of its own:
    /// whoever replays the log begins there.
    fn cut(&self, is_stopping: &dyn Fn() -> bool) -> Result<(), RestoreError> {
        let reader = self.store.reader()?;
        let (start, head) = (reader.start()?.log_seq, reader.head()?.log_seq);
        let due = reader.due_cut(self.config.retention(), self.store.now())?;
        let worth = (head.0.saturating_sub(start.0) as f64 * CUT_SHARE_MIN).max(1.0);
        if ((due.0 - start.0) as f64) < worth {
            return Ok(());
        }
        let held = self.state.hold_checkpoints();
        held.make(due, is_stopping)?;
        while !is_stopping() && self.writer.run(move |appender| appender.cut(due))? {}
        self.store.prune_checkpoints()?;
        let start = self.store.reader()?.start()?.log_seq;
        tracing::info!(up_to = start.0, "removed old records from the log");
        Ok(())
    }
}
