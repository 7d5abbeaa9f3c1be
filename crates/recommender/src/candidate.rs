use shortlist_types::{ItemIdx, Score};

use crate::StageName;

/// An item that may make it into the answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Which item.
    pub item: ItemIdx,
    /// The blend's score of the user's taste; absent when no model knows both.
    pub retrieval_score: Option<Score>,
}

/// That one source proposed an item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SourceHit {
    /// The source.
    pub source: StageName,
    /// Place in its list, from 0.
    pub rank: usize,
    /// What it scored the item by, where it scores.
    pub score: Option<f32>,
}
