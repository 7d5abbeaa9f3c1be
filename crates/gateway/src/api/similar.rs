use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Number;
use shortlist_recommender::Similar;
use utoipa::ToSchema;

use super::recommend::{count, timings};

/// Which items are most like this one?
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct SimilarRequest {
    /// The item asked about.
    #[schema(min_length = 1, max_length = 128)]
    pub item_id: String,
    /// How many items; 10 if absent.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 500)]
    pub k: Option<Number>,
}

/// The answer to "which items are alike?".
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SimilarResponse {
    /// Name of this answer.
    #[schema(format = "uuid")]
    pub request_id: String,
    /// Most similar first.
    pub items: Vec<SimilarItemView>,
    /// The bundle of models that served; `null` when none is loaded.
    pub bundle: Option<String>,
    /// The state that served: all records of the log up to this one.
    pub log_seq: u64,
    /// What was less than asked, and why: `no_bundle`, `item_not_in_bundle`,
    /// `source_timeout`, `ann_failed`.
    #[schema(value_type = Vec<String>)]
    pub degraded: Vec<&'static str>,
    /// Milliseconds: `queue` is the wait before the search, `total` reaches from the arrival of the
    /// request to the answer.
    #[schema(value_type = BTreeMap<String, f64>)]
    pub timings: BTreeMap<&'static str, f64>,
}

/// One neighbour of an item.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = SimilarItem)]
pub struct SimilarItemView {
    /// Which item.
    pub item_id: String,
    /// Cosine of the two embeddings, -1 to 1.
    pub score: f32,
    /// Place in the list, from 0.
    pub rank: u32,
}

impl SimilarResponse {
    /// An answer as it goes over the wire.
    pub fn new(request_id: String, similar: &Similar, queue: Duration, total: Duration) -> Self {
        let items = similar.items.iter().enumerate().map(|(rank, item)| SimilarItemView {
            item_id: item.item_id.to_string(),
            score: item.score.get(),
            rank: count(rank),
        });
        Self {
            request_id,
            items: items.collect(),
            bundle: similar.bundle.as_ref().map(ToString::to_string),
            log_seq: similar.log_seq.0,
            degraded: similar.degraded.iter().map(|reason| reason.as_str()).collect(),
            timings: timings(queue, total),
        }
    }
}
