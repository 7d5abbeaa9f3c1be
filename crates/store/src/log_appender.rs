use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, Transaction, TransactionBehavior};
use shortlist_types::{LogRecord, LogSeq};

use crate::StoreError;
use crate::chain::LogHead;
use crate::encoded_record::EncodedRecord;
use crate::file_lock::FileLock;
use crate::limits::{APPENDER_CACHE_KIB, PROGRESS_EVERY};
use crate::log_reader::LogReader;

/// What became of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is in the log, at this position.
    New(LogSeq),
    /// The log held an event with its id already; nothing was added.
    Duplicate,
}

/// What became of all records of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AppendCount {
    /// Records that were added.
    pub new: u64,
    /// Events whose id the log held already.
    pub duplicates: u64,
}

/// The one that appends: it holds the lock of the log until it is dropped.
#[derive(Debug)]
pub struct LogAppender {
    connection: Connection,
    head: LogHead,
    stopped: Option<Arc<StoreError>>,
    // After the connection, so that it is closed before the next owner comes.
    _lock: FileLock,
}

impl LogAppender {
    pub(crate) fn new(reader: LogReader, lock: FileLock) -> Result<Self, StoreError> {
        let head = reader.head()?;
        // Nothing is chained to a record that is wrong: the last one is read once.
        let before_last = LogSeq(head.log_seq.0.saturating_sub(1));
        reader.read(before_last, head.log_seq, |_, _| Ok::<_, StoreError>(()))?;
        let connection = reader.into_connection();
        connection.pragma_update(None, "cache_size", -APPENDER_CACHE_KIB)?;
        Ok(Self { connection, head, stopped: None, _lock: lock })
    }

    /// The last record.
    pub fn head(&self) -> LogHead {
        self.head
    }

    /// Appends all records in one transaction that is on disk when this returns; one answer per
    /// record, in order.
    ///
    /// # Errors
    /// Nothing was kept. [`StoreError::Invalid`], [`StoreError::DiskFull`] and
    /// [`StoreError::DatabaseBusy`] may be tried again. After any other failure of the commit
    /// itself, what is on disk is not known: this and all that follows is
    /// [`StoreError::LogStopped`].
    pub fn append(&mut self, records: &[LogRecord]) -> Result<Vec<Appended>, StoreError> {
        let encoded = records.iter().map(EncodedRecord::encode).collect::<Result<Vec<_>, _>>()?;
        self.append_encoded(&mut encoded.iter())
    }

    pub(crate) fn append_encoded(
        &mut self,
        records: &mut dyn Iterator<Item = &EncodedRecord>,
    ) -> Result<Vec<Appended>, StoreError> {
        self.in_transaction(|inserts| records.map(|record| inserts.insert(record)).collect())
    }

    /// Appends a whole import in one transaction: a failure in the middle leaves nothing behind,
    /// also if it comes out of `records` itself. `progress` gets the records taken so far.
    ///
    /// **Cost**: about 3 us per event, plus the disk; the WAL grows to the size of the import.
    ///
    /// # Errors
    /// As [`Self::append`], and what `records` yields.
    pub fn append_all<E: From<StoreError>>(
        &mut self,
        records: impl IntoIterator<Item = Result<LogRecord, E>>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<AppendCount, E> {
        let count = self.in_transaction(|inserts| -> Result<AppendCount, E> {
            let mut count = AppendCount::default();
            for record in records {
                let encoded = EncodedRecord::encode(&record?).map_err(StoreError::from)?;
                match inserts.insert(&encoded)? {
                    Appended::New(_) => count.new += 1,
                    Appended::Duplicate => count.duplicates += 1,
                }
                let taken = count.new + count.duplicates;
                if taken.is_multiple_of(PROGRESS_EVERY) {
                    progress(taken);
                }
            }
            progress(count.new + count.duplicates);
            Ok(count)
        })?;
        // Gives the WAL's space back. A reader may be in the way; the next checkpoint does it then.
        if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::debug!(%error, "the WAL was not shortened after the import");
        }
        Ok(count)
    }

