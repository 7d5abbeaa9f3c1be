//! The pipeline over a simulated marketplace: what it must never do, and what it does when a stage fails.
#![allow(clippy::unwrap_used, clippy::panic)] // a test that cannot go on fails

#[path = "pipeline/by_definition.rs"]
mod by_definition;
#[path = "pipeline/rerank.rs"]
mod rerank;
#[path = "pipeline/surfaces.rs"]
mod surfaces;
#[path = "pipeline/why_not.rs"]
mod why_not;

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use proptest::prelude::{ProptestConfig, prop, proptest};
use proptest::{prop_assert, prop_assert_eq};
use shortlist_embedding::{
    Blend, BlendConfig, IalsConfig, Interactions, ItemToItemConfig, RowPartConfig, VectorModelConfig, VectorPartConfig,
};
use shortlist_features::{FeatureScratch, FeatureState};
use shortlist_ranking::{LogisticConfig, LogisticRegression, TrainingRows};
use shortlist_recommender::{
    Answer, Candidate, Degraded, FeatureRanker, FittedRanker, Models, Pipeline, Ranker, RecommendError, Recommender,
    Request, RequestContext, Scratch, StageError, StageName, Surfaces,
};
use shortlist_retrieval::IndexConfig;
use shortlist_simulator::{MarketConfig, Marketplace};
use shortlist_types::{Budget, EventTypes, ItemId, LogRecord, LogSeq, Timestamp, Unlimited, UserId};

const ITEMS: usize = 400;

struct World {
    state: FeatureState,
    models: Models,
    now: Timestamp,
}

/// A folded log, fitted embeddings, and a ranker fitted on the pipeline's own rows.
fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let now = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
        let config = MarketConfig { users: 120, items: ITEMS, events: 30_000, ..MarketConfig::new(3, now) };
        let state = fold(&Marketplace::generate(&config).unwrap().records);
        let mut models = Models::of_blend(blend_of(&state), &IndexConfig::default(), &mut |_| ()).unwrap();
        let rows = rows(&state, &models, now);
        models.ranker = Some(FittedRanker::logistic(
            LogisticRegression::fit(&rows, &LogisticConfig::default(), &mut |_| ()).unwrap(),
        ));
        World { state, models, now }
    })
}

fn blend_of(state: &FeatureState) -> Blend {
    let interests = state
        .users()
        .flat_map(|(user, known)| known.interests().into_iter().map(move |entry| (user, entry.item, entry.interest)));
    let interactions = Interactions::parse(interests.collect()).unwrap();
    let config = IalsConfig { dimensions: 16, ..IalsConfig::default() };
    let ials = VectorPartConfig { weight: 1.0, model: VectorModelConfig::Ials(config) };
    let ease = RowPartConfig { weight: 0.5, model: ItemToItemConfig::default() };
    let parts = BlendConfig { vectors: vec![ials], item_to_item: vec![ease] };
    Blend::fit(&interactions, &parts, 1, &mut |_| ()).unwrap()
}

/// The state of [`world`], to be changed.
fn state() -> FeatureState {
    world().state.clone()
}

/// The models of [`world`] once more, to be changed.
fn refitted(state: &FeatureState, models: &Models, now: Timestamp) -> Models {
    let (features, known) = (models.features.clone(), shortlist_embedding::KnownUsers::default());
    let mut again = Models::of_blend(blend_of(state), &IndexConfig::default(), &mut |_| ()).unwrap();
    (again.features, again.known_users) = (features, known);
    let rows = rows(state, &again, now);
    again.ranker =
        Some(FittedRanker::logistic(LogisticRegression::fit(&rows, &LogisticConfig::default(), &mut |_| ()).unwrap()));
    again
}

fn fold(records: &[LogRecord]) -> FeatureState {
    let mut state = FeatureState::new(Arc::new(EventTypes::default()));
    for (log_seq, record) in (1..).map(LogSeq).zip(records) {
        state.apply(log_seq, record).unwrap();
    }
    state
}

/// Rows of a few users; the label is whether the item is popular, which is enough to fit something.
fn rows(state: &FeatureState, models: &Models, now: Timestamp) -> TrainingRows {
    let pipeline = Pipeline::default();
    let (mut rows, mut buffer) =
        (TrainingRows::of_numbers(models.features.width()).unwrap(), FeatureScratch::default());
    for user in (1..100).step_by(10) {
        let request = Request::of(user_id(user), 10);
        let retrieved =
            pipeline.retrieve(state, Some(models), &request, now, &Unlimited, &mut Scratch::default()).unwrap();
        retrieved.feature_rows(&[], &mut buffer);
        for (candidate, row) in retrieved.candidates.iter().zip(buffer.rows.chunks_exact(models.features.width())) {
            let label = state.item_stats(candidate.item).unwrap().wanted.ever() > 20;
            rows.push_numbers(row, label, 1.0).unwrap();
        }
    }
    rows
}

