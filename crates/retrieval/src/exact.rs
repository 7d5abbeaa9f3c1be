use std::cmp::Reverse;

use shortlist_types::{Budget, EmbeddingTable, ItemIdx};

use crate::pacer::Pacer;
use crate::query::Query;
use crate::top_k::TopK;
use crate::{Found, RetrievalError};

/// Work of passing over a row that is not allowed, in vector components: the call and the item.
pub(crate) const FILTER_WORK: usize = 8;

/// Scores every allowed row of `table` and returns the `k` best: the reference for every index, and
/// the fastest way through a small set.
///
/// **Shapes**: `query` has the table's dimensions, in any scale. The answer has min(k, allowed
/// items) neighbours, or fewer when `budget` ends it. A zero query scores every item 0, so the
/// lowest items come first.
///
/// **Cost**: a row of 64 dimensions takes about 15 ns when it is allowed; memory grows with
/// min(k, rows), not with the table.
///
/// **Errors**: a query of other dimensions, or one that is not finite.
///
/// ```
/// use shortlist_retrieval::exact;
/// use shortlist_types::{EmbeddingTable, ItemIdx, Unlimited};
/// let table = EmbeddingTable::parse(2, vec![ItemIdx(3), ItemIdx(8)], vec![1.0, 0.0, 0.0, 2.0]).unwrap();
/// let found = exact(&table, &[1.0, 1.0], 1, &|_| true, &Unlimited).unwrap();
/// assert_eq!(found.neighbors[0].item, ItemIdx(8));
/// assert!(exact(&table, &[f32::NAN, 1.0], 1, &|_| true, &Unlimited).is_err());
/// ```
pub fn exact(
    table: &EmbeddingTable,
    query: &[f32],
    k: usize,
    allowed: &dyn Fn(ItemIdx) -> bool,
    budget: &dyn Budget,
) -> Result<Found, RetrievalError> {
    let query = Query::parse(query, table)?;
    let mut top = TopK::default();
    top.reset(k);
    let complete = scan(table, query, allowed, &mut Pacer::new(budget), &mut top) == table.len();
    Ok(Found { neighbors: top.neighbors(table), complete })
}

/// Offers every allowed row to `top`; returns how many rows are settled, which is all of them unless
/// the budget ended it.
pub(crate) fn scan(
    table: &EmbeddingTable,
    query: Query<'_>,
    allowed: &dyn Fn(ItemIdx) -> bool,
    pacer: &mut Pacer<'_>,
    top: &mut TopK,
) -> usize {
    let all_scores_equal = query.is_zero();
    for (row, item) in (0_u32..).zip(table.items()) {
        // Rows ascend, so that among equal scores no later row can enter a full answer.
        if all_scores_equal && top.is_full() {
            break;
        }
        let keep = allowed(*item);
        if pacer.spend(if keep { table.dimensions() } else { FILTER_WORK }).is_err() {
            return row as usize;
        }
        if keep {
            top.offer((query.score(table.row(row as usize)), Reverse(row)));
        }
    }
    table.len()
}

#[cfg(test)]
mod tests {
    use shortlist_types::{Score, Unlimited};

    use super::*;

    fn table(rows: &[[f32; 2]]) -> EmbeddingTable {
        let items = (0..).zip(rows).map(|(i, _)| ItemIdx(10 * i)).collect();
        EmbeddingTable::parse(2, items, rows.concat()).unwrap()
    }

    fn items(found: &Found) -> Vec<u32> {
        found.neighbors.iter().map(|neighbor| neighbor.item.0).collect()
    }

    #[test]
    fn best_first_and_equal_scores_by_item() {
        let table = table(&[[1.0, 0.0], [3.0, 9.0], [1.0, 5.0], [-1.0, 0.0]]);
        let found = exact(&table, &[1.0, 0.0], 9, &|_| true, &Unlimited).unwrap();
        assert_eq!(items(&found), [10, 0, 20, 30]);
        assert_eq!(found.neighbors[0].score, Score::parse(3.0).unwrap());
        assert!(found.complete);
    }

    #[test]
    fn a_zero_query_gives_the_lowest_allowed_items() {
        let table = table(&[[1.0, 0.0], [3.0, 9.0], [-1.0, 5.0], [-1.0, 0.0]]);
        let found = exact(&table, &[0.0, -0.0], 2, &|item| item.0 > 0, &Unlimited).unwrap();
        assert_eq!(items(&found), [10, 20]);
        assert!(found.neighbors.iter().all(|neighbor| neighbor.score == Score::ZERO));
    }

    #[test]
    fn no_rows_and_no_k_give_nothing() {
        let empty = EmbeddingTable::parse(2, Vec::new(), Vec::new()).unwrap();
        let nothing = Found { neighbors: Vec::new(), complete: true };
        assert_eq!(exact(&empty, &[1.0, 0.0], 5, &|_| true, &Unlimited).unwrap(), nothing);
        assert_eq!(exact(&table(&[[1.0, 0.0]]), &[1.0, 0.0], 0, &|_| true, &Unlimited).unwrap(), nothing);
    }

    struct Over;
    impl Budget for Over {
        fn exhausted(&self) -> bool {
            true
        }
    }

    #[test]
    fn a_budget_that_is_over_says_so() {
        let found = exact(&table(&[[1.0, 0.0]]), &[1.0, 0.0], 1, &|_| true, &Over).unwrap();
        assert_eq!(found, Found { neighbors: Vec::new(), complete: false });
    }
}
