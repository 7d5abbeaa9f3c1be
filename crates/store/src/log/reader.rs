use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};
use shortlist_types::{LogRecord, LogSeq};

use crate::limits::{READ_BYTES_MAX, READ_RECORDS_MAX};
use crate::log::chain::LogHead;
use crate::log::encoded_record::EncodedRecord;
use crate::{RecordDamage, StoreError};

/// Reads the log in order, also while another process appends to it.
#[derive(Debug)]
pub struct LogReader {
    connection: Connection,
}

impl LogReader {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }

    /// The position before the first record: what came up to it was removed by retention.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn start(&self) -> Result<LogHead, StoreError> {
        LogHead::start(&self.connection)
    }

    /// The last record that is committed now.
    ///
    /// # Errors
    /// The database cannot be read; [`StoreError::DamagedRecord`] if its other tables speak of later records:
    /// the log has lost its end.
    pub fn head(&self) -> Result<LogHead, StoreError> {
        // Asked first, so that what is appended in between is no loss.
        let noted = self.noted()?;
        let head = self.last()?;
        if head.log_seq < noted {
            return Err(StoreError::DamagedRecord { log_seq: head.log_seq.next(), damage: RecordDamage::Missing });
        }
        Ok(head)
    }

    /// The last record that the table holds.
    fn last(&self) -> Result<LogHead, StoreError> {
        let sql = "SELECT log_seq FROM log ORDER BY log_seq DESC LIMIT 1";
        let last: Option<i64> = self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
        let Some(last) = last else { return self.start() };
        let log_seq = LogSeq(last.cast_unsigned());
        let missing = StoreError::DamagedRecord { log_seq, damage: RecordDamage::Missing };
        Ok(LogHead { log_seq, chain: self.chain_at(log_seq)?.ok_or(missing)? })
    }

    /// The last record that any other table speaks of.
    pub(crate) fn noted(&self) -> Result<LogSeq, StoreError> {
        let sql = "SELECT max(coalesce((SELECT max(log_seq) FROM event_ids), 0),
                              coalesce((SELECT max(log_seq) FROM arrivals), 0),
                              coalesce((SELECT max(log_seq) FROM checkpoints), 0))";
        let noted: i64 = self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(LogSeq(u64::try_from(noted).unwrap_or(0)))
    }

    /// The chain over everything up to `log_seq`, if the log reaches so far and still knows it.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn chain_at(&self, log_seq: LogSeq) -> Result<Option<u64>, StoreError> {
        LogHead::chain_at(&self.connection, log_seq)
    }

    /// Gives each record after `after`, up to and with `up_to` or the end of the log, in order.
    /// Each was checked: nothing is missing, and its checksum fits its content and the past.
    ///
    /// **Cost**: about 1 us per event. No transaction is open while `each` runs, so a slow reader
    /// does not keep the WAL from shrinking.
    ///
    /// # Errors
    /// [`StoreError::DamagedRecord`] names the first record that is wrong; those before it were
    /// given. [`StoreError::BeyondHead`] if the log ends before `after`, [`StoreError::BeforeStart`] if
    /// it begins later. What `each` returns.
    pub fn read<E: From<StoreError>>(
        &self,
        after: LogSeq,
        up_to: LogSeq,
        mut each: impl FnMut(LogSeq, LogRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        self.read_positions(after, up_to, |position, record| each(position.log_seq, record))
    }

    /// As [`Self::read`], with the position that each record takes the log to.
    pub(crate) fn read_positions<E: From<StoreError>>(
        &self,
        after: LogSeq,
        up_to: LogSeq,
        mut each: impl FnMut(LogHead, LogRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        let (start, head) = (self.start()?.log_seq, self.head()?.log_seq);
        if after > head {
            return Err(StoreError::BeyondHead { asked: after, head }.into());
        }
        if after < start {
            return Err(StoreError::BeforeStart { asked: after, start }.into());
        }
        let end = up_to.min(head);
        let missing = StoreError::DamagedRecord { log_seq: after, damage: RecordDamage::Missing };
        let mut position = LogHead { log_seq: after, chain: self.chain_at(after)?.ok_or(missing)? };
        let mut records = Vec::new();
        while position.log_seq < end {
            let outcome = self.read_range(&mut position, end, &mut records);
            for (position, record) in records.drain(..) {
                each(position, record)?;
            }
            outcome?;
        }
        Ok(())
    }

    /// Adds the next records, at least one or an error, and moves `position` behind them.
    fn read_range(
        &self,
        position: &mut LogHead,
        end: LogSeq,
        records: &mut Vec<(LogHead, LogRecord)>,
    ) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT log_seq, kind, time, payload, checksum FROM log WHERE log_seq > ?1 AND log_seq <= ?2 ORDER BY log_seq",
        )?;
        let mut rows = statement.query([bound(position.log_seq), bound(end)])?;
        let mut bytes = 0;
        while position.log_seq < end && records.len() < READ_RECORDS_MAX && bytes < READ_BYTES_MAX {
            let log_seq = position.log_seq.next();
            let damaged = |damage| StoreError::DamagedRecord { log_seq, damage };
            let row = match rows.next() {
                Ok(Some(row)) => row,
                // Retention cuts the log from its beginning; a reader without a pin may be overtaken.
                Ok(None) => return Err(self.cut_away(position.log_seq)?.unwrap_or(damaged(RecordDamage::Missing))),
                Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
                    return Err(damaged(RecordDamage::Unreadable));
                }
                Err(error) => return Err(error.into()),
            };
            let Checked { next, record, bytes: length } = match check(row, *position) {
                Ok(checked) => checked,
                Err(damage) => return Err(self.cut_away(position.log_seq)?.unwrap_or(damaged(damage))),
            };
            *position = next;
            bytes += length;
            records.push((next, record));
        }
        Ok(())
    }

    /// The error of a position that retention has removed since it was read.
    fn cut_away(&self, asked: LogSeq) -> Result<Option<StoreError>, StoreError> {
        let start = self.start()?.log_seq;
        Ok((asked < start).then_some(StoreError::BeforeStart { asked, start }))
    }
}

