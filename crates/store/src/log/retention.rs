use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};
use shortlist_types::{LogSeq, Timestamp};

use crate::limits::{ARRIVAL_SECONDS, MAINTAINED_RECORDS_MAX, SIZED_RECORDS_MAX};
use crate::log::reader::{LogReader, bound};
use crate::{LogAppender, LogHead, RecordDamage, StoreError};

/// What a row of the log takes beside its two texts: its number, time and checksum, and SQLite's own.
const ROW_BYTES: u64 = 31;

/// How long and how much the log keeps; what is `None` does not cut it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Retention {
    /// Records that were appended longer ago are removed.
    pub age_max: Option<Duration>,
    /// The oldest records are removed while the log's records take more bytes; ids, checkpoints and bundles
    /// are not counted.
    pub bytes_max: Option<u64>,
}

impl LogReader {
    /// The record up to which the log is to be cut, as far as age and size say; the caller folds up to
    /// it, keeps that checkpoint, and only then cuts.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn due_cut(&self, retention: Retention, now: Timestamp) -> Result<LogSeq, StoreError> {
        let start = self.start()?.log_seq;
        let by_age = match retention.age_max {
            Some(age) => appended_before(self.connection(), start, age, now)?,
            None => start,
        };
        let by_size = match retention.bytes_max {
            Some(bytes_max) => self.cut_to_fit(bytes_max)?,
            None => start,
        };
        Ok(by_age.max(by_size).min(self.unpinned(now)?).max(start))
    }

    /// The record up to which nobody reads any more.
    fn unpinned(&self, now: Timestamp) -> Result<LogSeq, StoreError> {
        let head = self.head()?.log_seq;
        Ok(pinned(self.connection(), now)?.map_or(head, |pinned| pinned.min(head)))
    }

    /// The record up to which all is beyond `bytes_max`, counted from the newest back. At most
    /// [`SIZED_RECORDS_MAX`] are looked at; each stands for those between it and the next.
    fn cut_to_fit(&self, bytes_max: u64) -> Result<LogSeq, StoreError> {
        let (start, head) = (self.start()?.log_seq, self.head()?.log_seq);
        let stride = head.0.saturating_sub(start.0).div_ceil(SIZED_RECORDS_MAX);
        let sql = "SELECT octet_length(kind) + octet_length(payload) FROM log WHERE log_seq <= ?1 ORDER BY log_seq DESC \
                   LIMIT 1";
        let mut size_of = self.connection().prepare_cached(sql)?;
        let (mut at, mut bytes) = (head, 0_u64);
        while at > start {
            let records = stride.min(at.0 - start.0);
            let size: i64 = size_of.query_row([bound(at)], |row| row.get(0))?;
            bytes = bytes.saturating_add(records.saturating_mul(size.cast_unsigned().saturating_add(ROW_BYTES)));
            if bytes > bytes_max {
                return Ok(at);
            }
            at.0 -= records;
        }
        Ok(start)
    }

    /// How large the database is.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn database_bytes(&self) -> Result<DatabaseBytes, StoreError> {
        let number = |pragma: &str| -> Result<u64, StoreError> {
            let number: i64 = self.connection().pragma_query_value(None, pragma, |row| row.get(0))?;
            Ok(number.cast_unsigned())
        };
        let (pages, free, page) = (number("page_count")?, number("freelist_count")?, number("page_size")?);
        Ok(DatabaseBytes { file: pages * page, used: pages.saturating_sub(free) * page })
    }
}

/// How large a database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseBytes {
    /// On disk, without the WAL.
    pub file: u64,
    /// Of that, in use; the rest is taken by the next records.
    pub used: u64,
}

