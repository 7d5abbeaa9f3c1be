use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Transaction, TransactionBehavior};
use shortlist_types::{LogRecord, LogSeq, Timestamp};

use crate::file_lock::FileLock;
use crate::limits::{APPENDER_CACHE_KIB, ARRIVAL_SECONDS, IMPORTED_TOGETHER_MAX};
use crate::log::chain::LogHead;
use crate::log::encoded_record::EncodedRecord;
use crate::log::event_hash::EventHash;
use crate::log::wal::empty_wal;
use crate::log::wal_mover::WalMover;
use crate::{Clock, Store, StoreError};

/// What became of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is in the log, at this position.
    New(LogSeq),
    /// An event with its id was appended within the deduplication window; nothing was added.
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
    dir: PathBuf,
    connection: Connection,
    head: LogHead,
    clock: Clock,
    /// When the last row of `arrivals` was written.
    arrival: Option<Timestamp>,
    stopped: Option<Arc<StoreError>>,
    // After the connection, so that it is closed before the next owner comes.
    _lock: FileLock,
}

impl LogAppender {
    pub(crate) fn new(store: &Store, lock: FileLock) -> Result<Self, StoreError> {
        let reader = store.reader()?;
        let head = reader.head()?;
        store.check_files_against(head.log_seq)?;
        // Nothing is chained to a record that is wrong: the last one is read once.
        let before_last = LogSeq(head.log_seq.0.saturating_sub(1)).max(reader.start()?.log_seq);
        reader.read(before_last, head.log_seq, |_, _| Ok::<_, StoreError>(()))?;
        let connection = reader.into_connection();
        connection.pragma_update(None, "cache_size", -APPENDER_CACHE_KIB)?;
        let sql = "SELECT time FROM arrivals ORDER BY log_seq DESC LIMIT 1";
        let arrival: Option<i64> = connection.query_row(sql, [], |row| row.get(0)).optional()?;
        let arrival = arrival.map(Timestamp::from_micros).transpose()?;
        let (dir, clock) = (store.dir().to_owned(), store.clock().clone());
        Ok(Self { dir, connection, head, clock, arrival, stopped: None, _lock: lock })
    }

    /// The last record.
    pub fn head(&self) -> LogHead {
        self.head
    }

    /// The folder of the store.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The time by which ids and records grow old.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What made the log unsafe to append to, if anything did.
    pub(crate) fn stopped(&self) -> Option<Arc<StoreError>> {
        self.stopped.clone()
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
        let records: Vec<_> = records.collect();
        self.insert_with(|inserts| inserts.insert(&records))
    }

