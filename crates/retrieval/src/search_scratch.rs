use crate::candidate_pool::CandidatePool;
use crate::code_query::CodeQuery;
use crate::frontier::Frontier;
use crate::top_k::TopK;

/// Memory that searches reuse, one per thread; it fits any index and grows to the largest.
///
/// **Cost**: one bit per leaf of the largest index searched, and a few tens of kilobytes.
#[derive(Debug, Default)]
pub struct SearchScratch {
    /// Leaves that the walk has met.
    pub(crate) seen: SeenLeaves,
    /// Leaves to visit: key and number in one, the greatest first.
    pub(crate) frontier: Frontier,
    /// Neighbours met for the first time, to be scored together.
    pub(crate) fresh: Vec<u32>,
    /// Their integer products.
    pub(crate) products: Vec<i32>,
    /// The query in the coarse coordinates, as small integers for centres, and for points.
    pub(crate) coarse_query: Vec<f32>,
    pub(crate) centre_query: Vec<i8>,
    pub(crate) code_query: CodeQuery,
    pub(crate) pool: CandidatePool,
    /// Scores and points in one number each: the smallest are the best.
    pub(crate) ranked: Vec<u64>,
    /// The same of items: what a walk returns.
    pub(crate) items: Vec<u64>,
    /// What an exact search returns.
    pub(crate) top: TopK,
}

impl SearchScratch {
    /// Scratch that has not grown yet.
    pub fn new() -> Self {
        Self::default()
    }
}

/// A set of leaves, one bit each, that is emptied by what it was filled with.
#[derive(Debug, Default)]
pub(crate) struct SeenLeaves {
    bits: Vec<u64>,
    filled: Vec<u32>,
}

impl SeenLeaves {
    /// Empties the set and makes room for leaves below `leaves`.
    pub(crate) fn clear(&mut self, leaves: usize) {
        for leaf in self.filled.drain(..) {
            self.bits[leaf as usize / 64] = 0;
        }
        if self.bits.len() < leaves.div_ceil(64) {
            self.bits.resize(leaves.div_ceil(64), 0);
        }
    }

    /// Appends those of `leaves` that are new to `fresh`, and remembers them. Which are new is a coin
    /// toss that no processor predicts, so that nothing branches on it.
    #[inline]
    pub(crate) fn take_new(&mut self, leaves: &[u32], fresh: &mut Vec<u32>) {
        let start = fresh.len();
        fresh.resize(start + leaves.len(), 0);
        let mut end = start;
        for leaf in leaves {
            let (word, bit) = (&mut self.bits[*leaf as usize / 64], 1 << (leaf % 64));
            fresh[end] = *leaf;
            end += usize::from(*word & bit == 0);
            *word |= bit;
        }
        fresh.truncate(end);
        self.filled.extend_from_slice(&fresh[start..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_new_once_until_the_set_is_cleared() {
        let (mut seen, mut fresh) = (SeenLeaves::default(), Vec::new());
        for leaves in [3, 200] {
            seen.clear(leaves);
            fresh.clear();
            seen.take_new(&[1, 2, 1], &mut fresh);
            seen.take_new(&[2, 0], &mut fresh);
            assert_eq!(fresh, [1, 2, 0]);
        }
        seen.take_new(&[199, 1], &mut fresh);
        assert_eq!(fresh, [1, 2, 0, 199]);
    }
}
