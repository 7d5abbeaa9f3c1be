use shortlist_types::{Budget, EmbeddingTable, Unlimited};

use crate::pacer::Pacer;
use crate::query::Query;
use crate::ranked::pack;
use crate::simd::Simd;
use crate::top_k::TopK;
use crate::vector_length::normalised;
use crate::{Allowed, Found, Metric, RetrievalError};

/// Queries that go over the rows together: each row is read once for all of them.
const BATCH: usize = 32;

/// Scores every allowed row of `table` and returns the `k` best: the reference for every index, and
/// the fastest way through a small set.
///
/// **Shapes**: `query` has the table's dimensions, in any scale. The answer has min(k, allowed
/// items) neighbours, or fewer when `budget` ends it. Equal scores come in the order of their items.
///
/// **Cost**: a row of 64 dimensions takes about 10 ns when it is allowed, and as much again for cosine;
/// memory grows with min(k, rows), not with the table.
///
/// # Errors
/// A query of other dimensions, or one that is not finite.
///
/// ```
/// use shortlist_retrieval::{Allowed, Metric, exact};
/// use shortlist_types::{EmbeddingTable, ItemIdx, Unlimited};
/// let table = EmbeddingTable::parse(2, vec![ItemIdx(3), ItemIdx(8)], vec![1.0, 0.0, 0.0, 2.0]).unwrap();
/// let found = exact(&table, Metric::Ip, &[1.0, 1.0], 1, Allowed::All, &Unlimited).unwrap();
/// assert_eq!(found.neighbors[0].item, ItemIdx(8));
/// assert!(exact(&table, Metric::Ip, &[f32::NAN, 1.0], 1, Allowed::All, &Unlimited).is_err());
/// ```
pub fn exact(
    table: &EmbeddingTable,
    metric: Metric,
    query: &[f32],
    k: usize,
    allowed: Allowed<'_>,
    budget: &dyn Budget,
) -> Result<Found, RetrievalError> {
    let queries = [Query::parse(query, table.dimensions(), metric, Simd::best())?];
    let mut tops = [TopK::default()];
    let complete = scan(table, metric, &queries, k, allowed, &mut Pacer::new(budget), &mut tops);
    let [mut top] = tops;
    Ok(Found { neighbors: top.neighbors(), complete })
}

/// The exact answers of many queries, in their order, over all rows.
///
/// **Shapes**: `queries` is m x dimensions, row-major.
///
/// **Cost**: as [`exact`] for each, but the table is read from memory once for 32 of them.
///
/// # Errors
/// As [`exact`]; nothing is searched then.
pub fn exact_batch(
    table: &EmbeddingTable,
    metric: Metric,
    queries: &[f32],
    k: usize,
) -> Result<Vec<Found>, RetrievalError> {
    let parse = |query| Query::parse(query, table.dimensions(), metric, Simd::best());
    let parsed: Result<Vec<Query<'_>>, _> = queries.chunks(table.dimensions()).map(parse).collect();
    let mut found = Vec::new();
    for batch in parsed?.chunks(BATCH) {
        let mut tops: Vec<TopK> = batch.iter().map(|_| TopK::default()).collect();
        scan(table, metric, batch, k, Allowed::All, &mut Pacer::new(&Unlimited), &mut tops);
        found.extend(tops.iter_mut().map(|top| Found { neighbors: top.neighbors(), complete: true }));
    }
    Ok(found)
}