fn user_id(number: usize) -> UserId {
    UserId::parse(&format!("user-{number}")).unwrap()
}

fn ask_with(pipeline: &Pipeline, request: &Request, budget: &dyn Budget) -> Answer {
    let World { state, models, now } = world();
    pipeline.recommend(state, Some(models), request, *now, budget, &mut Scratch::default()).unwrap()
}

fn ask(request: &Request) -> Answer {
    ask_with(&Pipeline::default(), request, &Unlimited)
}

fn ids(answer: &Answer) -> Vec<&ItemId> {
    answer.items.iter().map(|item| &item.item_id).collect()
}

/// A ranker that does what its name says.
enum Faulty {
    Late,
    Short,
    NaN { every: usize },
}

impl Ranker for Faulty {
    fn name(&self) -> StageName {
        StageName("faulty")
    }

    fn score(
        &self,
        request: &RequestContext<'_>,
        candidates: &[Candidate],
        budget: &dyn Budget,
        scratch: &mut Scratch,
    ) -> Result<(), StageError> {
        match self {
            Self::Late => Err(StageError::Timeout),
            Self::Short => FeatureRanker.score(request, &candidates[1..], budget, scratch),
            Self::NaN { every } => {
                FeatureRanker.score(request, candidates, budget, scratch)?;
                scratch.scores_mut().iter_mut().step_by(*every).for_each(|score| *score = f32::NAN);
                Ok(())
            }
        }
    }
}

fn with_faulty(faulty: Faulty) -> Pipeline {
    Pipeline::default().with_ranker(Box::new(faulty))
}

/// What retrieval alone would answer.
fn retrieval_order(request: &Request) -> Vec<ItemId> {
    let World { state, models, now } = world();
    let pipeline = Pipeline::default();
    let retrieved = pipeline.retrieve(state, Some(models), request, *now, &Unlimited, &mut Scratch::default()).unwrap();
    let id = |candidate: &Candidate| state.catalog().get(candidate.item).unwrap().id.clone();
    retrieved.candidates.iter().take(request.k).map(id).collect()
}

#[test]
fn a_ranker_that_is_late_or_fails_costs_the_order_and_not_the_answer() {
    let request = Request::of(user_id(11), 15);
    let expected = retrieval_order(&request);
    assert_ne!(ids(&ask(&request)), expected.iter().collect::<Vec<_>>(), "the ranker changes nothing: a weak test");
    for (faulty, reason) in [
        (Faulty::Late, Degraded::RankerTimeout),
        (Faulty::Short, Degraded::RankerFailed),
        (Faulty::NaN { every: 1 }, Degraded::RankerNotFinite),
    ] {
        let answer = ask_with(&with_faulty(faulty), &request, &Unlimited);
        assert_eq!(answer.degraded, [reason]);
        assert_eq!(ids(&answer), expected.iter().collect::<Vec<_>>());
        assert!(answer.items.is_sorted_by(|a, b| a.score >= b.score));
    }
}

#[test]
fn scores_that_are_not_finite_stand_last() {
    let request = Request::of(user_id(11), 30);
    let answer = ask_with(&with_faulty(Faulty::NaN { every: 3 }), &request, &Unlimited);
    assert_eq!(answer.degraded, [Degraded::RankerNotFinite]);
    let whole = ask(&Request::of(user_id(11), 40));
    let mut places =
        answer.items[..20].iter().map(|item| whole.items.iter().position(|other| other.item_id == item.item_id));
    assert!(places.by_ref().flatten().is_sorted(), "the finite ones lost their order");
}

#[test]
fn an_exhausted_budget_still_gives_a_full_list_of_popular_items() {
    struct Over;
    impl Budget for Over {
        fn exhausted(&self) -> bool {
            true
        }
    }
    let answer = ask_with(&Pipeline::default(), &Request::of(user_id(11), 20), &Over);
    assert_eq!(answer.items.len(), 20);
    assert!(answer.degraded.contains(&Degraded::RankerTimeout), "{:?}", answer.degraded);
}

