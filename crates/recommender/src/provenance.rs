use serde::{Deserialize, Serialize};
use shortlist_types::{LogSeq, Timestamp};

/// Where a bundle comes from: with the same log, config and seed it can be made again, bit for bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Version of shortlist that made it.
    pub code_version: String,
    /// How sums were made: part of what decides the bits.
    pub arithmetic: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Last record that was read, evaluation included.
    pub log_seq: LogSeq,
    /// Chain value of the log at that record, 16 hex digits: names the whole prefix.
    pub log_chain: String,
    /// Item embeddings were fitted on the records before this time.
    pub embeddings_until: Timestamp,
    /// The ranker was trained on the records from then to this time; evaluation starts here.
    pub ranker_until: Timestamp,
    /// The last record of the ranker's slice.
    pub trained_log_seq: LogSeq,
    /// The configuration, as it was read.
    pub config: serde_json::Value,
}

impl Provenance {
    /// A chain value of the log as bundles write it: JSON readers lose numbers above 2^53.
    pub fn chain_text(chain: u64) -> String {
        format!("{chain:016x}")
    }
}
