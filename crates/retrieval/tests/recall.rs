//! The graph against exact search on data of the kinds that models make.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the lints spare test functions, not the functions that they share"
)]

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortlist_retrieval::{HnswConfig, HnswIndex, SearchScratch, exact};
use shortlist_types::{EmbeddingTable, ItemIdx, Unlimited};

const DIMENSIONS: usize = 16;
const CLUSTERS: usize = 60;
const K: usize = 100;
/// The widest beam at which these tables are searched by the graph.
const EF: usize = 160;

struct Clusters {
    centers: Vec<f32>,
    random: ChaCha8Rng,
}

impl Clusters {
    fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let centers = (0..CLUSTERS * DIMENSIONS).map(|_| random.random_range(-1.0..1.0)).collect();
        Self { centers, random }
    }

    fn vector(&mut self) -> Vec<f32> {
        let cluster = self.random.random_range(0..CLUSTERS);
        let center = &self.centers[cluster * DIMENSIONS..(cluster + 1) * DIMENSIONS];
        center.iter().map(|x| x + self.random.random_range(-0.5..0.5)).collect()
    }
}

fn build(rows: &[Vec<f32>]) -> HnswIndex {
    // Gaps between items, so that rows and items differ.
    let items = (0..rows.len() as u32).map(|i| ItemIdx(3 * i + 1)).collect();
    let table = EmbeddingTable::parse(DIMENSIONS, items, rows.concat()).unwrap();
    HnswIndex::build(Arc::new(table), &HnswConfig::new(16, 60).unwrap(), &mut |_| {}).unwrap()
}

/// Mean share of the exact answer that the graph finds.
fn recall(index: &HnswIndex, queries: &[Vec<f32>], allowed: impl Fn(ItemIdx) -> bool) -> f64 {
    let mut scratch = SearchScratch::new();
    let mut hits = 0;
    let mut wanted = 0;
    for query in queries {
        let truth = exact(index.table(), query, K, &allowed, &Unlimited).unwrap().neighbors;
        let found = index.search(query, K, EF, &allowed, &Unlimited, &mut scratch).unwrap();
        assert!(found.complete);
        assert_eq!(found.neighbors.len(), truth.len());
        assert!(found.neighbors.iter().all(|neighbor| allowed(neighbor.item)));
        wanted += truth.len();
        hits += found.neighbors.iter().filter(|neighbor| truth.contains(neighbor)).count();
    }
    hits as f64 / f64::from(wanted as u32)
}

fn check_recall(rows: &[Vec<f32>], queries: &[Vec<f32>], least: f64) {
    let recall = recall(&build(rows), queries, |_| true);
    assert!((least..1.0).contains(&recall), "recall {recall}; exactly 1 would mean that no graph was searched");
}

#[test]
fn clusters_with_and_without_a_filter() {
    let mut clusters = Clusters::new(1);
    let rows: Vec<_> = (0..5_000).map(|_| clusters.vector()).collect();
    let queries: Vec<_> = (0..50).map(|_| clusters.vector()).collect();
    let index = build(&rows);
    let all = recall(&index, &queries, |_| true);
    assert!((0.95..1.0).contains(&all), "recall {all}");
    // Strict, so that a scan takes over, and so that a walk gives up where all that is near is hidden.
    assert!(recall(&index, &queries, |item| item.0 % 2 == 0) > 0.95);
    assert!(recall(&index, &queries, |item| item.0 % 50 == 0) > 0.95);
    assert!(recall(&index, &queries, |item| item.0 < 40) > 0.95);
    assert!(recall(&index, &queries, |_| false).is_nan());
}

#[test]
fn lengths_that_differ_by_orders_of_magnitude() {
    let mut clusters = Clusters::new(2);
    let mut rows: Vec<_> = (0..5_000).map(|_| clusters.vector()).collect();
    for row in &mut rows {
        let length = 10.0_f32.powf(clusters.random.random_range(-1.0..1.0));
        row.iter_mut().for_each(|x| *x *= length);
    }
    let queries: Vec<_> = (0..50).map(|_| clusters.vector()).collect();
    check_recall(&rows, &queries, 0.9);
}

#[test]
fn one_giant_row_does_not_hide_the_others() {
    let mut clusters = Clusters::new(3);
    let mut rows: Vec<_> = (0..5_000).map(|_| clusters.vector()).collect();
    rows[2_500] = vec![1e30; DIMENSIONS];
    let queries: Vec<_> = (0..50).map(|_| clusters.vector()).collect();
    check_recall(&rows, &queries, 0.95);
}

#[test]
fn many_equal_and_zero_rows_do_not_hide_the_others() {
    let mut clusters = Clusters::new(4);
    let cold = clusters.vector();
    let rows: Vec<_> = (0..6_000)
        .map(|i| match i % 10 {
            0 => cold.clone(),
            1 => vec![0.0; DIMENSIONS],
            _ => clusters.vector(),
        })
        .collect();
    let queries: Vec<_> = (0..50).map(|_| clusters.vector()).collect();
    check_recall(&rows, &queries, 0.95);
}

#[test]
fn rows_in_order_of_cluster_stay_reachable() {
    let mut clusters = Clusters::new(5);
    let mut rows: Vec<_> = (0..5_000).map(|_| clusters.vector()).collect();
    rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let queries: Vec<_> = (0..50).map(|_| clusters.vector()).collect();
    check_recall(&rows, &queries, 0.95);
}