#[test]
fn an_unknown_user_gets_what_is_popular() {
    let World { state, models, now } = world();
    let request = Request::of(UserId::parse("nobody").unwrap(), 10);
    let popular: Vec<_> = state
        .popular()
        .filter(|item| state.catalog().is_recommendable(*item))
        .take(10)
        .map(|item| &state.catalog().get(item).unwrap().id)
        .collect();
    assert_eq!(ids(&ask(&request)), popular);
    let pipeline = Pipeline::default();
    let bare = pipeline.recommend(state, None, &request, *now, &Unlimited, &mut Scratch::default()).unwrap();
    assert_eq!((ids(&bare), &bare.degraded[..]), (popular, &[Degraded::NoBundle][..]));
    let with = ask(&request);
    assert!(with.degraded.is_empty() && models.ranker.is_some());
}

#[test]
fn explanations_add_up_to_the_order() {
    let answer = ask(&Request { explain: true, ..Request::of(user_id(21), 10) });
    let sum = |item: &shortlist_recommender::RecommendedItem| -> f32 {
        item.explanation.as_ref().unwrap().contributions.iter().map(|(_, value)| value).sum()
    };
    for item in &answer.items {
        let base = item.explanation.as_ref().unwrap().base_score.unwrap();
        assert!((base + sum(item) - item.score.get()).abs() < 1e-3, "{item:?}");
        assert!(!item.sources.is_empty());
    }
}

#[test]
fn similar_items_are_near_by_angle_and_unknown_ones_are_told() {
    let records = Marketplace::generate(&MarketConfig {
        users: 60,
        items: 100,
        events: 5_000,
        ..MarketConfig::new(3, world().now)
    });
    let recommender = Recommender::new(fold(&records.unwrap().records), &Surfaces::default()).unwrap();
    let bare = recommender.similar("item-1", 5, &Unlimited).unwrap();
    assert_eq!((bare.items.len(), &bare.degraded[..]), (0, &[Degraded::NoBundle][..]));
    let unknown = recommender.similar("no such item", 5, &Unlimited).unwrap_err();
    assert!(matches!(unknown, RecommendError::UnknownItem { .. }), "{unknown}");
    assert!(matches!(recommender.similar("item-1", 0, &Unlimited), Err(RecommendError::Invalid(_))));
}

#[test]
fn a_recent_event_of_an_unknown_type_is_refused_with_its_place() {
    let recent = |event_type: &str| shortlist_recommender::RecentEvent {
        item_id: ItemId::parse("item-1").unwrap(),
        event_type: event_type.to_owned(),
        value: None,
        timestamp: None,
    };
    let request = Request { recent: vec![recent("click"), recent("sneeze")], ..Request::of(user_id(1), 5) };
    let World { state, models, now } = world();
    let pipeline = Pipeline::default();
    let error = pipeline.recommend(state, Some(models), &request, *now, &Unlimited, &mut Scratch::default());
    let RecommendError::Invalid(error) = error.unwrap_err() else { panic!("refused for another reason") };
    assert_eq!(error.field, "recent[1].event_type");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn lists_hold_no_repeats_nothing_seen_excluded_or_gone_and_are_full(
        user in 1..140_usize,
        k in 1..60_usize,
        excluded in prop::collection::vec(1..=ITEMS, 0..40),
        recent in prop::collection::vec(1..=ITEMS, 0..10),
    ) {
        let item = |number: usize| ItemId::parse(&format!("item-{number}")).unwrap();
        let request = Request {
            exclude: excluded.iter().map(|number| item(*number)).collect(),
            recent: recent
                .iter()
                .map(|number| shortlist_recommender::RecentEvent {
                    item_id: item(*number),
                    event_type: "click".to_owned(),
                    value: None,
                    timestamp: None,
                })
                .collect(),
            ..Request::of(user_id(user), k)
        };
        let World { state, now, .. } = world();
        let answer = ask(&request);
        let listed: HashSet<_> = ids(&answer).into_iter().collect();
        prop_assert_eq!(listed.len(), answer.items.len());
        prop_assert_eq!(answer.items.len(), k, "400 items leave enough for every list");
        prop_assert!(answer.items.is_sorted_by(|a, b| a.score >= b.score));
        for id in listed {
            let index = state.catalog().find(id.as_str()).unwrap();
            prop_assert!(state.catalog().is_recommendable(index));
            prop_assert!(!request.exclude.contains(id));
            prop_assert!(!request.recent.iter().any(|event| event.item_id == *id));
            prop_assert!(!state.user(user_id(user).as_str()).is_some_and(|user| user.has_seen(index, *now)));
        }
        prop_assert_eq!(ask(&request).items, answer.items, "the same question, another answer");
    }
}