/// Offers every allowed row to each query's `top`; returns whether all were.
fn scan(
    table: &EmbeddingTable,
    metric: Metric,
    queries: &[Query<'_>],
    k: usize,
    allowed: Allowed<'_>,
    pacer: &mut Pacer<'_>,
    tops: &mut [TopK],
) -> bool {
    // Never more than there are rows, whatever was asked for.
    tops.iter_mut().for_each(|top| top.reset(k.min(table.len())));
    for (row, item) in table.items().iter().enumerate() {
        let keep = allowed.contains(item.0);
        if pacer.spend(if keep { table.dimensions() * queries.len() } else { 1 }).is_err() {
            return false;
        }
        if !keep {
            continue;
        }
        let normal = (metric == Metric::Cosine).then(|| normalised(table.row(row)));
        let vector = normal.as_deref().unwrap_or(table.row(row));
        for (query, top) in queries.iter().zip(tops.iter_mut()) {
            top.offer(pack(query.score(vector), item.0));
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use shortlist_types::{ItemIdx, Score};

    use super::*;

    fn table(rows: &[[f32; 2]]) -> EmbeddingTable {
        let items = (0..).zip(rows).map(|(i, _)| ItemIdx(10 * i)).collect();
        EmbeddingTable::parse(2, items, rows.concat()).unwrap()
    }

    fn search(table: &EmbeddingTable, metric: Metric, query: &[f32], k: usize) -> Found {
        exact(table, metric, query, k, Allowed::All, &Unlimited).unwrap()
    }

    fn items(found: &Found) -> Vec<u32> {
        found.neighbors.iter().map(|neighbor| neighbor.item.0).collect()
    }

    #[test]
    fn best_first_and_equal_scores_by_item() {
        let table = table(&[[1.0, 0.0], [3.0, 9.0], [1.0, 5.0], [-1.0, 0.0]]);
        let found = search(&table, Metric::Ip, &[1.0, 0.0], 9);
        assert_eq!(items(&found), [10, 0, 20, 30]);
        assert_eq!(found.neighbors[0].score, Score::parse(3.0).unwrap());
        assert!(found.complete);
        assert_eq!(items(&search(&table, Metric::Cosine, &[1.0, 0.0], 9)), [0, 10, 20, 30]);
        assert_eq!(items(&search(&table, Metric::L2, &[1.0, 0.0], 9)), [0, 30, 20, 10]);
    }

    #[test]
    fn a_zero_query_gives_the_lowest_allowed_items() {
        let table = table(&[[1.0, 0.0], [3.0, 9.0], [-1.0, 5.0], [-1.0, 0.0]]);
        let allowed = Allowed::Predicate(&|item: ItemIdx| item.0 > 0);
        let found = exact(&table, Metric::Ip, &[0.0, -0.0], 2, allowed, &Unlimited).unwrap();
        assert_eq!(items(&found), [10, 20]);
        assert!(found.neighbors.iter().all(|neighbor| neighbor.score == Score::ZERO));
    }

    #[test]
    fn no_rows_and_no_k_give_nothing() {
        let empty = EmbeddingTable::parse(2, Vec::new(), Vec::new()).unwrap();
        let nothing = Found { neighbors: Vec::new(), complete: true };
        assert_eq!(search(&empty, Metric::Ip, &[1.0, 0.0], 5), nothing);
        assert_eq!(search(&table(&[[1.0, 0.0]]), Metric::Ip, &[1.0, 0.0], 0), nothing);
        assert_eq!(search(&table(&[[1.0, 0.0]]), Metric::Ip, &[1.0, 0.0], usize::MAX).neighbors.len(), 1);
    }

    #[test]
    fn a_batch_gives_what_each_query_gets() {
        let rows: Vec<[f32; 2]> = (0..70_u8).map(|i| [f32::from(i % 11) - 5.0, f32::from(i % 7)]).collect();
        let table = table(&rows);
        for metric in Metric::ALL {
            let batch = exact_batch(&table, metric, rows.as_flattened(), 5).unwrap();
            let single: Vec<Found> = rows.iter().map(|row| search(&table, metric, row, 5)).collect();
            assert_eq!(batch, single);
        }
        assert!(exact_batch(&table, Metric::Ip, &[1.0, 2.0, 3.0], 5).is_err());
    }

    struct Over;
    impl Budget for Over {
        fn exhausted(&self) -> bool {
            true
        }
    }

    #[test]
    fn a_budget_that_is_over_says_so() {
        let found = exact(&table(&[[1.0, 0.0]]), Metric::Ip, &[1.0, 0.0], 1, Allowed::All, &Over).unwrap();
        assert_eq!(found, Found { neighbors: Vec::new(), complete: false });
    }
}