/// A row that is what was written.
pub(crate) struct Checked {
    /// The position after it.
    pub(crate) next: LogHead,
    pub(crate) record: LogRecord,
    /// Of its payload.
    pub(crate) bytes: usize,
}

/// Reads `row` (log_seq, kind, time, payload, checksum), if it is what was written after `position`.
pub(crate) fn check(row: &Row<'_>, position: LogHead) -> Result<Checked, RecordDamage> {
    let column = |i| row.get_ref(i).map_err(|_| RecordDamage::Unreadable);
    let columns = (column(0)?, column(1)?, column(2)?, column(3)?, column(4)?);
    let (
        ValueRef::Integer(log_seq),
        ValueRef::Text(kind),
        ValueRef::Integer(time),
        ValueRef::Text(payload),
        ValueRef::Integer(checksum),
    ) = columns
    else {
        return Err(RecordDamage::Unreadable);
    };
    let mut next = position.after(kind, time, payload);
    if log_seq != bound(next.log_seq) {
        return Err(RecordDamage::Missing);
    }
    if checksum != next.chain.cast_signed() {
        return Err(RecordDamage::Checksum);
    }
    let decoded = EncodedRecord::decode(kind, payload).ok_or(RecordDamage::Unreadable)?;
    next.chain = decoded.chain.unwrap_or(next.chain);
    Ok(Checked { next, record: decoded.record, bytes: payload.len() })
}

