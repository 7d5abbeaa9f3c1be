//! Queries and tables at the ends of what is finite, against an index that was written and read.

use shortlist_retrieval::{
    Allowed, FrozenIndex, IndexConfig, Metric, RetrievalError, SearchParams, SearchScratch, exact,
};
use shortlist_types::{EmbeddingTable, ItemIdx, Unlimited};

use crate::sample::{DIMENSIONS, assert_sound, build, bytes_of, file, queries, search, table, table_of, walked_file};

fn reread(table: &EmbeddingTable, metric: Metric) -> FrozenIndex {
    FrozenIndex::from_bytes(&bytes_of(&build(table, metric))).unwrap()
}

/// Rows of every size next to each other.
fn extreme_table() -> EmbeddingTable {
    let numbers = [0.0, -0.0, 1e-45, -1e-45, f32::MIN_POSITIVE, 1.0, -1.0, 1e30, -1e30, f32::MAX, f32::MIN];
    let rows = (0..120_usize).flat_map(|row| (0..DIMENSIONS).map(move |d| numbers[(row * 7 + d * (row + 3)) % 11]));
    table_of(rows.collect())
}

/// Asks for every number of items, in every way.
fn assert_answered_in_full(index: &FrozenIndex, query: &[f32]) {
    for k in [0, 1, 10, 60, index.len(), index.len() + 1, usize::MAX] {
        for params in [SearchParams::new(k, 1), SearchParams::new(k, 1_600), SearchParams::exact(k)] {
            let found = search(index, query, params, Allowed::All);
            assert_sound(&found, index, k, Allowed::All);
            let (got, wanted) = (found.neighbors.len(), k.min(index.len()));
            assert!(found.complete && got == wanted, "{got} of {wanted} for {query:?}, {:?}", index.metric());
        }
    }
}

#[test]
fn every_finite_query_is_answered_in_full() {
    for metric in Metric::ALL {
        for index in [file(metric), walked_file(metric)].map(|bytes| FrozenIndex::from_bytes(&bytes).unwrap()) {
            queries().iter().for_each(|query| assert_answered_in_full(&index, query));
        }
    }
}

/// Squares of such distances overflow. Nothing is crafted here: distinct rows, default settings.
#[test]
fn far_euclidean_queries_of_an_ordinary_index_are_answered_in_full() {
    let values = (0..2_300 * 64_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 16) as f32 / 65_536.0).collect();
    let table = EmbeddingTable::parse(64, (0..2_300).map(ItemIdx).collect(), values).unwrap();
    let config = IndexConfig::default().with_metric(Metric::L2);
    let index = FrozenIndex::build(&table, &config, 2, &mut |_| {}).unwrap();
    for x in [1.0, 1e15, 1e18, 1e20, 1e30, f32::MAX] {
        for k in [1, 100, 500, 600, 700] {
            let found = search(&index, &[x; 64], SearchParams::new(k, 1_600), Allowed::All);
            assert!(found.complete && found.neighbors.len() == k, "{} of {k} for {x:e}", found.neighbors.len());
        }
    }
}

#[test]
fn an_exact_answer_is_that_of_the_table() {
    for metric in [Metric::Ip, Metric::L2] {
        for table in [table(), extreme_table()] {
            let index = reread(&table, metric);
            for query in queries() {
                for k in [1, 10, usize::MAX] {
                    let truth = exact(&table, metric, &query, k, Allowed::All, &Unlimited).unwrap();
                    assert_eq!(search(&index, &query, SearchParams::exact(k), Allowed::All), truth);
                }
            }
        }
    }
}

#[test]
fn extreme_rows_are_answered_in_full() {
    let table = extreme_table();
    for metric in Metric::ALL {
        let index = reread(&table, metric);
        for query in queries() {
            for k in [1, 50, usize::MAX] {
                let found = search(&index, &query, SearchParams::new(k, 400), Allowed::All);
                assert_sound(&found, &index, k, Allowed::All);
                assert!(found.complete && found.neighbors.len() == k.min(table.len()), "{metric:?} {query:?}");
            }
        }
    }
}

#[test]
fn negative_zeros_are_zeros() {
    for metric in Metric::ALL {
        let index = reread(&table(), metric);
        let answer = |query: [f32; DIMENSIONS]| search(&index, &query, SearchParams::exact(20), Allowed::All);
        let items = |query| answer(query).neighbors.iter().map(|neighbor| neighbor.item).collect::<Vec<_>>();
        assert_eq!(items([0.0; DIMENSIONS]), items([-0.0; DIMENSIONS]), "{metric:?}");
    }
}

#[test]
fn queries_that_are_not_finite_or_do_not_fit_are_refused_and_the_next_is_answered() {
    let mut scratch = SearchScratch::new();
    for metric in Metric::ALL {
        for index in [file(metric), walked_file(metric)].map(|bytes| FrozenIndex::from_bytes(&bytes).unwrap()) {
            let mut ask =
                |query: &[f32]| index.search(query, SearchParams::new(5, 100), Allowed::All, &Unlimited, &mut scratch);
            for position in 0..DIMENSIONS {
                for value in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    let mut query = [1.0; DIMENSIONS];
                    query[position] = value;
                    assert_eq!(ask(&query), Err(RetrievalError::QueryNotFinite { position }));
                }
            }
            for got in [0, 1, DIMENSIONS - 1, DIMENSIONS + 1, 64] {
                let expected = DIMENSIONS;
                assert_eq!(ask(&vec![1.0; got]), Err(RetrievalError::QueryDimensions { expected, got }));
            }
            assert_eq!(ask(&[1.0; DIMENSIONS]).unwrap().neighbors.len(), 5);
        }
    }
}

#[test]
fn a_table_that_is_not_finite_never_becomes_an_index() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert!(EmbeddingTable::parse(2, vec![ItemIdx(1)], vec![0.0, value]).is_err());
    }
    assert!(EmbeddingTable::parse(1, vec![ItemIdx(2), ItemIdx(2)], vec![0.0, 1.0]).is_err());
    assert!(EmbeddingTable::parse(0, Vec::new(), Vec::new()).is_err());
}
