use rusqlite::Connection;
use rusqlite::types::ValueRef;
use shortlist_types::LogSeq;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::log::encoded_record::EncodedRecord;
use crate::{RecordDamage, StoreError};

/// The end of a log, or any position in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// The last record; 0 if there is none.
    pub log_seq: LogSeq,
    /// Checksum over everything up to it: two logs that agree here hold the same records.
    pub chain: u64,
}

impl LogHead {
    /// Before the first record. The seed is fixed, so that equal records make equal chains.
    #[cfg(test)]
    pub(crate) const GENESIS: Self = Self { log_seq: LogSeq(0), chain: 0 };

    /// The position before the first record of a log.
    pub(crate) fn start(log: &Connection) -> Result<Self, StoreError> {
        let mut statement = log.prepare_cached("SELECT cut_log_seq, cut_chain FROM log_bounds")?;
        let (log_seq, chain): (i64, i64) = statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self { log_seq: LogSeq(log_seq.cast_unsigned()), chain: chain.cast_unsigned() })
    }

    /// The chain over everything up to `log_seq`, if the log has that position.
    pub(crate) fn chain_at(log: &Connection, log_seq: LogSeq) -> Result<Option<u64>, StoreError> {
        let start = Self::start(log)?;
        if log_seq == start.log_seq {
            return Ok(Some(start.chain));
        }
        let mut statement = log.prepare_cached("SELECT kind, payload, checksum FROM log WHERE log_seq = ?1")?;
        let mut rows = statement.query([log_seq.0.cast_signed()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let unreadable = || StoreError::DamagedRecord { log_seq, damage: RecordDamage::Unreadable };
        match (row.get_ref(0)?, row.get_ref(1)?, row.get_ref(2)?) {
            (ValueRef::Text(EncodedRecord::ERASED_KIND), ValueRef::Text(payload), ValueRef::Integer(checksum)) => {
                let erased = EncodedRecord::decode(EncodedRecord::ERASED_KIND, payload).ok_or_else(unreadable)?;
                Ok(Some(erased.chain.unwrap_or(checksum.cast_unsigned())))
            }
            (_, _, ValueRef::Integer(checksum)) => Ok(Some(checksum.cast_unsigned())),
            _ => Err(unreadable()),
        }
    }

    /// The position after one more record: its checksum is seeded with the one before, so that a
    /// record that was changed, lost or moved shows.
    pub(crate) fn after(self, kind: &[u8], time: i64, payload: &[u8]) -> Self {
        let log_seq = self.log_seq.next();
        let mut bytes = Vec::with_capacity(24 + kind.len() + payload.len());
        bytes.extend_from_slice(&log_seq.0.to_le_bytes());
        bytes.extend_from_slice(&time.to_le_bytes());
        // The length keeps bytes from wandering between the two texts unseen.
        bytes.extend_from_slice(&(kind.len() as u64).to_le_bytes());
        bytes.extend_from_slice(kind);
        bytes.extend_from_slice(payload);
        Self { log_seq, chain: xxh3_64_with_seed(&bytes, self.chain) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_and_the_past_reach_the_checksum() {
        let base = LogHead::GENESIS.after(b"event", 7, b"{}");
        let others = [
            LogHead::GENESIS.after(b"evens", 7, b"{}"),
            LogHead::GENESIS.after(b"event", 8, b"{}"),
            LogHead::GENESIS.after(b"event", 7, b"{ }"),
            LogHead::GENESIS.after(b"event{", 7, b"}"),
            LogHead { log_seq: LogSeq(1), chain: 0 }.after(b"event", 7, b"{}"),
            LogHead { log_seq: LogSeq(0), chain: 1 }.after(b"event", 7, b"{}"),
        ];
        for other in others {
            assert_ne!(other.chain, base.chain, "{other:?}");
        }
    }

    #[test]
    fn the_checksum_of_format_1_stays_what_it_is() {
        let head = LogHead::GENESIS.after(b"event", 1, b"{}").after(b"item_put", -1, b"[]");
        assert_eq!(head, LogHead { log_seq: LogSeq(2), chain: 1_504_649_668_106_733_800 });
    }
}
