//! The models of the first stage: an epoch of implicit alternating least squares on dense and on sparse
//! interactions, and the fold-in of one user.
//!
//! `benches/peers/ials.py` compares epochs with those of another implementation on the same pairs.

#![allow(clippy::unwrap_used, reason = "a benchmark whose subject fails has to stop")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortlist_embedding::{FoldInScratch, IalsConfig, IalsModel, Interactions};
use shortlist_types::{ItemIdx, UserIdx};

/// Users, items and pairs: one as films are rated, one as places are visited.
const SHAPES: [(&str, usize, usize, usize); 2] =
    [("dense", 6_000, 3_000, 800_000), ("sparse", 30_000, 41_000, 800_000)];
/// What a smoke run divides them by.
const SMOKE: usize = 100;
const DIMENSIONS: [usize; 2] = [64, 256];
/// Events of the users who are folded in.
const EVENTS: [usize; 3] = [10, 100, 1_000];
const FOLDED_IN: usize = 256;

fn main() {
    let smoke = std::env::args().any(|arg| arg == "--test") || cfg!(debug_assertions);
    let mut criterion = Criterion::default().configure_from_args();
    for (name, users, items, pairs) in SHAPES {
        let divisor = if smoke { SMOKE } else { 1 };
        let interactions = interactions(users / divisor, items / divisor, pairs / divisor);
        epochs(&mut criterion, name, &interactions);
        if name == "sparse" {
            fold_in(&mut criterion, &interactions);
        }
    }
    criterion.final_summary();
}

/// Pairs drawn by popularity, as many of the first item as of the next two together.
fn interactions(users: usize, items: usize, pairs: usize) -> Interactions {
    let mut random = ChaCha8Rng::seed_from_u64(17);
    let mut draw = |of: usize| ((random.random::<f64>().powi(2) * of as f64) as u32).min(of as u32 - 1);
    let triples = (0..pairs).map(|_| (UserIdx(draw(users)), ItemIdx(draw(items)), 1.0));
    Interactions::parse(triples.collect()).unwrap()
}

fn config(dimensions: usize, epochs: usize) -> IalsConfig {
    IalsConfig { dimensions, epochs, ..IalsConfig::default() }
}

/// A fit of one epoch; what surrounds it, the first vectors and the last turn, is a few per cent and counted.
fn epochs(criterion: &mut Criterion, name: &str, interactions: &Interactions) {
    let mut group = criterion.benchmark_group(format!("embedding/ials epoch, {name}"));
    group.sample_size(10).throughput(Throughput::Elements(interactions.len() as u64));
    for dimensions in DIMENSIONS {
        group.bench_function(BenchmarkId::from_parameter(dimensions), |bencher| {
            bencher.iter(|| IalsModel::fit(black_box(interactions), &config(dimensions, 1), 1, &mut |_| ()).unwrap());
        });
    }
    group.finish();
}

fn fold_in(criterion: &mut Criterion, interactions: &Interactions) {
    let mut group = criterion.benchmark_group("embedding/fold-in of one user, 64 dimensions");
    let model = IalsModel::fit(interactions, &config(64, 2), 1, &mut |_| ()).unwrap();
    let items = model.table().items();
    let mut scratch = FoldInScratch::default();
    for events in EVENTS {
        let mut random = ChaCha8Rng::seed_from_u64(19);
        let mut draw = || (items[random.random_range(0..items.len())], 1.0);
        // Users take turns, so that nobody finds his items in the caches.
        let users: Vec<Vec<(ItemIdx, f32)>> = (0..FOLDED_IN).map(|_| (0..events).map(|_| draw()).collect()).collect();
        let mut next = users.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(events), |bencher| {
            bencher.iter(|| model.fold_in(black_box(next.next().unwrap()).iter().copied(), &mut scratch));
        });
    }
    group.finish();
}