impl LogAppender {
    /// Forgets event ids that were appended longer ago than `window`: at most
    /// [`MAINTAINED_RECORDS_MAX`] records of the log are looked at. Whether there is more to do.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn forget_event_ids(&mut self, window: Duration) -> Result<bool, StoreError> {
        let now = self.now();
        self.in_transaction(|transaction| {
            let known: i64 = transaction.query_row("SELECT ids_after FROM log_bounds", [], |row| row.get(0))?;
            let old = appended_before(transaction, LogSeq(known.cast_unsigned()), window, now)?;
            let until = bound(old).min(known.saturating_add(MAINTAINED_RECORDS_MAX));
            if until <= known {
                return Ok(false);
            }
            transaction.execute("DELETE FROM event_ids WHERE log_seq <= ?1", [until])?;
            transaction.execute("UPDATE log_bounds SET ids_after = ?1", [until])?;
            Ok(until < bound(old))
        })
    }

    /// Removes records up to `to`, at most [`MAINTAINED_RECORDS_MAX`] of them, and keeps the chain up to
    /// there. Whether there is more to do: a pinned reader may be in the way until later, and nothing goes
    /// that the newest checkpoint does not hold.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn cut(&mut self, to: LogSeq) -> Result<bool, StoreError> {
        let now = self.now();
        let head = self.head().log_seq;
        self.in_transaction(|transaction| {
            let sql = "SELECT cut_log_seq FROM log_bounds";
            let start: i64 = transaction.query_row(sql, [], |row| row.get(0))?;
            let to = pinned(transaction, now)?.map_or(to, |pinned| pinned.min(to)).min(head);
            let sql = "SELECT coalesce(max(log_seq), 0) FROM checkpoints";
            let held: i64 = transaction.query_row(sql, [], |row| row.get(0))?;
            let to = bound(to).min(held);
            let until = to.min(start.saturating_add(MAINTAINED_RECORDS_MAX));
            if until <= start {
                return Ok(false);
            }
            let chain = chain_at(transaction, until)?;
            transaction.execute("DELETE FROM log WHERE log_seq <= ?1", [until])?;
            // Ids that are still known need their arrivals, or they would seem old and be forgotten.
            let last_arrival = "(SELECT max(log_seq) FROM arrivals WHERE log_seq <= 1 + min(?1, (SELECT ids_after FROM \
                                log_bounds)))";
            transaction.execute(&format!("DELETE FROM arrivals WHERE log_seq < {last_arrival}"), [until])?;
            let sql = "UPDATE log_bounds SET cut_log_seq = ?1, cut_chain = ?2";
            transaction.execute(sql, [until, chain.cast_signed()])?;
            Ok(until < to)
        })
    }
}

/// The last record of those that were appended longer ago than `age`, if it comes after `after`.
///
/// The first row that is not old ends the search, also where the clock went back after it: a clock that
/// was ahead holds this up until that time has come. A clock that is ahead *now* makes records old before
/// their time, as no clock of one machine can tell.
fn appended_before(
    connection: &Connection,
    after: LogSeq,
    age: Duration,
    now: Timestamp,
) -> Result<LogSeq, StoreError> {
    let seconds = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
    #[allow(clippy::cast_possible_truncation)] // a whole number of seconds
    let before = now.plus_seconds(seconds.saturating_neg()).plus_seconds(-(ARRIVAL_SECONDS as i64));
    // From the row that says when the record behind `after` came.
    let sql = "SELECT log_seq - 1 FROM arrivals WHERE time > ?1
               AND log_seq >= (SELECT coalesce(max(log_seq), 0) FROM arrivals WHERE log_seq <= ?2 + 1)
               ORDER BY log_seq LIMIT 1";
    let old: Option<i64> =
        connection.query_row(sql, (before.as_micros(), bound(after)), |row| row.get(0)).optional()?;
    let last = match old {
        Some(last) => last,
        // All rows are old, and what follows the last one came within a minute of it; without rows nothing is known.
        None => {
            let sql = "SELECT coalesce(max(log_seq), 0) FROM log WHERE EXISTS (SELECT 1 FROM arrivals)";
            connection.query_row(sql, [], |row| row.get(0))?
        }
    };
    Ok(LogSeq(u64::try_from(last).unwrap_or(0)))
}

/// The first position that a reader still needs.
fn pinned(connection: &Connection, now: Timestamp) -> Result<Option<LogSeq>, StoreError> {
    let sql = "SELECT min(log_seq) FROM pins WHERE until > ?1";
    let first: Option<i64> = connection.query_row(sql, [now.as_micros()], |row| row.get(0))?;
    Ok(first.map(|log_seq| LogSeq(log_seq.cast_unsigned())))
}

fn chain_at(connection: &Connection, log_seq: i64) -> Result<u64, StoreError> {
    let log_seq = LogSeq(log_seq.cast_unsigned());
    let missing = StoreError::DamagedRecord { log_seq, damage: RecordDamage::Missing };
    LogHead::chain_at(connection, log_seq)?.ok_or(missing)
}
