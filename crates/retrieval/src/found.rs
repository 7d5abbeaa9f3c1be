use shortlist_types::{ItemIdx, Score};

use crate::ranked::{packed_number, packed_score};

/// One item found and its inner product with the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbor {
    /// Which item.
    pub item: ItemIdx,
    /// By the index's metric; greater is better.
    pub score: Score,
}

impl Neighbor {
    pub(crate) fn of_packed(packed: u64) -> Self {
        Self { item: ItemIdx(packed_number(packed)), score: packed_score(packed) }
    }
}

/// What a search brings back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Best first; equal scores in ascending order of item.
    pub neighbors: Vec<Neighbor>,
    /// False when the budget ended the search: what was found until then is here, and may be less
    /// than was asked for.
    pub complete: bool,
}
