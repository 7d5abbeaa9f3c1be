use std::cmp::Reverse;

use shortlist_types::{EmbeddingTable, ItemIdx, Score};

use crate::distinct_rows::DistinctRows;
use crate::exact::{FILTER_WORK, scan};
use crate::pacer::{BudgetExhausted, Pacer};
use crate::query::Query;
use crate::walk::{Scorer, Walk, WalkEnd};
use crate::{HnswIndex, SearchScratch};

/// One search by the graph: the walk, then the rows that the graph does not hold; or a scan of all
/// rows when the walk gave up.
pub(crate) struct GraphSearch<'a> {
    pub(crate) index: &'a HnswIndex,
    pub(crate) query: Query<'a>,
    pub(crate) ef: usize,
    /// Most nodes scored before the walk gives way to a scan.
    pub(crate) scored_max: usize,
    pub(crate) allowed: &'a dyn Fn(ItemIdx) -> bool,
}

impl GraphSearch<'_> {
    /// Leaves the answer in `scratch.top`, whose k is set; returns whether it is complete.
    pub(crate) fn run(&self, pacer: &mut Pacer<'_>, scratch: &mut SearchScratch) -> bool {
        let end = self.walk(pacer, scratch);
        // Every node can be reached, so that a walk that converged has filled its beam, which holds at
        // least k nodes, or has seen all that is allowed: a scan would find no more.
        if end != Ok(WalkEnd::GaveUp) {
            self.offer_beam(0, scratch);
            return end.and_then(|_| self.offer_zero_rows(pacer, scratch)).is_ok();
        }
        let table = self.index.table();
        let settled = scan(table, self.query, self.allowed, pacer, &mut scratch.top);
        // A scan that was cut short knows nothing of the rows behind, but the walk may.
        self.offer_beam(settled, scratch);
        settled == table.len()
    }

    fn walk(&self, pacer: &mut Pacer<'_>, scratch: &mut SearchScratch) -> Result<WalkEnd, BudgetExhausted> {
        let HnswIndex { table, distinct, graph, .. } = self.index;
        let walk = Walk { graph, ef: self.ef, scored_max: self.scored_max, score_work: table.dimensions() };
        let mut scorer = InnerProduct { query: self.query, table, distinct };
        let accept = |node: u32, pacer: &mut Pacer<'_>| {
            for row in distinct.rows(node) {
                if self.allows(row) {
                    return Ok(true);
                }
                pacer.spend(FILTER_WORK)?;
            }
            Ok(false)
        };
        walk.run(scratch, pacer, &mut scorer, accept)
    }

    /// Offers the allowed rows from `first` on of the nodes in the beam.
    fn offer_beam(&self, first: usize, scratch: &mut SearchScratch) {
        let SearchScratch { beam, top, .. } = scratch;
        for (score, Reverse(node)) in beam.iter() {
            for row in self.index.distinct.rows(node).filter(|row| *row as usize >= first) {
                let ranked = (score, Reverse(row));
                // Rows of one node ascend: once one is not kept, none after it is.
                if !top.would_keep(ranked) {
                    break;
                }
                if self.allows(row) {
                    top.offer(ranked);
                }
            }
        }
    }

    /// Offers the allowed rows that have no node: they score zero.
    fn offer_zero_rows(&self, pacer: &mut Pacer<'_>, scratch: &mut SearchScratch) -> Result<(), BudgetExhausted> {
        for row in self.index.distinct.zero_rows() {
            let ranked = (Score::ZERO, Reverse(*row));
            if !scratch.top.would_keep(ranked) {
                break;
            }
            pacer.spend(FILTER_WORK)?;
            if self.allows(*row) {
                scratch.top.offer(ranked);
            }
        }
        Ok(())
    }

    fn allows(&self, row: u32) -> bool {
        (self.allowed)(self.index.table.items()[row as usize])
    }
}

/// Scores nodes by the inner product of their vectors with the query.
struct InnerProduct<'a> {
    query: Query<'a>,
    table: &'a EmbeddingTable,
    distinct: &'a DistinctRows,
}

/// `f32`s in a cache line.
const LINE: usize = 16;

impl InnerProduct<'_> {
    fn row(&self, node: u32) -> &[f32] {
        self.table.row(self.distinct.first_row(node))
    }
}

