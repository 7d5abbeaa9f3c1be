//! A whole request in this process, from the user's name to the named items: what the service
//! computes, without protocol and network. The mean time of each stage is printed before.

#![allow(clippy::print_stderr, reason = "results of the setup")]
#![allow(clippy::unwrap_used, reason = "a benchmark whose subject fails has to stop")]

#[allow(dead_code, reason = "every benchmark uses its part of the world")]
mod world;

use std::hint::black_box;
use std::time::Duration;

use anyhow::ensure;
use criterion::Criterion;
use shortlist_recommender::{
    Answer, Cap, Deadline, Explore, Pipeline, Request, RerankConfig, StageName, SurfaceConfig,
};
use shortlist_types::RequestId;
use shortlist_types::limits::DEADLINE_MS_DEFAULT;

use crate::world::{K, Size, World};

fn main() -> anyhow::Result<()> {
    let world = World::make(Size::choose(None)?)?;
    let requests = (0..world.size.users).map(|number| world.request(number)).collect::<Result<Vec<_>, _>>()?;
    let now = world.end;
    // Two of a brand, and likeness of vectors.
    let caps = [("brand".to_owned(), Cap { most: Some(2), apart: 0 })].into();
    let rerank = RerankConfig { diversity: 0.3, caps, ..RerankConfig::default() };
    let ruled = Pipeline::new(SurfaceConfig { rerank, ..SurfaceConfig::home() })?;
    let alike = RerankConfig { diversity: 0.3, ..RerankConfig::default() };
    let diverse = Pipeline::new(SurfaceConfig { rerank: alike, ..SurfaceConfig::home() })?;
    let explore = Some(Explore { share: 0.2, epsilon: None, temperature: Some(0.1), among: 100 });
    let drawn = RerankConfig { explore, ..RerankConfig::default() };
    let exploring = Pipeline::new(SurfaceConfig { rerank: drawn, ..SurfaceConfig::home() })?;
    let recommender = world.into_recommender()?.with_pipeline("ruled", ruled);
    let recommender = recommender.with_pipeline("diverse", diverse).with_pipeline("exploring", exploring);
    // A clock is read during the search, as in the service.
    let answer = |request: &Request| {
        let budget = Deadline::after(Duration::from_millis(DEADLINE_MS_DEFAULT));
        recommender.recommend(request, now, &budget).unwrap()
    };
    let on = |surface: &str, request: &Request| Request { surface: surface.to_owned(), ..request.clone() };
    let all_on = |surface: &str| requests.iter().map(|request| on(surface, request)).collect::<Vec<_>>();
    let (ruled, diverse) = (all_on("ruled"), all_on("diverse"));
    let name = |(number, request)| -> anyhow::Result<Request> {
        Ok(Request { request_id: Some(RequestId::parse(&format!("request-{number}"))?), ..request })
    };
    let exploring = all_on("exploring").into_iter().enumerate().map(name).collect::<anyhow::Result<Vec<_>>>()?;
    for (name, requests) in
        [("home", &requests), ("diverse", &diverse), ("diverse and capped", &ruled), ("exploring", &exploring)]
    {
        world::tell(name);
        tell_stages(requests, answer)?;
    }

    let mut criterion = Criterion::default().configure_from_args();
    let kept: Vec<_> = requests.iter().map(|request| Request { keep: true, ..request.clone() }).collect();
    let explained: Vec<_> = requests.iter().map(|request| Request { explain: true, ..request.clone() }).collect();
    for (name, requests) in [
        ("request", &requests),
        // One of the share that the served log keeps: what the request's thread pays for it.
        ("request, kept", &kept),
        ("request, explained", &explained),
        ("request, diverse and capped", &ruled),
    ] {
        let mut next = requests.iter().cycle();
        criterion.bench_function(name, |bencher| bencher.iter(|| black_box(answer(next.next().unwrap()))));
    }
    criterion.final_summary();
    Ok(())
}

/// Prints the mean time of each stage.
fn tell_stages(requests: &[Request], answer: impl Fn(&Request) -> Answer) -> anyhow::Result<()> {
    let mut stages: Vec<(StageName, Duration)> = Vec::new();
    for request in requests {
        let sample = answer(request);
        ensure!(sample.items.len() == K as usize, "expected {K} items, got {}", sample.items.len());
        for timing in sample.timings {
            match stages.iter_mut().find(|(stage, _)| *stage == timing.stage) {
                Some((_, total)) => *total += timing.elapsed,
                None => stages.push((timing.stage, timing.elapsed)),
            }
        }
    }
    for (stage, total) in stages {
        world::tell(&format!("{:>12} {:>7.1} us", stage.0, total.as_secs_f64() * 1e6 / requests.len() as f64));
    }
    Ok(())
}
