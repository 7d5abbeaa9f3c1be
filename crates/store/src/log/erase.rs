use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension, Transaction};
use shortlist_types::{InvalidInput, LogRecord, LogSeq, UserId};

use crate::limits::{MAINTAINED_RECORDS_MAX, READ_SPAN_MAX};
use crate::log::chain::LogHead;
use crate::log::encoded_record::EncodedRecord;
use crate::log::reader::{LogReader, bound, check};
use crate::{Checkpoint, LogAppender, RecordDamage, Store, StoreError, checkpoints};

impl LogReader {
    /// Gives each record of one user after `after`, up to and with `up_to` or the end of the log, in
    /// order, as its own content says; what lies between is not checked.
    ///
    /// **Cost**: reads the whole range, about 0.5 us per record.
    ///
    /// # Errors
    /// The database cannot be read; what `each` returns.
    pub fn read_user<E: From<StoreError>>(
        &self,
        user_id: &UserId,
        after: LogSeq,
        up_to: LogSeq,
        mut each: impl FnMut(LogSeq, LogRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        let end = up_to.min(self.head()?.log_seq);
        let mut from = after;
        while from < end {
            let until = LogSeq(from.0.saturating_add(READ_SPAN_MAX)).min(end);
            for (log_seq, record) in self.candidates(user_id, from, until)? {
                if record.user_id() == Some(user_id) {
                    each(log_seq, record)?;
                }
            }
            from = until;
        }
        Ok(())
    }

    /// Records that hold the user's id, perhaps as something else.
    fn candidates(
        &self,
        user_id: &UserId,
        after: LogSeq,
        up_to: LogSeq,
    ) -> Result<Vec<(LogSeq, LogRecord)>, StoreError> {
        let text = serde_json::to_string(user_id).map_err(|error| InvalidInput::new("user_id", error.to_string()))?;
        let sql = "SELECT log_seq, kind, payload FROM log
                   WHERE log_seq > ?1 AND log_seq <= ?2 AND instr(payload, ?3) > 0 ORDER BY log_seq";
        let mut statement = self.connection().prepare_cached(sql)?;
        let mut rows = statement.query((bound(after), bound(up_to), format!("\"user_id\":{text}")))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let log_seq = LogSeq(row.get::<_, i64>(0)?.cast_unsigned());
            let (ValueRef::Text(kind), ValueRef::Text(payload)) = (row.get_ref(1)?, row.get_ref(2)?) else { continue };
            let unreadable = StoreError::DamagedRecord { log_seq, damage: RecordDamage::Unreadable };
            found.push((log_seq, EncodedRecord::decode(kind, payload).ok_or(unreadable)?.record));
        }
        Ok(found)
    }
}

/// The property that counts erased users.
const ERASURES: &str = "erasures";

impl Store {
    /// Users that were ever erased: as often did the log change behind whoever had folded it.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn erasures(&self) -> Result<u64, StoreError> {
        Ok(self.property(ERASURES)?.and_then(|count| count.parse().ok()).unwrap_or(0))
    }
}

/// A record that is to be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure {
    /// Where it is.
    pub log_seq: LogSeq,
    /// Whether it is the first of its user: his number stays taken.
    pub new_user: bool,
}

impl LogAppender {
    /// Puts tombstones in place of records; the chain over all others stays what it was. Nothing of
    /// them is left in the database file; [`crate::Store::empty_wal`] sees to the WAL.
    ///
    /// # Errors
    /// As [`Self::append`]; a record that is not there or damaged.
    pub fn erase(&mut self, erasures: &[Erasure]) -> Result<(), StoreError> {
        let step = usize::try_from(MAINTAINED_RECORDS_MAX).unwrap_or(1);
        for some in erasures.chunks(step) {
            self.in_transaction(|transaction| some.iter().try_for_each(|erasure| bury(transaction, *erasure)))?;
        }
        Ok(())
    }

    /// Erases the first record of a user and takes all checkpoints off the list, in one transaction: as long
    /// as a checkpoint may hold him, a record is there by which he is found. `begin` is the checkpoint that a
    /// cut log begins with from now on, written without him.
    ///
    /// # Errors
    /// As [`Self::erase`].
    pub fn finish_erasure(&mut self, first: Option<Erasure>, begin: Option<&Checkpoint>) -> Result<(), StoreError> {
        self.in_transaction(|transaction| {
            first.map_or(Ok(()), |first| bury(transaction, first))?;
            transaction.execute("DELETE FROM checkpoints", [])?;
            let sql = "INSERT INTO properties VALUES (?1, '1') ON CONFLICT DO UPDATE SET value = value + 1";
            transaction.execute(sql, [ERASURES])?;
            begin.map_or(Ok(()), |begin| checkpoints::list(transaction, begin))
        })
    }
}

/// Replaces one record by its tombstone.
fn bury(log: &Transaction<'_>, Erasure { log_seq, new_user }: Erasure) -> Result<(), StoreError> {
    let damaged = |damage| StoreError::DamagedRecord { log_seq, damage };
    let before = LogSeq(log_seq.0.saturating_sub(1));
    let before = LogHead {
        log_seq: before,
        chain: LogHead::chain_at(log, before)?.ok_or_else(|| damaged(RecordDamage::Missing))?,
    };
    let mut select = log.prepare_cached("SELECT log_seq, kind, time, payload, checksum FROM log WHERE log_seq = ?1")?;
    let row = |row: &rusqlite::Row<'_>| Ok((check(row, before), row.get::<_, i64>(2)?));
    let row = select.query_row([bound(log_seq)], row).optional()?;
    let (checked, time) = row.ok_or_else(|| damaged(RecordDamage::Missing))?;
    let checked = checked.map_err(damaged)?;
    let timestamp = checked.record.timestamp();
    let item_id = match checked.record {
        LogRecord::Event(event) => Some(event.item_id),
        LogRecord::UserPut { .. } | LogRecord::UserDelete { .. } => None,
        // About no user, or erased before.
        LogRecord::ItemPut { .. }
        | LogRecord::ItemPatch { .. }
        | LogRecord::ItemDelete { .. }
        | LogRecord::Erased { .. } => return Ok(()),
    };
    let tombstone = LogRecord::Erased { timestamp, item_id, new_user };
    let EncodedRecord { kind, payload, .. } = EncodedRecord::encode_in_place_of(&tombstone, Some(checked.next.chain))?;
    let checksum = before.after(kind.as_bytes(), time, payload.as_bytes()).chain;
    let sql = "UPDATE log SET kind = ?2, payload = ?3, checksum = ?4 WHERE log_seq = ?1";
    log.prepare_cached(sql)?.execute((bound(log_seq), kind, payload, checksum.cast_signed()))?;
    Ok(())
}
