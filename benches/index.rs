//! The neighbour index alone, on vectors of clusters: searches by k and by filter beside the exact scan
//! of what is allowed, inserts, and searches while a freeze is under way.
//!
//! `SHORTLIST_BENCH_ITEMS` sets the number of vectors (100,000 by default, 2,000 in a smoke run). Recall is
//! printed before the times: a time without its recall says nothing.

#![allow(clippy::print_stderr, reason = "results of the setup")]
#![allow(clippy::unwrap_used, reason = "a benchmark whose subject fails has to stop")]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use hdrhistogram::Histogram;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use roaring::RoaringBitmap;
use shortlist_retrieval::{
    Allowed, Freeze, FrozenIndex, IndexConfig, LiveIndex, Metric, SearchParams, SearchScratch, exact_batch,
};
use shortlist_types::{EmbeddingTable, ItemIdx, Unlimited};

const DIMENSIONS: usize = 64;
/// Dimensions in which clusters and their members vary; the rest is noise.
const LATENT: usize = 24;
const ITEMS_DEFAULT: usize = 100_000;
const ITEMS_SMOKE: usize = 2_000;
const QUERIES: usize = 500;
const EF_SEARCH: usize = 3_200;
/// Shares of the items that filters allow.
const SHARES: [f64; 6] = [1.0, 0.1, 0.03, 0.01, 0.001, 0.000_1];
const INSERTS: usize = 50_000;

fn main() -> anyhow::Result<()> {
    let smoke = std::env::args().any(|arg| arg == "--test") || cfg!(debug_assertions);
    let asked = std::env::var("SHORTLIST_BENCH_ITEMS").ok().map(|text| text.parse()).transpose()?;
    let items = asked.unwrap_or(if smoke { ITEMS_SMOKE } else { ITEMS_DEFAULT });
    let mut clusters = Clusters::new(items / 500 + 10);
    let table = EmbeddingTable::parse(DIMENSIONS, (0..items as u32).map(ItemIdx).collect(), clusters.rows(items))?;
    let queries = clusters.rows(QUERIES);
    let threads = std::thread::available_parallelism()?.get();
    let started = Instant::now();
    let index = FrozenIndex::build(&table, &IndexConfig::default(), threads, &mut |_| {})?;
    eprintln!(
        "{items} vectors of {DIMENSIONS} dimensions built in {:.2} s on {threads} threads, {:.1} bytes per item beside the vectors",
        started.elapsed().as_secs_f64(),
        index.bytes_beside_vectors() as f64 / items as f64,
    );
    let mut criterion = Criterion::default().configure_from_args();
    by_k(&mut criterion, &index, &table, &queries)?;
    by_filter(&mut criterion, &index, &queries)?;
    live(index, &mut clusters, &queries, if smoke { 1_000 } else { INSERTS })?;
    criterion.final_summary();
    Ok(())
}

fn by_k(criterion: &mut Criterion, index: &FrozenIndex, table: &EmbeddingTable, queries: &[f32]) -> anyhow::Result<()> {
    let mut scratch = SearchScratch::new();
    let mut group = criterion.benchmark_group("index/search");
    for k in [10, 100, 500] {
        let params = SearchParams::new(k, EF_SEARCH);
        let mut hits = 0;
        let truth = exact_batch(table, Metric::Ip, queries, k)?;
        for (query, truth) in queries.chunks(DIMENSIONS).zip(&truth) {
            let found = index.search(query, params, Allowed::All, &Unlimited, &mut scratch)?.neighbors;
            hits += found.iter().filter(|neighbor| truth.neighbors.contains(neighbor)).count();
        }
        let wanted: usize = truth.iter().map(|found| found.neighbors.len()).sum();
        eprintln!("k = {k}, ef_search {EF_SEARCH}: recall {:.4}", hits as f64 / wanted as f64);
        let mut next = queries.chunks(DIMENSIONS).cycle();
        group.bench_function(BenchmarkId::from_parameter(k), |bencher| {
            bencher.iter(|| {
                let query = next.next().unwrap();
                black_box(index.search(query, params, Allowed::All, &Unlimited, &mut scratch).unwrap())
            });
        });
    }
    group.finish();
    Ok(())
}

