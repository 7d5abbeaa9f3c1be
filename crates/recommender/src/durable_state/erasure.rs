use shortlist_features::FeatureState;
use shortlist_store::{Checkpoint, Erasure, LogAppender, LogReader, LogWriter, StoreError};
use shortlist_types::{LogRecord, LogSeq, UserId};

use super::{HeldCheckpoints, RestoreError};

/// Who may change the log: its appender, or the writer of a server in between its transactions.
pub trait LogOwner {
    /// Runs `task` on the log while nobody appends.
    ///
    /// # Errors
    /// What the task returns; the log takes no more changes.
    fn run<T: Send + 'static>(
        &mut self,
        task: impl FnOnce(&mut LogAppender) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError>;
}

impl LogOwner for LogAppender {
    fn run<T: Send + 'static>(
        &mut self,
        task: impl FnOnce(&mut LogAppender) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        task(self)
    }
}

impl LogOwner for &LogWriter {
    fn run<T: Send + 'static>(
        &mut self,
        task: impl FnOnce(&mut LogAppender) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        LogWriter::run(self, task)
    }
}

/// Records that are erased together; what is ingested meanwhile waits that long.
const ERASED_TOGETHER_MAX: usize = 2_000;

impl HeldCheckpoints<'_> {
    /// Takes a user out of the log and out of all checkpoints, and at that moment, by `forget`, out of the
    /// state that serves. Returns how many records he had.
    ///
    /// His newest records go first and the first one last, together with the checkpoints: whatever ends this
    /// in between, the same call finds what is left of him, and marks the same record as the one that gave
    /// him his number, which stays taken.
    ///
    /// **Cost**: a read of the whole log beside its writer, then one transaction per 2,000 of his records.
    ///
    /// # Errors
    /// A cut log without a checkpoint that can be read; the disk; [`StoreError::WalHeld`] when all is done
    /// but for the bytes that a reader keeps in the WAL. The call may be repeated after any of them.
    pub fn erase(
        &self,
        log: &mut impl LogOwner,
        user_id: &UserId,
        forget: impl FnOnce() + Send + 'static,
    ) -> Result<usize, RestoreError> {
        let store = &self.state.store;
        let reader = store.reader()?;
        let mut begin = self.state.first()?;
        let is_new = begin.user_index(user_id.as_str()).is_none();
        let seen = reader.head()?.log_seq;
        let found = records_of(&reader, user_id, reader.start()?.log_seq, seen)?;
        for some in erasures_of(&found, is_new).get(1..).unwrap_or_default().rchunks(ERASED_TOGETHER_MAX) {
            let some: Vec<_> = some.iter().rev().copied().collect();
            log.run(move |appender| appender.erase(&some))?;
        }
        let begin = self.without(&mut begin, user_id)?;
        let id = user_id.clone();
        // What came meanwhile and all that holds him: nothing comes in between here.
        let records = log.run(move |appender| {
            let late = records_of(&reader, &id, seen, LogSeq(u64::MAX))?;
            let erasures = erasures_of(&[&found[..], &late].concat(), is_new);
            if erasures.is_empty() && is_new {
                return Ok(0);
            }
            let late: Vec<_> = erasures.iter().skip(found.len().max(1)).rev().copied().collect();
            appender.erase(&late)?;
            appender.finish_erasure(erasures.first().copied(), begin.as_ref())?;
            forget();
            Ok(erasures.len())
        })?;
        store.remove_unlisted_checkpoints()?;
        store.empty_wal()?;
        Ok(records)
    }

    /// The checkpoint that a cut log begins with, without a user; it is not listed yet. A log that was not
    /// cut needs none.
    fn without(&self, begin: &mut FeatureState, user_id: &UserId) -> Result<Option<Checkpoint>, RestoreError> {
        if begin.log_seq() == LogSeq::default() {
            return Ok(None);
        }
        begin.forget(user_id.as_str());
        let schema = self.state.schema();
        let at = self.position_of(begin)?;
        let write = |out: &mut dyn std::io::Write| Ok::<_, RestoreError>(begin.write_to(out)?);
        Ok(Some(self.state.store.write_checkpoint(at, &schema, write)?))
    }
}

/// Where the records of a user are, and whether each gives him a number if he has none.
fn records_of(
    reader: &LogReader,
    user_id: &UserId,
    after: LogSeq,
    up_to: LogSeq,
) -> Result<Vec<(LogSeq, bool)>, StoreError> {
    let mut records = Vec::new();
    reader.read_user(user_id, after, up_to, |log_seq, record| {
        records.push((log_seq, !matches!(record, LogRecord::UserDelete { .. })));
        Ok::<_, StoreError>(())
    })?;
    Ok(records)
}

/// All of `records` are to go; the first that gave a user who `is_new` his number says so.
fn erasures_of(records: &[(LogSeq, bool)], is_new: bool) -> Vec<Erasure> {
    let mut new_user = is_new;
    let mark = |&(log_seq, gives_number): &(LogSeq, bool)| {
        let erasure = Erasure { log_seq, new_user: new_user && gives_number };
        new_user &= !gives_number;
        erasure
    };
    records.iter().map(mark).collect()
}
