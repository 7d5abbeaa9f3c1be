use proptest::prelude::*;
use shortlist_retrieval::{Allowed, FrozenIndex, IndexConfig, Metric, SearchParams, SearchScratch, Simd, exact};
use shortlist_types::{EmbeddingTable, ItemIdx, Unlimited};

use crate::data::{Clusters, DIMENSIONS, build, search, table};

/// Small numbers, so that equal rows, zero rows and equal scores are frequent.
fn rows() -> impl Strategy<Value = (usize, Vec<Vec<f32>>)> {
    (1..9_usize).prop_flat_map(|dimensions| {
        let number = prop_oneof![3 => (-2_i8..3).prop_map(f32::from), 1 => -1.0_f32..1.0];
        let row = prop::collection::vec(number, dimensions);
        (Just(dimensions), prop::collection::vec(row, 0..80))
    })
}

proptest! {
    #[test]
    fn small_tables_are_answered_exactly_by_every_metric_and_instruction_set(
        (dimensions, rows) in rows(),
        k in prop_oneof![0..100_usize, Just(usize::MAX)],
        forbidden in 1..5_u32,
    ) {
        let table = table(dimensions, &rows);
        let allowed = |item: ItemIdx| !item.0.is_multiple_of(forbidden + 1);
        for metric in Metric::ALL {
            for query in rows.iter().take(5).chain([&vec![0.0; dimensions], &vec![1.5; dimensions]]) {
                for simd in Simd::available() {
                    let index = build(&table, metric).with_simd(simd);
                    for allowed in [Allowed::All, Allowed::Predicate(&allowed)] {
                        let truth = exact(&table, metric, query, k, allowed, &Unlimited).unwrap();
                        let found = search(&index, query, SearchParams::new(k, 1_600), allowed);
                        if metric == Metric::Cosine {
                            // Normalised before or after: the last bit may differ, and with it the order of ties.
                            let scores = |found: &shortlist_retrieval::Found| -> Vec<f32> {
                                found.neighbors.iter().map(|neighbor| neighbor.score.get()).collect()
                            };
                            let (found, truth) = (scores(&found), scores(&truth));
                            prop_assert_eq!(found.len(), truth.len());
                            prop_assert!(found.iter().zip(&truth).all(|(a, b)| (a - b).abs() < 1e-6));
                        } else {
                            prop_assert_eq!(&found, &truth);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn walks_give_the_same_answers_with_every_instruction_set() {
    let mut clusters = Clusters::new(11);
    let table = table(DIMENSIONS, &clusters.rows(20_000));
    for metric in Metric::ALL {
        let scalar = build(&table, metric).with_simd(Simd::SCALAR);
        for simd in Simd::available() {
            let fast = build(&table, metric).with_simd(simd);
            for query in clusters.rows(20) {
                let params = SearchParams::new(100, 400);
                assert_eq!(search(&fast, &query, params, Allowed::All), search(&scalar, &query, params, Allowed::All));
            }
        }
    }
}

#[test]
fn the_same_table_gives_the_same_bytes_on_any_number_of_threads() {
    let mut clusters = Clusters::new(12);
    let mut rows = clusters.rows(3_000);
    rows.extend_from_within(..50);
    let table = table(DIMENSIONS, &rows);
    for metric in Metric::ALL {
        let bytes = |threads| {
            let config = IndexConfig::default().with_metric(metric);
            let mut bytes = Vec::new();
            FrozenIndex::build(&table, &config, threads, &mut |_| {}).unwrap().write_to(&mut bytes).unwrap();
            bytes
        };
        let one = bytes(1);
        assert!([2, 3, 7].into_iter().all(|threads| bytes(threads) == one), "{metric:?}");
    }
}

#[test]
fn every_dimension_has_its_codes() {
    for dimensions in [1, 2, 7, 8, 9, 63, 64, 65, 127, 1_000, 4_096] {
        let rows: Vec<Vec<f32>> = (0..40_u16)
            .map(|i| (0..dimensions as u16).map(|d| f32::from(i * 31 % 17) - f32::from(d % 5)).collect())
            .collect();
        let table = table(dimensions, &rows);
        for metric in Metric::ALL {
            let index = build(&table, metric);
            let found = search(&index, &rows[7], SearchParams::new(40, 1_600), Allowed::All);
            assert_eq!(found.neighbors.len(), 40, "{dimensions} {metric:?}");
        }
    }
}

#[test]
fn vectors_come_back_by_item() {
    let table = table(2, &[vec![3.0, 4.0], vec![0.0, 0.0], vec![3.0, 4.0]]);
    let index = build(&table, Metric::Ip);
    assert_eq!(index.vector(ItemIdx(7)), Some(&[3.0, 4.0][..]));
    assert_eq!(index.vector(ItemIdx(2)), None);
    let cosine = build(&table, Metric::Cosine);
    assert_eq!(cosine.vector(ItemIdx(1)), Some(&[0.6, 0.8][..]));
    assert_eq!(cosine.vector(ItemIdx(4)), Some(&[0.0, 0.0][..]));
    assert_eq!(index.items().collect::<Vec<_>>(), table.items());
    assert_eq!(index.model(), shortlist_retrieval::fingerprint(&table));
}

#[test]
fn progress_rises_and_ends_at_the_last_row() {
    let mut clusters = Clusters::new(13);
    let table = table(DIMENSIONS, &clusters.rows(3_000));
    let mut heard = Vec::new();
    FrozenIndex::build(&table, &IndexConfig::default(), 2, &mut |rows| heard.push(rows)).unwrap();
    assert!(heard.is_sorted() && heard.len() > 10 && heard.last() == Some(&3_000), "{heard:?}");
}

#[test]
fn a_query_that_does_not_fit_is_refused_and_the_next_is_answered() {
    let empty = EmbeddingTable::parse(2, Vec::new(), Vec::new()).unwrap();
    let full = table(2, &[vec![1.0, 2.0], vec![-1.0, 0.5]]);
    for metric in Metric::ALL {
        for table in [&empty, &full] {
            let index = build(table, metric);
            let mut scratch = SearchScratch::new();
            let mut search =
                |query: &[f32]| index.search(query, SearchParams::new(1, 10), Allowed::All, &Unlimited, &mut scratch);
            for query in [&[1.0][..], &[], &[1.0, 2.0, 3.0], &[1.0, f32::NAN], &[f32::INFINITY, 0.0]] {
                assert!(search(query).is_err(), "{metric:?} {query:?}");
            }
            for query in [[1.0, 2.0], [-0.0, 0.0], [1e-45, 0.0], [f32::MAX, f32::MIN], [1e30, -1e30]] {
                assert_eq!(search(&query).unwrap().neighbors.len(), table.len().min(1), "{metric:?} {query:?}");
            }
        }
    }
}
