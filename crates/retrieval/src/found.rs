use shortlist_types::{ItemIdx, Score};

/// One item found and its inner product with the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbor {
    /// Which item.
    pub item: ItemIdx,
    /// Inner product with the query; greater is better.
    pub score: Score,
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
