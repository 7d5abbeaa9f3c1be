//! The first stage's search as `serve` makes it: the candidates of one request by the neighbour index,
//! under the request's own filters, beside an exact scan.
//!
//! Recall, the share of the exact answer that the index finds, is measured over the same users and
//! printed before the times: a time without its recall says nothing. See `docs/retrieval.md` for
//! what it was.

#![allow(clippy::print_stderr, reason = "results of the setup")]
#![allow(clippy::unwrap_used, reason = "a benchmark whose subject fails has to stop")]

#[allow(dead_code, reason = "every benchmark uses its part of the world")]
mod world;

use std::hint::black_box;

use criterion::Criterion;
use shortlist_recommender::{Pipeline, Retrieved, Scratch};
use shortlist_retrieval::{Allowed, Found, Metric, SearchParams, SearchScratch, exact};
use shortlist_types::{ItemIdx, Unlimited};

use crate::world::{K, Size, World};

/// Users whose queries take turns, so that no query finds its own rows in the caches.
const USERS: usize = 256;
/// The best of the exact answer, which matter most.
const TOP: usize = 100;

/// How hard the search of `home` tries.
const EFFORT: usize = 3_200;

fn main() -> anyhow::Result<()> {
    let world = World::make(Size::choose(None)?)?;
    let pipeline = Pipeline::default();
    let candidates = pipeline.config().candidates(world.size.items, K as usize);
    let mut scratch = Scratch::default();
    // Walking the first stage gives each user's vector and filters as a request has them.
    let mut retrieved = Vec::new();
    for number in 0..USERS.min(world.size.users) {
        let request = world.request(number)?;
        let models = Some(&world.models);
        retrieved.push(pipeline.retrieve(&world.state, models, &request, world.end, &Unlimited, &mut scratch)?);
    }

    let search = Search { world: &world, candidates };
    let mut scratch = SearchScratch::new();
    for best in [TOP, candidates] {
        let (mut hits, mut wanted) = (0_usize, 0_usize);
        for one in &retrieved {
            let mut truth = search.exactly(one).neighbors;
            truth.truncate(best);
            let found = search.by_index(one, &mut scratch).neighbors;
            wanted += truth.len();
            hits += truth.iter().filter(|neighbor| found.contains(neighbor)).count();
        }
        let recall = hits as f64 / wanted as f64;
        world::tell(&format!("{candidates} candidates hold {recall:.4} of the true best {best}"));
    }

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("retrieval");
    let mut next = retrieved.iter().cycle();
    group.bench_function("index", |bencher| {
        bencher.iter(|| black_box(search.by_index(next.next().unwrap(), &mut scratch)));
    });
    group.bench_function("exact", |bencher| bencher.iter(|| black_box(search.exactly(next.next().unwrap()))));
    group.finish();
    criterion.final_summary();
    Ok(())
}

struct Search<'a> {
    world: &'a World,
    candidates: usize,
}

impl Search<'_> {
    fn by_index(&self, request: &Retrieved<'_>, scratch: &mut SearchScratch) -> Found {
        let eligible = |item: ItemIdx| request.context.is_eligible(item);
        let params = SearchParams::new(self.candidates, EFFORT);
        let space = self.world.models.space.as_ref().unwrap();
        space.search(query(request), params, Allowed::Predicate(&eligible), &Unlimited, scratch).unwrap()
    }

    fn exactly(&self, request: &Retrieved<'_>) -> Found {
        let eligible = |item: ItemIdx| request.context.is_eligible(item);
        let allowed = Allowed::Predicate(&eligible);
        let table = self.world.models.blend.vectors()[0].model().table();
        exact(table, Metric::Ip, query(request), self.candidates, allowed, &Unlimited).unwrap()
    }
}

fn query<'a>(request: &'a Retrieved<'_>) -> &'a [f32] {
    request.context.taste.as_ref().and_then(|taste| taste.query.as_ref()).unwrap().as_slice()
}
