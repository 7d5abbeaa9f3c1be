use std::sync::Arc;

use shortlist_types::limits::ENTITIES_MAX;
use shortlist_types::{Budget, EmbeddingTable, ItemIdx};

use crate::augmentation::Augmentation;
use crate::distinct_rows::DistinctRows;
use crate::exact::scan;
use crate::graph::Graph;
use crate::graph_builder::build_graph;
use crate::graph_search::GraphSearch;
use crate::pacer::Pacer;
use crate::query::Query;
use crate::reachability::repair_reachability;
use crate::{Found, HnswConfig, RetrievalError, SearchScratch};

/// A walk takes as long as a scan of this many rows per node of its beam, at 64 dimensions: 22 to 27
/// were measured on 2,000 to 41,000 rows, about 65 on 100,000 while other work held the caches.
const SCAN_ROWS_PER_EF: usize = 24;
/// A scan passes over this many rows that are not allowed in the time of scoring one that is.
const FILTERED_ROWS_PER_SCORED: usize = 10;
/// Rows asked about to estimate how much a filter leaves.
const FILTER_SAMPLE: usize = 128;
/// A walk that has scored one row in this many has cost as much as scanning all of them: it gives up,
/// so that a filter that leaves only what is far from the query costs at most twice a scan.
const WALK_SHARE_OF_ROWS: usize = 4;

/// A graph over the embeddings of one model that finds the items with the greatest inner product
/// with a query (hierarchical navigable small world, HNSW).
///
/// Never changes once it is built; share it between threads in an `Arc`, with one
/// [`SearchScratch`] each.
#[derive(Debug, PartialEq)]
pub struct HnswIndex {
    pub(crate) table: Arc<EmbeddingTable>,
    pub(crate) config: HnswConfig,
    pub(crate) distinct: DistinctRows,
    pub(crate) graph: Graph,
}

