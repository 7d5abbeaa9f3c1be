use std::collections::BinaryHeap;

use crate::top_k::{Ranked, TopK};

/// Memory that searches reuse, one per thread; it fits any index and grows to the largest.
///
/// **Cost**: 4 bytes per distinct vector of the largest index searched, and a few kilobytes.
#[derive(Debug, Default)]
pub struct SearchScratch {
    pub(crate) visited: Visited,
    /// Nodes to expand, best first.
    pub(crate) candidates: BinaryHeap<Ranked>,
    /// The best allowed nodes.
    pub(crate) beam: TopK,
    /// The neighbours of one node that were not seen before.
    pub(crate) fresh: Vec<u32>,
    /// The best rows: what is returned.
    pub(crate) top: TopK,
}

impl SearchScratch {
    /// Scratch that has not grown yet.
    pub fn new() -> Self {
        Self::default()
    }
}

/// The nodes that a walk has seen. A node is in the set when its stamp is the current epoch, so that
/// clearing it is one addition.
#[derive(Debug, Default)]
pub(crate) struct Visited {
    stamps: Vec<u32>,
    epoch: u32,
}

impl Visited {
    /// Empties the set and makes room for nodes below `nodes`.
    pub(crate) fn clear(&mut self, nodes: usize) {
        if self.stamps.len() < nodes {
            self.stamps.resize(nodes, 0);
        }
        if self.epoch == u32::MAX {
            self.stamps.fill(0);
            self.epoch = 0;
        }
        self.epoch += 1;
    }

    /// Adds `node`; returns whether it is new.
    #[inline]
    pub(crate) fn insert(&mut self, node: u32) -> bool {
        let stamp = &mut self.stamps[node as usize];
        let new = *stamp != self.epoch;
        *stamp = self.epoch;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_is_empty_after_clearing_even_when_epochs_run_out() {
        for epoch in [0, 1, u32::MAX - 1, u32::MAX] {
            let mut visited = Visited { stamps: vec![epoch.min(1); 2], epoch };
            visited.clear(3);
            assert!(visited.insert(1) && !visited.insert(1) && visited.insert(2));
            visited.clear(5);
            assert!(visited.insert(1) && visited.insert(4), "after epoch {epoch}");
        }
    }
}
