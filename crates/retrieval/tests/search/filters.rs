use rand::Rng;
use roaring::RoaringBitmap;
use shortlist_retrieval::{Allowed, Metric, SearchParams, exact};
use shortlist_types::{EmbeddingTable, ItemIdx, Unlimited};

use crate::data::{Clusters, DIMENSIONS, build, recall, table};

const ROWS: usize = 30_000;
/// From all to one in a hundred thousand.
const SHARES: [f64; 8] = [1.0, 0.5, 0.2, 0.05, 0.01, 0.002, 0.000_2, 0.000_01];

/// The items whose score for `query` is among the best, or the worst, `share`.
fn by_score(table: &EmbeddingTable, query: &[f32], share: f64, best: bool) -> RoaringBitmap {
    let query: Vec<f32> = query.iter().map(|x| if best { *x } else { -x }).collect();
    let count = ((table.len() as f64 * share) as usize).max(1);
    let found = exact(table, Metric::Ip, &query, count, Allowed::All, &Unlimited).unwrap();
    found.neighbors.iter().map(|neighbor| neighbor.item.0).collect()
}

#[test]
fn every_selectivity_keeps_its_recall_for_any_filter() {
    let mut clusters = Clusters::new(31);
    let table = table(DIMENSIONS, &clusters.rows(ROWS));
    let index = build(&table, Metric::Ip);
    for share in SHARES {
        let queries = clusters.rows(8);
        let at_random: RoaringBitmap =
            table.items().iter().map(|item| item.0).filter(|_| clusters.random.random_bool(share)).collect();
        for query in queries {
            let correlated = by_score(&table, &query, share, true);
            let opposed = by_score(&table, &query, share, false);
            for (name, set) in [("random", &at_random), ("correlated", &correlated), ("opposed", &opposed)] {
                if set.is_empty() {
                    continue;
                }
                let predicate = |item: ItemIdx| set.contains(item.0);
                for allowed in [Allowed::Set(set), Allowed::Predicate(&predicate)] {
                    // A hundred, of which 95 have to be found: one in twenty of fewer is no whole number.
                    let queries = std::slice::from_ref(&query);
                    let found = recall(&index, &table, queries, SearchParams::new(100, 3_200), allowed);
                    assert!(found >= 0.95, "{name} filter of {share}: recall {found}");
                }
            }
        }
    }
}

#[test]
fn an_empty_set_and_unknown_items_give_nothing() {
    let mut clusters = Clusters::new(32);
    let table = table(DIMENSIONS, &clusters.rows(5_000));
    let index = build(&table, Metric::Ip);
    let query = clusters.vector();
    let unknown: RoaringBitmap = [0, 2, 3, 4_000_000_000].into_iter().collect();
    for allowed in [Allowed::Set(&RoaringBitmap::new()), Allowed::Set(&unknown), Allowed::Predicate(&|_| false)] {
        let found = crate::data::search(&index, &query, SearchParams::new(5, 400), allowed);
        assert!(found.complete && found.neighbors.is_empty());
    }
}

#[test]
fn an_item_that_is_not_allowed_never_enters_for_a_shared_vector() {
    let mut clusters = Clusters::new(33);
    let mut rows = clusters.rows(5_000);
    let shared = clusters.vector();
    rows.extend(std::iter::repeat_n(shared.clone(), 2_000));
    let table = table(DIMENSIONS, &rows);
    let index = build(&table, Metric::L2);
    let last = table.items().last().unwrap().0;
    let only: RoaringBitmap = [last].into_iter().collect();
    let odd = |item: ItemIdx| item.0 % 2 == 1;
    for (allowed, first) in [(Allowed::Set(&only), last), (Allowed::Predicate(&odd), 15_001), (Allowed::All, 15_001)] {
        let found = crate::data::search(&index, &shared, SearchParams::new(1, 400), allowed);
        assert_eq!(found.neighbors[0].item.0, first);
    }
}
