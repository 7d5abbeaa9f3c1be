//! The second stage: the features of all candidates of a request, their scoring by logistic
//! regression, and both as the pipeline runs them.

#![allow(clippy::print_stderr, reason = "results of the setup")]
#![allow(clippy::unwrap_used, reason = "a benchmark whose subject fails has to stop")]

#[allow(dead_code, reason = "every benchmark uses its part of the world")]
mod world;

use std::hint::black_box;

use criterion::Criterion;
use shortlist_ranking::ScoringScratch;
use shortlist_recommender::{FeatureRanker, Pipeline, PipelineConfig, Ranker, Scratch};
use shortlist_types::Unlimited;

use crate::world::{Size, World};

/// Users whose candidates take turns, so that no request finds its own items in the caches.
const USERS: usize = 256;

fn main() -> anyhow::Result<()> {
    let world = World::make(Size::choose(None)?)?;
    let pipeline = Pipeline::new(PipelineConfig::default());
    let mut scratch = Scratch::default();
    let mut retrieved = Vec::new();
    for number in 0..USERS.min(world.size.users) {
        let request = world.request(number)?;
        let models = Some(&world.models);
        retrieved.push(pipeline.retrieve(&world.state, models, &request, world.end, &Unlimited, &mut scratch)?);
    }
    let ranker = world.models.ranker.as_ref().unwrap();
    world::tell(&format!("{} candidates of {} features each", retrieved[0].candidates.len(), ranker.features()));

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("ranking");
    let (mut rows, mut scores) = (Vec::new(), Vec::new());
    let mut scoring = ScoringScratch::default();
    let mut next = retrieved.iter().cycle();
    group.bench_function("features", |bencher| {
        bencher.iter(|| next.next().unwrap().feature_rows(black_box(&[]), &mut rows));
    });
    retrieved[0].feature_rows(&[], &mut rows);
    group.bench_function("scoring", |bencher| {
        bencher.iter(|| ranker.score(black_box(&rows), &mut scoring, &mut scores).unwrap())
    });
    group.bench_function("both", |bencher| {
        bencher.iter(|| {
            let one = next.next().unwrap();
            FeatureRanker.score(&one.context, black_box(&one.candidates), &Unlimited, &mut scratch).unwrap();
        });
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}
