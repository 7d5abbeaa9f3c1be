use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortlist_retrieval::{Allowed, Found, FrozenIndex, IndexConfig, Metric, SearchParams, SearchScratch, exact};
use shortlist_types::{EmbeddingTable, ItemIdx, Unlimited};

pub(crate) const DIMENSIONS: usize = 24;
const CLUSTERS: usize = 60;

/// Rows in clusters, by seed.
pub(crate) struct Clusters {
    centers: Vec<f32>,
    pub(crate) random: ChaCha8Rng,
}

impl Clusters {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let centers = (0..CLUSTERS * DIMENSIONS).map(|_| random.random_range(-1.0..1.0)).collect();
        Self { centers, random }
    }

    pub(crate) fn vector(&mut self) -> Vec<f32> {
        let cluster = self.random.random_range(0..CLUSTERS);
        let center = &self.centers[cluster * DIMENSIONS..(cluster + 1) * DIMENSIONS];
        center.iter().map(|x| x + self.random.random_range(-1.0..1.0)).collect()
    }

    pub(crate) fn rows(&mut self, n: usize) -> Vec<Vec<f32>> {
        (0..n).map(|_| self.vector()).collect()
    }
}

/// A table whose items have gaps between them, so that rows and items differ.
pub(crate) fn table(dimensions: usize, rows: &[Vec<f32>]) -> EmbeddingTable {
    let items = (0..rows.len() as u32).map(|i| ItemIdx(3 * i + 1)).collect();
    EmbeddingTable::parse(dimensions, items, rows.concat()).unwrap()
}

pub(crate) fn build(table: &EmbeddingTable, metric: Metric) -> FrozenIndex {
    FrozenIndex::build(table, &IndexConfig::default().with_metric(metric), 2, &mut |_| {}).unwrap()
}

pub(crate) fn search(index: &FrozenIndex, query: &[f32], params: SearchParams, allowed: Allowed<'_>) -> Found {
    index.search(query, params, allowed, &Unlimited, &mut SearchScratch::new()).unwrap()
}

/// Mean share of the exact answer that the index finds; every answer is complete, allowed and as long.
pub(crate) fn recall(
    index: &FrozenIndex,
    table: &EmbeddingTable,
    queries: &[Vec<f32>],
    params: SearchParams,
    allowed: Allowed<'_>,
) -> f64 {
    let (mut hits, mut wanted) = (0, 0);
    for query in queries {
        let truth = exact(table, index.metric(), query, params.k, allowed, &Unlimited).unwrap().neighbors;
        let found = search(index, query, params, allowed);
        assert!(found.complete);
        assert_eq!(found.neighbors.len(), truth.len());
        assert!(found.neighbors.is_sorted_by(|a, b| (b.score, a.item) < (a.score, b.item)));
        // What ties with the last of the exact answer is as good: a cosine can differ in its last bit.
        let worst = truth.last().map_or(f32::MAX, |last| last.score.get());
        let slack = 1e-5 * worst.abs();
        wanted += truth.len();
        hits += found.neighbors.iter().filter(|neighbor| neighbor.score.get() >= worst - slack).count();
    }
    hits as f64 / wanted as f64
}
