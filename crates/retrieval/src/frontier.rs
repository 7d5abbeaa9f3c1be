/// Entries that are kept in order; twice as many before half of them are put back.
const NEAR: usize = 32;

/// A priority queue of which only the top is ever taken: the best few entries in order, all others in a
/// heap of sand. Most leaves that a walk meets are never visited, and cost an append.
#[derive(Debug, Default)]
pub(crate) struct Frontier {
    /// Ascending; none below any of `far`.
    near: Vec<u64>,
    far: Vec<u64>,
}

impl Frontier {
    pub(crate) fn clear(&mut self) {
        self.near.clear();
        self.far.clear();
    }

    #[inline]
    pub(crate) fn push(&mut self, entry: u64) {
        match self.near.first() {
            Some(worst) if entry > *worst => {
                let place = self.near.iter().rposition(|other| *other < entry).map_or(0, |below| below + 1);
                self.near.insert(place, entry);
                if self.near.len() > 2 * NEAR {
                    self.far.extend(self.near.drain(..NEAR));
                }
            }
            _ => self.far.push(entry),
        }
    }

    /// Takes the greatest entry.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<u64> {
        if self.near.is_empty() {
            self.refill();
        }
        self.near.pop()
    }

    fn refill(&mut self) {
        let rest = self.far.len().saturating_sub(NEAR);
        if rest > 0 {
            self.far.select_nth_unstable(rest);
        }
        self.near.extend(self.far.drain(rest..));
        self.near.sort_unstable();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BinaryHeap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_pops_what_a_heap_would(steps in prop::collection::vec(prop::option::weighted(0.7, 0..500_u64), 0..600)) {
            let (mut frontier, mut heap) = (Frontier::default(), BinaryHeap::new());
            for step in steps {
                if let Some(entry) = step {
                    frontier.push(entry);
                    heap.push(entry);
                } else {
                    prop_assert_eq!(frontier.pop(), heap.pop());
                }
            }
            while let Some(entry) = heap.pop() {
                prop_assert_eq!(frontier.pop(), Some(entry));
            }
            prop_assert_eq!(frontier.pop(), None);
        }
    }
}