/// A position as SQLite counts: "to the end" is the largest number that it has.
pub(crate) fn bound(log_seq: LogSeq) -> i64 {
    i64::try_from(log_seq.0).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;
    use crate::testing::event;

    const LAST: LogSeq = LogSeq(u64::MAX);

    fn store_with(events: u32) -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_or_create(dir.path()).unwrap();
        let records: Vec<_> = (1..=events).map(event).collect();
        store.lock_log().unwrap().append(&records).unwrap();
        (dir, store)
    }

    fn read_all(store: &Store, after: LogSeq, up_to: LogSeq) -> (Vec<u64>, Result<(), StoreError>) {
        let mut seen = Vec::new();
        let result = store.reader().unwrap().read(after, up_to, |log_seq, record| {
            assert_eq!(record, event(u32::try_from(log_seq.0).unwrap()));
            seen.push(log_seq.0);
            Ok(())
        });
        (seen, result)
    }

    #[test]
    fn ranges_are_read_whole_and_in_order() {
        let events = u32::try_from(READ_RECORDS_MAX).unwrap() * 2 + 5;
        let (_dir, store) = store_with(events);
        let (seen, result) = read_all(&store, LogSeq(0), LAST);
        result.unwrap();
        assert!(seen.iter().copied().eq(1..=u64::from(events)));
        assert_eq!(read_all(&store, LogSeq(3), LogSeq(6)).0, [4, 5, 6]);
        assert!(read_all(&store, LogSeq(6), LogSeq(3)).0.is_empty());
        assert!(read_all(&store, LogSeq(u64::from(events)), LAST).0.is_empty());
    }

    #[test]
    fn the_chain_at_the_head_is_the_head() {
        let (_dir, store) = store_with(3);
        let reader = store.reader().unwrap();
        let head = reader.head().unwrap();
        assert_eq!(reader.chain_at(head.log_seq).unwrap(), Some(head.chain));
        assert_eq!(reader.chain_at(LogSeq(0)).unwrap(), Some(0));
        assert_eq!(reader.chain_at(LogSeq(4)).unwrap(), None);
    }

    #[test]
    fn a_position_beyond_the_head_is_from_another_log() {
        let (_dir, store) = store_with(3);
        let error = read_all(&store, LogSeq(4), LAST).1.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the log ends at record 3, before record 4; the asking state belongs to another log"
        );
    }

    #[test]
    fn the_callers_error_stops_the_reading() {
        let (_dir, store) = store_with(5);
        let mut seen = 0;
        let result = store.reader().unwrap().read(LogSeq(0), LAST, |_, _| {
            seen += 1;
            if seen == 2 { Err(StoreError::WriterPanicked) } else { Ok(()) }
        });
        assert!(matches!((result, seen), (Err(StoreError::WriterPanicked), 2)));
    }

    #[test]
    fn a_damaged_record_is_named_and_those_before_it_are_given() {
        let (missing, checksum) = (RecordDamage::Missing, RecordDamage::Checksum);
        let cases = [
            ("UPDATE log SET payload = replace(payload, 'click', 'clicl') WHERE log_seq = 4", checksum),
            ("UPDATE log SET payload = replace(payload, 'user-4', 'user-5') WHERE log_seq = 4", checksum),
            ("UPDATE log SET time = time + 1 WHERE log_seq = 4", checksum),
            ("UPDATE log SET kind = 'evenu' WHERE log_seq = 4", checksum),
            ("UPDATE log SET checksum = checksum + 1 WHERE log_seq = 4", checksum),
            ("UPDATE log SET payload = CAST(payload AS BLOB) WHERE log_seq = 4", RecordDamage::Unreadable),
            ("DELETE FROM log WHERE log_seq = 4", missing),
            (
                "UPDATE log SET payload = (SELECT payload FROM log WHERE log_seq = 5),
                                time = (SELECT time FROM log WHERE log_seq = 5),
                                checksum = (SELECT checksum FROM log WHERE log_seq = 5) WHERE log_seq = 4",
                checksum,
            ),
        ];
        for (sql, expected) in cases {
            let (_dir, store) = store_with(6);
            let database = Connection::open(store.dir().join("shortlist.db")).unwrap();
            assert_eq!(database.execute(sql, []).unwrap(), 1, "{sql}");
            let (seen, result) = read_all(&store, LogSeq(0), LAST);
            match result {
                Err(StoreError::DamagedRecord { log_seq: LogSeq(4), damage }) if damage == expected => {}
                other => panic!("{sql}: expected record 4 {expected:?}, got {other:?}"),
            }
            assert_eq!(seen, [1, 2, 3], "{sql}");
        }
    }

    #[test]
    fn a_reader_beside_a_writer_sees_whole_transactions_and_keeps_up() {
        let (_dir, store) = store_with(1);
        let mut appender = store.lock_log().unwrap();
        let reader = store.reader().unwrap();
        let mut at = LogSeq(0);
        for batch in 0..20_u32 {
            let records: Vec<_> = (0..10).map(|i| event(2 + batch * 10 + i)).collect();
            let result: Result<(), StoreError> = reader.read(at, LAST, |log_seq, _| {
                // In the middle of a reading: no transaction is open that would hold the writer up.
                at = log_seq;
                Ok(())
            });
            result.unwrap();
            assert_eq!(at.0, 1 + u64::from(batch) * 10);
            appender.append(&records).unwrap();
        }
    }
}
