use serde::{Deserialize, Serialize};
use shortlist_types::{Attributes, ItemId, ItemIdx, LogSeq, RequestId, Timestamp, UserId};

use crate::{Assignment, BundleId};

/// One request: what was asked, what was shown, and what it was decided by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServedRequest {
    /// Its name, by which events say what led to them.
    pub request_id: RequestId,
    /// The time that it was decided for.
    pub now: Timestamp,
    /// The state that served: all records of the log up to this one.
    pub log_seq: LogSeq,
    /// Users that had been erased from the store when that state was folded: it still held what those that
    /// were erased later had added to counters.
    pub erasures: u64,
    /// What the state was made by: another version, or other event types, would make another one.
    pub state_schema: String,
    /// The bundle that served, if there was one.
    pub bundle: Option<BundleId>,
    /// The variant of an experiment that the user was in.
    pub assignment: Option<Assignment>,
    /// The surface that they were shown on.
    pub surface: String,
    /// Who asked; none for a session that is known by `recent` alone.
    pub user_id: Option<UserId>,
    /// How many items.
    pub k: u32,
    /// What must not be shown.
    pub exclude: Vec<ItemId>,
    /// What the user did and the log did not hold.
    pub recent: Vec<ServedRecent>,
    /// What the caller knew of the moment.
    pub context: Attributes,
    /// What was less than asked.
    pub degraded: Vec<String>,
    /// All candidates, in retrieval order.
    pub candidates: Vec<ServedCandidate>,
    /// Fingerprint of the ranker's feature schema: rows of one schema can be learned from together.
    pub feature_schema: u64,
    /// What the ranker read, row by row in the order of the candidates; empty where it was not asked.
    pub features: Vec<f32>,
}

/// An event that came with the request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServedRecent {
    /// With which item.
    pub item_id: ItemId,
    /// Name of its event type.
    pub event_type: String,
    /// What the type measures.
    pub value: Option<f32>,
    /// When; the time of the request if absent.
    pub timestamp: Option<Timestamp>,
}

/// One item that could have been shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ServedCandidate {
    /// Which.
    pub item: ItemIdx,
    /// The first stage's score; none if its models do not know the item.
    pub retrieval_score: Option<f32>,
    /// The score that it was ordered by.
    pub score: f32,
    /// Its place in the list, from 0; none if it was not shown.
    pub position: Option<u32>,
    /// The probability that it stood there, given the items above it and which of their places were drawn: exact, and
    /// 1 where nothing is drawn at random. 0 if it was not shown.
    pub propensity: f32,
}