    /// Runs `work` in one transaction; moves the head only if all of it is on disk.
    fn in_transaction<T, E: From<StoreError>>(
        &mut self,
        work: impl FnOnce(&mut Inserts<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        if let Some(cause) = &self.stopped {
            return Err(StoreError::LogStopped { cause: Arc::clone(cause) }.into());
        }
        let transaction =
            Transaction::new(&mut self.connection, TransactionBehavior::Immediate).map_err(StoreError::from)?;
        let mut inserts = Inserts::prepare(&transaction, self.head)?;
        // An early return drops the transaction, which rolls it back.
        let outcome = work(&mut inserts)?;
        let head = inserts.head;
        drop(inserts);
        match transaction.commit().map_err(StoreError::from) {
            Ok(()) => {
                self.head = head;
                Ok(outcome)
            }
            Err(error) if error.is_transient() => Err(error.into()),
            Err(error) => {
                // A failed sync is not tried again: the kernel may have dropped the pages and say yes the next time.
                let cause = Arc::new(error);
                self.stopped = Some(Arc::clone(&cause));
                Err(StoreError::LogStopped { cause }.into())
            }
        }
    }
}

/// The statements of one transaction, and where the log would end with it.
struct Inserts<'c> {
    log: CachedStatement<'c>,
    event_id: CachedStatement<'c>,
    head: LogHead,
}

