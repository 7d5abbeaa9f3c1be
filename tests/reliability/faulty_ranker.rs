//! The gateway in this process over a trained marketplace, with a second stage that a test can break, and a surface
//! `plain` that has none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shortlist_recommender::{
    Bundle, Candidate, FeatureRanker, Pipeline, RankBy, Ranker, RequestContext, Scratch, StageError, StageName,
    SurfaceConfig,
};
use shortlist_store::Store;
use shortlist_types::Budget;
use tempfile::TempDir;

use super::gateway::Gateway;
use crate::harness::{folder, imported_store, ok};

/// What the second stage does beside its work; changed while it serves.
#[derive(Clone, Default)]
pub struct Fault(Arc<FaultState>);

#[derive(Default)]
struct FaultState {
    /// Sleeps so long in every `every`-th request; [`FOREVER`] until it is changed.
    millis: AtomicUsize,
    every: AtomicUsize,
    /// Of so many candidates one scores NaN; 0 for none.
    one_not_finite_in: AtomicUsize,
    asked: AtomicUsize,
}

pub const FOREVER: usize = usize::MAX;

impl Fault {
    pub fn sleep(&self, millis: usize, every: usize) {
        self.0.every.store(every, Ordering::Relaxed);
        self.0.millis.store(millis, Ordering::Relaxed);
    }

    pub fn not_finite(&self, one_in: usize) {
        self.0.one_not_finite_in.store(one_in, Ordering::Relaxed);
    }

    /// Times that the second stage was asked.
    pub fn asked(&self) -> usize {
        self.0.asked.load(Ordering::Relaxed)
    }
}

impl Ranker for Fault {
    fn name(&self) -> StageName {
        FeatureRanker.name()
    }

    fn score(
        &self,
        request: &RequestContext<'_>,
        candidates: &[Candidate],
        budget: &dyn Budget,
        scratch: &mut Scratch,
    ) -> Result<(), StageError> {
        let state = &self.0;
        let number = state.asked.fetch_add(1, Ordering::Relaxed);
        let millis = || state.millis.load(Ordering::Relaxed);
        if millis() > 0 && number.is_multiple_of(state.every.load(Ordering::Relaxed).max(1)) {
            let until = Instant::now() + Duration::from_millis(millis().min(60_000) as u64);
            while millis() > 0 && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        FeatureRanker.score(request, candidates, budget, scratch)?;
        let one_in = state.one_not_finite_in.load(Ordering::Relaxed);
        if one_in > 0 {
            scratch.scores_mut().iter_mut().step_by(one_in).for_each(|score| *score = f32::NAN);
        }
        Ok(())
    }
}

pub struct Faulty {
    pub gateway: Gateway,
    pub fault: Fault,
    _folder: TempDir,
}

impl Faulty {
    pub fn start() -> Self {
        let folder = folder();
        let store = imported_store(&folder);
        ok(&["train", "--store", &store, "--promote", "always"]);
        let store = Store::open(&store).unwrap();
        let registry = store.registry();
        let id = registry.current().unwrap().unwrap();
        let bundle = Bundle::load(&registry, &store.reader().unwrap(), &id).unwrap();
        let fault = Fault::default();
        let plain = SurfaceConfig { rank_by: RankBy::Retrieval, ..SurfaceConfig::home() };
        let ranker = Box::new(fault.clone());
        let gateway = Gateway::start_with(&store, |recommender| {
            let recommender = recommender.with_pipeline("home", Pipeline::default().with_ranker(ranker));
            let recommender = recommender.with_pipeline("plain", Pipeline::new(plain).unwrap());
            recommender.swap(Some(Arc::new(bundle)));
            recommender
        });
        Self { gateway, fault, _folder: folder }
    }

    /// A full list of ten for a user on a surface.
    pub fn ask(&self, surface: &str, user: usize) -> Value {
        let body = json!({"user_id": format!("user-{user}"), "surface": surface, "k": 10});
        let (status, answer) = self.gateway.post("/v1/recommend", &body);
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["items"].as_array().map(Vec::len), Some(10), "{answer}");
        answer
    }
}
