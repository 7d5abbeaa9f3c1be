use std::cmp::Reverse;
use std::collections::BinaryHeap;

use shortlist_types::{EmbeddingTable, Score};

use crate::Neighbor;

/// A row or node and its score. The greater one is the better: by score, then by lower number.
pub(crate) type Ranked = (Score, Reverse<u32>);

/// The k best rows offered so far, in any order of offering. Keeps its memory between searches.
#[derive(Debug, Default)]
pub(crate) struct TopK {
    k: usize,
    heap: BinaryHeap<Reverse<Ranked>>,
}

impl TopK {
    /// Forgets everything and keeps `k` from now on.
    pub(crate) fn reset(&mut self, k: usize) {
        self.k = k;
        self.heap.clear();
    }

    /// Whether k are kept, so that only better ones enter.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.heap.len() >= self.k
    }

    /// The worst one kept.
    #[inline]
    pub(crate) fn worst(&self) -> Option<Ranked> {
        self.heap.peek().map(|worst| worst.0)
    }

    /// Whether `ranked` would be kept if it were offered.
    #[inline]
    pub(crate) fn would_keep(&self, ranked: Ranked) -> bool {
        !self.is_full() || self.worst().is_some_and(|worst| ranked > worst)
    }

    /// Keeps `ranked` if it belongs to the k best; returns whether it does.
    #[inline]
    pub(crate) fn offer(&mut self, ranked: Ranked) -> bool {
        if !self.would_keep(ranked) {
            return false;
        }
        if self.is_full() {
            self.heap.pop();
        }
        self.heap.push(Reverse(ranked));
        true
    }

    /// All kept, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Ranked> {
        self.heap.iter().map(|entry| entry.0)
    }

    /// The rows kept as items of `table`, best first. Rows ascend with items, so ties do too.
    pub(crate) fn neighbors(&self, table: &EmbeddingTable) -> Vec<Neighbor> {
        let mut ranked: Vec<Ranked> = self.iter().collect();
        ranked.sort_unstable_by(|a, b| b.cmp(a));
        let items = table.items();
        ranked.into_iter().map(|(score, Reverse(row))| Neighbor { item: items[row as usize], score }).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_keeps_what_sorting_would(scores in prop::collection::vec(-4_i8..4, 0..60), k in 0..70_usize) {
            let ranked: Vec<Ranked> = scores
                .iter()
                .zip(0..)
                .map(|(score, row)| (Score::parse(f32::from(*score)).unwrap(), Reverse(row)))
                .collect();
            let mut top = TopK::default();
            top.reset(k);
            for entry in &ranked {
                top.offer(*entry);
            }
            let mut kept: Vec<Ranked> = top.iter().collect();
            kept.sort_unstable_by(|a, b| b.cmp(a));
            let mut sorted = ranked;
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            sorted.truncate(k);
            prop_assert_eq!(kept, sorted);
        }
    }
}
