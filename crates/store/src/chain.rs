use shortlist_types::LogSeq;
use xxhash_rust::xxh3::xxh3_64_with_seed;

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
    pub(crate) const GENESIS: Self = Self { log_seq: LogSeq(0), chain: 0 };

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
