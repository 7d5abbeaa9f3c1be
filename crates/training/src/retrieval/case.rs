use std::collections::HashSet;

use roaring::RoaringBitmap;
use shortlist_evaluation::ndcg_at_k;
use shortlist_types::ItemIdx;

/// One user at one moment, on whom models are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What he had shown interest in, with weights.
    pub events: Vec<(ItemIdx, f32)>,
    /// What could have been shown to him.
    pub allowed: RoaringBitmap,
    /// What he wanted next, all of it allowed.
    pub wanted: HashSet<ItemIdx>,
}

impl Case {
    /// NDCG at `k` of an order; 0 for a user who wanted nothing.
    pub(crate) fn ndcg(&self, order: &[ItemIdx], k: usize) -> f64 {
        ndcg_at_k(order, &self.wanted, k).unwrap_or(0.0)
    }
}
