//! The second stage: the features of all candidates of a request, their scoring by logistic
//! regression, and both as the pipeline runs them.

#![allow(clippy::print_stderr, reason = "results of the setup")]
#![allow(clippy::unwrap_used, reason = "a benchmark whose subject fails has to stop")]

#[allow(dead_code, reason = "every benchmark uses its part of the world")]
mod world;

use std::hint::black_box;

use criterion::Criterion;
use shortlist_features::FeatureScratch;
use shortlist_ranking::ScoringScratch;
use shortlist_recommender::{CategoryIds, FeatureRanker, Pipeline, Ranker, Retrieved, Scratch};
use shortlist_types::Unlimited;

use crate::world::{Size, World};

/// Users whose candidates take turns, so that no request finds its own items in the caches.
const USERS: usize = 256;

/// What makes forty of the default features: one more of most kinds.
const FORTY: &str = r#"{
    "wanted_1d": {"kind": "wanted", "half_life_days": 1},
    "wanted_rate": {"kind": "wanted_rate"},
    "text_trend_7d": {"kind": "text_trend", "half_life_days": 7},
    "genre_trend_30d": {"kind": "text_trend", "attribute": "genre", "half_life_days": 30},
    "text_time_of_day": {"kind": "text_time", "part": "day"},
    "brand_affinity": {"kind": "affinity", "attribute": "brand"},
    "country_audience": {"kind": "audience", "attribute": "country"},
    "price": {"kind": "item_number", "attribute": "price"},
    "genre_1": {"kind": "item_has", "attribute": "genre", "value": "genre 1"},
    "evening": {"kind": "hours", "from": 18, "to": 24},
    "evening_genre_1": {"kind": "cross", "of": ["evening", "genre_1"]}
}"#;

fn retrieve<'a>(world: &'a World, pipeline: &'a Pipeline) -> anyhow::Result<Vec<Retrieved<'a>>> {
    let mut scratch = Scratch::default();
    let mut retrieved = Vec::new();
    for number in 0..USERS.min(world.size.users) {
        let (request, models) = (world.request(number)?, Some(&world.models));
        retrieved.push(pipeline.retrieve(&world.state, models, &request, world.end, &Unlimited, &mut scratch)?);
    }
    Ok(retrieved)
}

fn main() -> anyhow::Result<()> {
    let mut world = World::make(Size::choose(None)?)?;
    let pipeline = Pipeline::default();
    let mut scratch = Scratch::default();
    let retrieved = retrieve(&world, &pipeline)?;
    let ranker = world.models.ranker.as_ref().unwrap();
    world::tell(&format!("{} candidates of {} features each", retrieved[0].candidates.len(), ranker.features()));

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("ranking");
    let (mut features, mut scores) = (FeatureScratch::default(), Vec::new());
    let (mut scoring, ids) = (ScoringScratch::default(), CategoryIds::default());
    let mut next = retrieved.iter().cycle();
    group.bench_function("features", |bencher| {
        bencher.iter(|| next.next().unwrap().feature_rows(black_box(&[]), &mut features));
    });
    retrieved[0].feature_rows(&[], &mut features);
    group.bench_function("scoring", |bencher| {
        bencher.iter(|| ranker.score(black_box(&features.rows), &ids, &mut scoring, &mut scores).unwrap())
    });
    group.bench_function("both", |bencher| {
        bencher.iter(|| {
            let one = next.next().unwrap();
            FeatureRanker.score(&one.context, black_box(&one.candidates), &Unlimited, &mut scratch).unwrap();
        });
    });
    drop(retrieved);
    world.models.features = serde_json::from_str(FORTY)?;
    anyhow::ensure!(world.models.features.width() == 40, "{} features", world.models.features.width());
    let retrieved = retrieve(&world, &pipeline)?;
    let mut next = retrieved.iter().cycle();
    group.bench_function("40_features", |bencher| {
        bencher.iter(|| next.next().unwrap().feature_rows(black_box(&[]), &mut features));
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}