impl Scorer for InnerProduct<'_> {
    /// One number of each cache line: on a table larger than the caches a walk waits for memory most
    /// of the time, and this halves it.
    #[inline]
    fn read_ahead(&self, nodes: &[u32]) {
        let lines = nodes.iter().flat_map(|node| self.row(*node).iter().step_by(LINE));
        std::hint::black_box(lines.fold(0, |bits, x| bits ^ x.to_bits()));
    }

    #[inline]
    fn score(&mut self, node: u32) -> Score {
        self.query.score(self.row(node))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;
    use shortlist_types::{Budget, Unlimited};

    use super::*;
    use crate::{Found, HnswConfig, exact};

    /// Searches by the graph whatever the size of the table.
    fn by_graph(index: &HnswIndex, query: &[f32], k: usize, limits: (usize, usize), budget: &dyn Budget) -> Found {
        let mut scratch = SearchScratch::new();
        scratch.top.reset(k);
        let (ef, scored_max) = limits;
        let query = Query::parse(query, &index.table).unwrap();
        let search = GraphSearch { index, query, ef, scored_max, allowed: &odd_or_small };
        let complete = search.run(&mut Pacer::new(budget), &mut scratch);
        Found { neighbors: scratch.top.neighbors(&index.table), complete }
    }

    fn odd_or_small(item: ItemIdx) -> bool {
        item.0 % 2 == 1 || item.0 < 10
    }

    fn build(dimensions: usize, values: Vec<f32>) -> HnswIndex {
        let items = (0..(values.len() / dimensions) as u32).map(ItemIdx).collect();
        let table = Arc::new(EmbeddingTable::parse(dimensions, items, values).unwrap());
        HnswIndex::build(table, &HnswConfig::new(2, 8).unwrap(), &mut |_| {}).unwrap()
    }

    /// Few different values, so that equal rows, zero rows and equal scores abound.
    fn tables() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
        let value = || prop_oneof![Just(0.0_f32), Just(-0.0), Just(1.0), Just(-1.0), Just(0.5)];
        (1..5_usize, 0..80_usize).prop_flat_map(move |(dimensions, rows)| {
            (prop::collection::vec(value(), rows * dimensions), prop::collection::vec(-3.0_f32..3.0, dimensions))
        })
    }

    proptest! {
        #[test]
        fn a_beam_as_wide_as_the_graph_finds_what_a_scan_finds((values, query) in tables(), k in 0..90_usize) {
            let index = build(query.len(), values);
            let found = by_graph(&index, &query, k, (index.table.len().max(k), usize::MAX), &Unlimited);
            prop_assert_eq!(found, exact(&index.table, &query, k, &odd_or_small, &Unlimited).unwrap());
        }

        #[test]
        fn a_narrow_beam_still_finds_enough_and_tells_no_lies((values, query) in tables(), k in 1..90_usize) {
            let index = build(query.len(), values);
            let all = exact(&index.table, &query, usize::MAX, &odd_or_small, &Unlimited).unwrap().neighbors;
            for scored_max in [0, 20, usize::MAX] {
                let found = by_graph(&index, &query, k, (k, scored_max), &Unlimited);
                prop_assert_eq!(found.neighbors.len(), k.min(all.len()));
                prop_assert!(found.complete && found.neighbors.iter().all(|neighbor| all.contains(neighbor)));
                prop_assert!(found.neighbors.is_sorted_by(|a, b| (a.score, b.item) > (b.score, a.item)));
            }
        }
    }

    /// Lets the caller ask so many times before it is over.
    struct Questions(AtomicUsize);
    impl Budget for Questions {
        fn exhausted(&self) -> bool {
            self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
        }
    }

    #[test]
    fn a_budget_that_ends_leaves_what_was_found_until_then() {
        // Wide rows, so that a question comes with every few of them.
        let values = (0..200 * 2_000).map(|i| ((i % 1_009 * 7_919 % 1_009) as f32 - 504.0) / 500.0).collect();
        let index = build(2_000, values);
        let query = index.table.row(199);
        let after = |questions, scored_max| {
            by_graph(&index, query, 10, (30, scored_max), &Questions(AtomicUsize::new(questions)))
        };
        for scored_max in [40, usize::MAX] {
            assert_eq!(after(0, scored_max), Found { neighbors: Vec::new(), complete: false });
            assert!(after(50, scored_max).complete);
        }
        // The last search that is cut short is cut in its scan, after the walk had found item 199, the last.
        let cut = (0..50).map(|questions| after(questions, 40)).take_while(|found| !found.complete).last().unwrap();
        assert_eq!(cut.neighbors.first().map(|best| best.item), Some(ItemIdx(199)));
    }
}