    /// Appends a whole import in one transaction: a failure in the middle leaves nothing behind,
    /// also if it comes out of `records` itself. `progress` gets the records taken so far.
    ///
    /// **Cost**: about 3 us per event, half of it on a second thread, plus the disk; the WAL grows to the
    /// size of the import.
    ///
    /// # Errors
    /// As [`Self::append`], and what `records` yields.
    pub fn append_all<E: From<StoreError>>(
        &mut self,
        records: impl IntoIterator<Item = Result<LogRecord, E>>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<AppendCount, E> {
        let count = self.insert_with(|inserts| -> Result<AppendCount, E> {
            let mut count = AppendCount::default();
            encode_ahead(records, |encoded| {
                for appended in inserts.insert(&encoded.iter().collect::<Vec<_>>())? {
                    match appended {
                        Appended::New(_) => count.new += 1,
                        Appended::Duplicate => count.duplicates += 1,
                    }
                }
                progress(count.new + count.duplicates);
                Ok(())
            })?;
            Ok(count)
        })?;
        // A reader may be in the way; whoever opens the log next does it then.
        if let Err(error) = empty_wal(&self.connection) {
            tracing::debug!(%error, "the WAL was not shortened after the import");
        }
        Ok(count)
    }

    /// Appends records of another log, with the ids that it knew last: it has judged already which of
    /// them are retries.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub(crate) fn append_judged(&mut self, records: &[LogRecord]) -> Result<(), StoreError> {
        let encoded = records.iter().map(EncodedRecord::encode).collect::<Result<Vec<_>, _>>()?;
        self.insert_with(|inserts| encoded.iter().try_for_each(|record| inserts.insert_judged(record)))
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// From now on commits do not move the WAL into the database; the mover does.
    pub(crate) fn start_wal_mover(&mut self) -> Result<WalMover, StoreError> {
        let own = crate::connection::open(&self.dir, &crate::store::log_path(&self.dir))?;
        WalMover::start(&mut self.connection, own)
    }

    /// Inserts in one transaction; moves the head only if all of it is on disk.
    fn insert_with<T, E: From<StoreError>>(
        &mut self,
        work: impl FnOnce(&mut Inserts<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (head, now, arrival) = (self.head, self.clock.now(), self.arrival);
        let (outcome, head, arrival) = self.in_transaction(|transaction| {
            let mut inserts = Inserts::prepare(transaction, head, now, arrival)?;
            let outcome = work(&mut inserts)?;
            Ok::<_, E>((outcome, inserts.head, inserts.arrival))
        })?;
        (self.head, self.arrival) = (head, arrival);
        Ok(outcome)
    }

    /// Runs `work` in one transaction that is on disk when this returns; after an error none of it is,
    /// or the log has stopped.
    pub(crate) fn in_transaction<T, E: From<StoreError>>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        if let Some(cause) = &self.stopped {
            return Err(StoreError::LogStopped { cause: Arc::clone(cause) }.into());
        }
        let transaction =
            Transaction::new(&mut self.connection, TransactionBehavior::Immediate).map_err(StoreError::from)?;
        // An early return drops the transaction, which rolls it back.
        let outcome = work(&transaction)?;
        match transaction.commit().map_err(StoreError::from) {
            Ok(()) => Ok(outcome),
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
    moved_id: CachedStatement<'c>,
    arrivals: CachedStatement<'c>,
    head: LogHead,
    now: Timestamp,
    arrival: Option<Timestamp>,
}

impl<'c> Inserts<'c> {
    fn prepare(
        connection: &'c Connection,
        head: LogHead,
        now: Timestamp,
        arrival: Option<Timestamp>,
    ) -> Result<Self, StoreError> {
        let log = connection.prepare_cached("INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5)")?;
        let event_id = connection.prepare_cached("INSERT INTO event_ids VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
        let moved_id = connection.prepare_cached("UPDATE event_ids SET log_seq = ?2 WHERE hash = ?1")?;
        let arrivals = connection.prepare_cached("INSERT INTO arrivals VALUES (?1, ?2)")?;
        Ok(Self { log, event_id, moved_id, arrivals, head, now, arrival })
    }

    /// Inserts records in order; one answer each.
    fn insert(&mut self, records: &[&EncodedRecord]) -> Result<Vec<Appended>, StoreError> {
        let appended = self.insert_event_ids(records)?;
        for (record, appended) in records.iter().zip(&appended) {
            if matches!(appended, Appended::New(_)) {
                self.insert_record(record)?;
            }
        }
        Ok(appended)
    }

    /// Inserts a record whatever ids are known, and from now on knows its own.
    fn insert_judged(&mut self, record: &EncodedRecord) -> Result<(), StoreError> {
        self.insert_record(record)?;
        if let Some(EventHash(hash)) = record.event_id {
            let log_seq = self.head.log_seq.0.cast_signed();
            if self.event_id.execute((hash, log_seq))? == 0 {
                self.moved_id.execute((hash, log_seq))?;
            }
        }
        Ok(())
    }

    /// Notes the ids of all events where they will stand, and finds those that are known. In order of
    /// hash, so that each page of the table is touched once and not once per event.
    fn insert_event_ids(&mut self, records: &[&EncodedRecord]) -> Result<Vec<Appended>, StoreError> {
        let first = self.head.log_seq.0 + 1;
        let mut appended: Vec<_> = (first..).map(|n| Appended::New(LogSeq(n))).take(records.len()).collect();
        let hashes = records.iter().zip(first..).enumerate();
        let mut hashes: Vec<_> =
            hashes.filter_map(|(i, (record, log_seq))| Some((record.event_id?.0, log_seq.cast_signed(), i))).collect();
        hashes.sort_unstable();
        let mut duplicates = 0;
        for (hash, log_seq, i) in &hashes {
            if self.event_id.execute((hash, log_seq))? == 0 {
                appended[*i] = Appended::Duplicate;
                duplicates += 1;
            }
        }
        if duplicates > 0 {
            // Those behind a duplicate stand further ahead than they were noted.
            let mut next = first;
            for one in &mut appended {
                if let Appended::New(log_seq) = one {
                    *log_seq = LogSeq(next);
                    next += 1;
                }
            }
            for (hash, noted, i) in &hashes {
                if let Appended::New(LogSeq(log_seq)) = appended[*i]
                    && log_seq.cast_signed() != *noted
                {
                    self.moved_id.execute((hash, log_seq.cast_signed()))?;
                }
            }
        }
        Ok(appended)
    }

    fn insert_record(&mut self, record: &EncodedRecord) -> Result<(), StoreError> {
        let EncodedRecord { kind, time_micros, payload, .. } = record;
        let next = self.head.after(kind.as_bytes(), *time_micros, payload.as_bytes());
        let log_seq = next.log_seq.0.cast_signed();
        self.log.execute((log_seq, kind, time_micros, payload, next.chain.cast_signed()))?;
        if self.is_arrival_due() {
            self.arrivals.execute((log_seq, self.now.as_micros()))?;
            self.arrival = Some(self.now);
        }
        self.head = next;
        Ok(())
    }

    /// A clock that went back is written down at once: what comes after it is not as old as it seems.
    fn is_arrival_due(&self) -> bool {
        self.arrival.is_none_or(|last| self.now < last || self.now.seconds_since(last) >= ARRIVAL_SECONDS)
    }
}

/// Encodes records on a second thread, and gives them in order, many at a time.
fn encode_ahead<E: From<StoreError>>(
    records: impl IntoIterator<Item = Result<LogRecord, E>>,
    mut each: impl FnMut(Vec<EncodedRecord>) -> Result<(), E>,
) -> Result<(), E> {
    thread::scope(|scope| {
        let (to_encode, given) = mpsc::sync_channel::<Vec<LogRecord>>(1);
        let (encoded, to_insert) = mpsc::sync_channel(1);
        scope.spawn(move || {
            for records in given {
                let result: Result<Vec<_>, _> = records.iter().map(EncodedRecord::encode).collect();
                if encoded.send(result).is_err() {
                    return;
                }
            }
        });
        let insert_next = |each: &mut dyn FnMut(Vec<EncodedRecord>) -> Result<(), E>| {
            let encoded = to_insert.recv().map_err(|_| StoreError::WriterPanicked)?;
            each(encoded.map_err(StoreError::from)?)
        };
        let mut records = records.into_iter();
        let mut under_way = 0;
        loop {
            let some = records.by_ref().take(IMPORTED_TOGETHER_MAX).collect::<Result<Vec<_>, E>>()?;
            if some.is_empty() {
                break;
            }
            to_encode.send(some).map_err(|_| StoreError::WriterPanicked)?;
            under_way += 1;
            // One is encoded while the one before it is inserted.
            if under_way == 2 {
                insert_next(&mut each)?;
                under_way -= 1;
            }
        }
        drop(to_encode);
        (0..under_way).try_for_each(|_| insert_next(&mut each))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LogWriter;
    use crate::testing::{event, item_put, named_event};

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
            writer.submit(records, Box::new(move |result| sender.send(result).unwrap()))?;
            receiver.recv_timeout(std::time::Duration::from_secs(20)).unwrap()
        };
        assert!(matches!(submit((2..5_000).map(named_event).collect()), Err(StoreError::DiskFull)));
        assert!(writer.is_healthy() && writer.is_full());
        assert!(matches!(submit(vec![named_event(2)]), Err(StoreError::DiskFull)));
        // The disk itself has space, which the writer sees when it looks again.
        while writer.is_full() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
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
        let lines = (2..60_000).map(|n| if n == 59_000 { Err(StoreError::WriterPanicked) } else { Ok(named_event(n)) });
        let mut steps = Vec::new();
        let result = appender.append_all(lines, &mut |taken| steps.push(taken));
        assert!(matches!(result, Err(StoreError::WriterPanicked)));
        assert_eq!(steps, [16_384, 32_768]);
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