impl<'c> Inserts<'c> {
    fn prepare(connection: &'c Connection, head: LogHead) -> Result<Self, StoreError> {
        let log = connection.prepare_cached("INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5)")?;
        let event_id = connection.prepare_cached("INSERT INTO event_ids VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
        Ok(Self { log, event_id, head })
    }

    fn insert(&mut self, record: &EncodedRecord) -> Result<Appended, StoreError> {
        let EncodedRecord { kind, time_micros, payload, event_id } = record;
        let next = self.head.after(kind.as_bytes(), *time_micros, payload.as_bytes());
        let log_seq = next.log_seq.0.cast_signed();
        if let Some(event_id) = event_id
            && self.event_id.execute((event_id.as_str(), log_seq))? == 0
        {
            return Ok(Appended::Duplicate);
        }
        self.log.execute((log_seq, kind, time_micros, payload, next.chain.cast_signed()))?;
        self.head = next;
        Ok(Appended::New(next.log_seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{event, item_put, named_event};
    use crate::{LogWriter, Store};

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_or_create(dir.path()).unwrap();
        (dir, store)
    }

    fn records_of(store: &Store) -> Vec<LogRecord> {
        let mut records = Vec::new();
        let result: Result<(), StoreError> = store.reader().unwrap().read(LogSeq(0), LogSeq(u64::MAX), |_, record| {
            records.push(record);
            Ok(())
        });
        result.unwrap();
        records
    }

    #[test]
    fn an_id_sent_again_is_a_duplicate_in_the_batch_and_after_a_reopen() {
        let (_dir, store) = store();
        let batch = [named_event(1), event(2), named_event(1), named_event(3)];
        let appended = store.lock_log().unwrap().append(&batch).unwrap();
        let new = |n| Appended::New(LogSeq(n));
        assert_eq!(appended, [new(1), new(2), Appended::Duplicate, new(3)]);
        let again = [named_event(3), event(2), item_put(1, "a", "x"), named_event(4)];
        let appended = store.lock_log().unwrap().append(&again).unwrap();
        assert_eq!(appended, [Appended::Duplicate, new(4), new(5), new(6)]);
        assert_eq!(records_of(&store).len(), 6);
    }

    #[test]
    fn a_refused_batch_leaves_nothing_and_the_next_one_is_taken() {
        let (_dir, store) = store();
        let mut appender = store.lock_log().unwrap();
        appender.append(&[named_event(1)]).unwrap();
        let pages: i64 = appender.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        appender.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
        let batch: Vec<_> = (2..5_000).map(named_event).collect();
        assert!(matches!(appender.append(&batch), Err(StoreError::DiskFull)));
        appender.connection.pragma_update_and_check(None, "max_page_count", 1_000_000, |_| Ok(())).unwrap();
        let appended = appender.append(&batch).unwrap();
        assert_eq!(appended.len(), 4_998);
        assert_eq!(appended[0], Appended::New(LogSeq(2)));
        assert_eq!(records_of(&store).len(), 4_999);
    }

    #[test]
    fn a_writer_goes_on_after_a_full_disk() {
        let (_dir, store) = store();
        let mut appender = store.lock_log().unwrap();
        appender.append(&[named_event(1)]).unwrap();
        appender.connection.pragma_update_and_check(None, "max_page_count", 1, |_| Ok(())).unwrap();
        let writer = LogWriter::start(appender, 10_000, Box::new(|_| ())).unwrap();
        let submit = |records| {
            let (sender, receiver) = std::sync::mpsc::channel();
            writer.submit(records, Box::new(move |result| sender.send(result).unwrap())).unwrap();
            receiver.recv_timeout(std::time::Duration::from_secs(20)).unwrap()
        };
        assert!(matches!(submit((2..5_000).map(named_event).collect()), Err(StoreError::DiskFull)));
        assert!(writer.is_healthy());
        // Both fit into pages that the log has already.
        assert_eq!(
            submit(vec![named_event(1), named_event(2)]).unwrap(),
            [Appended::Duplicate, Appended::New(LogSeq(2))]
        );
        writer.close().unwrap();
    }

    #[test]
    fn an_import_that_fails_in_the_middle_leaves_nothing() {
        let (_dir, store) = store();
        let mut appender = store.lock_log().unwrap();
        appender.append(&[event(1)]).unwrap();
        let lines = (2..30_000).map(|n| if n == 29_000 { Err(StoreError::WriterPanicked) } else { Ok(named_event(n)) });
        let mut steps = Vec::new();
        let result = appender.append_all(lines, &mut |taken| steps.push(taken));
        assert!(matches!(result, Err(StoreError::WriterPanicked)));
        assert_eq!(steps, [10_000, 20_000]);
        assert_eq!(records_of(&store), [event(1)]);
        let lines = [named_event(2), named_event(3), named_event(2)].map(Ok::<_, StoreError>);
        let count = appender.append_all(lines, &mut |_| ()).unwrap();
        assert_eq!(count, AppendCount { new: 2, duplicates: 1 });
        assert_eq!(appender.head(), store.reader().unwrap().head().unwrap());
    }

    #[test]
    fn a_failed_commit_stops_the_appender() {
        let (_dir, store) = store();
        let mut appender = store.lock_log().unwrap();
        // A deferred foreign key is checked by COMMIT alone: the one failure of it that a test can make.
        appender
            .connection
            .execute_batch(
                "PRAGMA foreign_keys = ON;
                 CREATE TABLE parent (id INTEGER PRIMARY KEY);
                 CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
                 CREATE TEMP TRIGGER orphan AFTER INSERT ON log BEGIN INSERT INTO child VALUES (1); END;",
            )
            .unwrap();
        assert!(matches!(appender.append(&[event(1)]), Err(StoreError::LogStopped { .. })));
        appender.connection.execute_batch("DROP TRIGGER orphan").unwrap();
        assert!(matches!(appender.append(&[event(1)]), Err(StoreError::LogStopped { .. })));
        drop(appender);
        assert_eq!(store.lock_log().unwrap().append(&[event(1)]).unwrap(), [Appended::New(LogSeq(1))]);
    }

    #[test]
    fn nothing_is_appended_to_a_damaged_record() {
        let (_dir, store) = store();
        let mut appender = store.lock_log().unwrap();
        appender.append(&[event(1), event(2)]).unwrap();
        appender.connection.execute("UPDATE log SET time = time + 1 WHERE log_seq = 2", []).unwrap();
        drop(appender);
        let error = store.lock_log().unwrap_err();
        assert!(matches!(error, StoreError::DamagedRecord { log_seq: LogSeq(2), .. }), "{error}");
    }

    #[test]
    fn equal_records_make_equal_chains() {
        let heads = [1, 3].map(|size| {
            let (_dir, store) = store();
            let mut appender = store.lock_log().unwrap();
            let records: Vec<_> = (0..6).map(named_event).collect();
            records.chunks(size).for_each(|batch| drop(appender.append(batch).unwrap()));
            appender.head()
        });
        assert_eq!(heads[0], heads[1]);
    }
}