impl HnswIndex {
    /// Builds the index of `table`, which may be empty, of equal rows, or of zeros. The same table
    /// and config give the same index, byte by byte. `progress` hears how many rows are done, after
    /// each insertion.
    ///
    /// **Shapes**: n rows of d dimensions, of any lengths; no normalisation is needed.
    ///
    /// **Cost**: one thread; at 64 dimensions and the default config 0.4 ms per distinct vector on
    /// 41,000 factors and 2 ms on 100,000 in tight clusters, growing with log n. Memory beside the
    /// table: 8 m + 12 bytes per row that stays (140 at `m` = 16), about 3 KB per row while building.
    ///
    /// **Errors**: more rows than numbers for them.
    ///
    /// **Source**: Malkov and Yashunin, TPAMI 2020, over the augmented vectors of Bachrach et al.,
    /// RecSys 2014. We differ: one node per distinct vector, none for zero vectors, and nodes that
    /// layer 0 does not reach are linked afterwards.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use shortlist_retrieval::{HnswConfig, HnswIndex, SearchScratch};
    /// use shortlist_types::{EmbeddingTable, ItemIdx, Unlimited};
    ///
    /// let items = vec![ItemIdx(3), ItemIdx(8)];
    /// let table = Arc::new(EmbeddingTable::parse(2, items, vec![1.0, 0.0, 0.0, 2.0]).unwrap());
    /// let index = HnswIndex::build(table, &HnswConfig::default(), &mut |_rows| {}).unwrap();
    /// let mut scratch = SearchScratch::new();
    /// let found = index.search(&[1.0, 1.0], 1, 100, &|_| true, &Unlimited, &mut scratch).unwrap();
    /// assert_eq!(found.neighbors[0].item, ItemIdx(8));
    /// ```
    pub fn build(
        table: Arc<EmbeddingTable>,
        config: &HnswConfig,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self, RetrievalError> {
        check_rows(&table)?;
        let distinct = DistinctRows::of(&table);
        let augmentation = Augmentation::of(&table, distinct.first_rows());
        let rows_without_node = table.len() - distinct.nodes();
        let mut inserted = |nodes: usize| progress(rows_without_node + nodes);
        let mut graph = build_graph(&table, &distinct, config, &augmentation, &mut inserted);
        repair_reachability(&mut graph, &table, &distinct, &augmentation);
        Ok(Self { table, config: *config, distinct, graph })
    }

    /// Finds the `k` allowed items with the greatest inner product with `query`, best first, equal
    /// scores by item: approximately by the graph with a beam of max(`ef_search`, `k`) nodes, or
    /// exactly where a scan is as fast: on a small table, for a wide beam, or when the filter leaves
    /// so little that a walk would see most of the graph. Either way min(k, allowed items) are
    /// returned unless `budget` ends the search, which the answer says.
    ///
    /// `allowed` is asked during the walk: items that are not allowed are walked through, not kept.
    ///
    /// **Shapes**: `query` has the table's dimensions, in any scale; zero finds the lowest items.
    ///
    /// **Cost**: about 6 `ef_search` inner products on rows in random places; a strict filter at
    /// most two scans of the table. Allocates the answer, and no more once `scratch` has grown.
    ///
    /// **Errors**: a query of other dimensions, or one that is not finite.
    ///
    /// **Source**: see [`Self::build`].
    pub fn search(
        &self,
        query: &[f32],
        k: usize,
        ef_search: usize,
        allowed: &dyn Fn(ItemIdx) -> bool,
        budget: &dyn Budget,
        scratch: &mut SearchScratch,
    ) -> Result<Found, RetrievalError> {
        let query = Query::parse(query, &self.table)?;
        let mut pacer = Pacer::new(budget);
        let ef = ef_search.max(k);
        scratch.top.reset(k);
        // Every walk is lost when all scores are equal.
        let complete = if query.is_zero() || self.scan_is_cheaper(ef, allowed) {
            scan(&self.table, query, allowed, &mut pacer, &mut scratch.top) == self.table.len()
        } else {
            let scored_max = self.table.len() / WALK_SHARE_OF_ROWS;
            GraphSearch { index: self, query, ef, scored_max, allowed }.run(&mut pacer, scratch)
        };
        Ok(Found { neighbors: scratch.top.neighbors(&self.table), complete })
    }

    /// Whether scanning all rows is expected to be cheaper than walking the graph until `ef` allowed
    /// nodes are found, by the share of rows that is allowed in a sample.
    fn scan_is_cheaper(&self, ef: usize, allowed: &dyn Fn(ItemIdx) -> bool) -> bool {
        let rows = self.table.len();
        let sampled = (0..FILTER_SAMPLE).filter_map(|i| self.table.items().get(i * rows / FILTER_SAMPLE));
        let hits = sampled.filter(|item| allowed(**item)).count();
        // In units of one row scored by a scan.
        let scan = rows / FILTERED_ROWS_PER_SCORED + rows * hits / FILTER_SAMPLE;
        let walk = ef.saturating_mul(SCAN_ROWS_PER_EF * FILTER_SAMPLE) / hits.max(1);
        scan <= walk
    }

    /// The embeddings that the index searches.
    pub fn table(&self) -> &Arc<EmbeddingTable> {
        &self.table
    }

    /// How it was built.
    pub fn config(&self) -> &HnswConfig {
        &self.config
    }

    /// Bytes that the index holds beside the table.
    pub fn memory_bytes(&self) -> usize {
        self.graph.memory_bytes() + self.distinct.memory_bytes()
    }
}

/// Refuses a table whose rows cannot be numbered with `u32` and one value to spare.
pub(crate) fn check_rows(table: &EmbeddingTable) -> Result<(), RetrievalError> {
    if table.len() > ENTITIES_MAX {
        return Err(RetrievalError::TooManyRows { max: ENTITIES_MAX, got: table.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use shortlist_types::{Score, Unlimited};

    use super::*;

    /// Thirty distinct rows, ten copies of the first and ten zero rows.
    fn index(progress: &mut dyn FnMut(usize)) -> HnswIndex {
        let rows = (0..50_u8).map(|i| match i {
            0..30 => [f32::from(i) - 14.5, f32::from(i * 7 % 30)],
            30..40 => [-14.5, 0.0],
            _ => [0.0, 0.0],
        });
        let values = rows.flatten().collect();
        let table = EmbeddingTable::parse(2, (0..50).map(ItemIdx).collect(), values).unwrap();
        HnswIndex::build(Arc::new(table), &HnswConfig::default(), progress).unwrap()
    }

    #[test]
    fn progress_counts_rows_and_ends_at_the_last() {
        let mut heard = Vec::new();
        index(&mut |rows| heard.push(rows));
        assert_eq!(heard, (21..=50).collect::<Vec<_>>());
    }

    #[test]
    fn a_zero_query_finds_the_lowest_allowed_items() {
        let allowed = |item: ItemIdx| item.0 >= 7;
        let scratch = &mut SearchScratch::new();
        let found = index(&mut |_| {}).search(&[0.0, 0.0], 2, 10, &allowed, &Unlimited, scratch).unwrap();
        assert_eq!(found.neighbors.iter().map(|neighbor| neighbor.item.0).collect::<Vec<_>>(), [7, 8]);
        assert!(found.neighbors.iter().all(|neighbor| neighbor.score == Score::ZERO));
    }

    #[test]
    fn a_scan_is_chosen_for_small_tables_wide_beams_and_strict_filters() {
        let items: Vec<ItemIdx> = (0..10_000).map(ItemIdx).collect();
        let values = items.iter().map(|item| item.0 as f32 + 1.0).collect();
        let table = Arc::new(EmbeddingTable::parse(1, items, values).unwrap());
        let index = HnswIndex { table, ..index(&mut |_| {}) };
        assert!(!index.scan_is_cheaper(100, &|_| true));
        assert!(!index.scan_is_cheaper(100, &|item| item.0 % 2 == 0));
        assert!(index.scan_is_cheaper(500, &|_| true) && index.scan_is_cheaper(usize::MAX, &|_| true));
        assert!(index.scan_is_cheaper(100, &|item| item.0 < 500) && index.scan_is_cheaper(1, &|_| false));
    }

    #[test]
    fn a_query_that_does_not_fit_is_refused() {
        let index = index(&mut |_| {});
        let scratch = &mut SearchScratch::new();
        for query in [&[1.0][..], &[1.0, 2.0, 3.0], &[1.0, f32::NAN], &[f32::INFINITY, 0.0]] {
            assert!(index.search(query, 1, 10, &|_| true, &Unlimited, scratch).is_err(), "{query:?}");
        }
    }
}