/// Filters at random, each as chosen by the index and as the exact scan of what it allows.
fn by_filter(criterion: &mut Criterion, index: &FrozenIndex, queries: &[f32]) -> anyhow::Result<()> {
    let mut scratch = SearchScratch::new();
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut group = criterion.benchmark_group("index/filter");
    for share in SHARES {
        let set: RoaringBitmap = index.items().map(|item| item.0).filter(|_| random.random_bool(share)).collect();
        for (name, params) in [("index", SearchParams::new(100, EF_SEARCH)), ("exact", SearchParams::exact(100))] {
            let mut next = queries.chunks(DIMENSIONS).cycle();
            group.bench_function(BenchmarkId::new(name, share), |bencher| {
                bencher.iter(|| {
                    let query = next.next().unwrap();
                    black_box(index.search(query, params, Allowed::Set(&set), &Unlimited, &mut scratch).unwrap())
                });
            });
        }
    }
    group.finish();
    Ok(())
}

/// Inserts as fast as they go, with freezes in the background when they are due, and searches beside.
fn live(index: FrozenIndex, clusters: &mut Clusters, queries: &[f32], inserts: usize) -> anyhow::Result<()> {
    let first = index.len() as u32;
    let live = LiveIndex::new(Arc::new(index));
    let vectors = clusters.rows(inserts);
    let done = AtomicBool::new(false);
    let (live, done) = (&live, &done);
    let latencies = std::thread::scope(|scope| {
        let searching = scope.spawn(move || {
            let mut scratch = SearchScratch::new();
            let mut latencies = Histogram::<u64>::new(3)?;
            for query in queries.chunks(DIMENSIONS).cycle() {
                if done.load(Ordering::Acquire) {
                    break;
                }
                let started = Instant::now();
                live.search(query, SearchParams::new(100, EF_SEARCH), Allowed::All, &Unlimited, &mut scratch)?;
                latencies.record(started.elapsed().as_micros() as u64)?;
            }
            anyhow::Ok(latencies)
        });
        scope.spawn(move || {
            while !done.load(Ordering::Acquire) {
                match live.due() {
                    Some(due) => live.freeze(due, 1).unwrap(),
                    None => std::thread::sleep(Duration::from_millis(1)),
                }
            }
        });
        let started = Instant::now();
        for (i, vector) in (first..).zip(vectors.chunks(DIMENSIONS)) {
            while live.insert(ItemIdx(i), vector).is_err() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let rate = inserts as f64 / started.elapsed().as_secs_f64();
        eprintln!("{inserts} inserts, with freezes and searches beside: {rate:.0} per second");
        let started = Instant::now();
        live.freeze(Freeze::All, 1)?;
        eprintln!(
            "merged into one segment of {} in {:.2} s, searches beside",
            live.len(),
            started.elapsed().as_secs_f64()
        );
        done.store(true, Ordering::Release);
        searching.join().map_err(|_| anyhow::anyhow!("the searching thread ended early"))?
    })?;
    eprintln!(
        "searches meanwhile: {}, p50 {} us, p99 {} us, longest {} us",
        latencies.len(),
        latencies.value_at_quantile(0.5),
        latencies.value_at_quantile(0.99),
        latencies.max(),
    );
    Ok(())
}

/// Unit vectors in clusters of few latent dimensions, by seed.
struct Clusters {
    spread: Vec<f32>,
    centres: Vec<f32>,
    random: ChaCha8Rng,
}

impl Clusters {
    fn new(clusters: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut normal = |n: usize| (0..n).map(|_| random.sample::<f32, _>(StandardNormal)).collect::<Vec<f32>>();
        let (spread, centres) = (normal(LATENT * DIMENSIONS), normal(clusters * LATENT));
        Self { spread, centres, random }
    }

    fn rows(&mut self, n: usize) -> Vec<f32> {
        let mut rows = Vec::with_capacity(n * DIMENSIONS);
        for _ in 0..n {
            let cluster = self.random.random_range(0..self.centres.len() / LATENT);
            let centre = &self.centres[cluster * LATENT..(cluster + 1) * LATENT];
            let mut row = [0.0_f32; DIMENSIONS];
            row.iter_mut().for_each(|x| *x = 0.7 * self.random.sample::<f32, _>(StandardNormal));
            for (latent, along) in centre.iter().zip(self.spread.chunks(DIMENSIONS)) {
                let latent = latent + 0.6 * self.random.sample::<f32, _>(StandardNormal);
                row.iter_mut().zip(along).for_each(|(x, along)| *x += latent * along);
            }
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            rows.extend(row.iter().map(|x| x / length));
        }
        rows
    }
}
