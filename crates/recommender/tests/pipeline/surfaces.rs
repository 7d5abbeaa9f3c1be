//! What a surface says is what is shown.

use std::collections::HashSet;
use std::sync::Arc;

use proptest::prelude::{ProptestConfig, prop, proptest};
use proptest::{prop_assert, prop_assert_eq};
use shortlist_features::{CatalogItem, FeatureState};
use shortlist_ranking::Platt;
use shortlist_recommender::{
    Answer, Bundle, Candidate, Degraded, Expression, FilterConfig, Page, Pipeline, Provenance, RankBy, RecommendError,
    Recommender, Request, ScoreKind, Scratch, SourceConfig, SourceKind, SurfaceConfig, Surfaces,
};
use shortlist_store::BundleId;
use shortlist_types::{Event, EventTypes, Item, ItemId, LogRecord, LogSeq, RequestId, Timestamp, Unlimited};

use super::{World, ask, ask_with, ids, user_id, world};

pub(super) fn item_id(number: usize) -> ItemId {
    ItemId::parse(&format!("item-{number}")).unwrap()
}

pub(super) fn filter(text: &str) -> Option<Arc<Expression>> {
    Some(Arc::new(Expression::parse(text).unwrap()))
}

fn pipeline(config: SurfaceConfig) -> Pipeline {
    Pipeline::new(config).unwrap()
}

fn entry(id: &ItemId) -> &'static CatalogItem {
    let catalog = world().state.catalog();
    catalog.get(catalog.find(id.as_str()).unwrap()).unwrap()
}

#[test]
fn a_strict_filter_still_fills_the_list() {
    let World { state, now, .. } = world();
    let user = state.user("user-11").unwrap();
    let category = entry(&item_id(3)).attributes.labels("category").next().unwrap();
    for text in [
        format!("category = \"{category}\""),
        format!("category = \"{category}\" and price < 30"),
        format!("not (category = \"{category}\" or price < 5)"),
        "price between 20 and 22".to_owned(),
        format!("title = {:?}", entry(&item_id(7)).attributes.labels("title").next().unwrap()),
        "price < 0".to_owned(),
    ] {
        let expression = Expression::parse(&text).unwrap();
        let eligible = state.catalog().iter().filter(|(number, item)| {
            let is_there = item.available && !item.deleted && !user.has_seen(*number, *now);
            is_there && expression.holds(item)
        });
        let eligible: HashSet<&ItemId> = eligible.map(|(_, item)| &item.id).collect();
        for k in [5, 60] {
            let answer = ask(&Request { filter: filter(&text), ..Request::of(user_id(11), k) });
            let shown: HashSet<&ItemId> = ids(&answer).into_iter().collect();
            assert!(shown.is_subset(&eligible), "{text}");
            assert_eq!(shown.len(), eligible.len().min(k), "{text}: {} are eligible", eligible.len());
            assert_eq!(answer.degraded, [], "{text}");
        }
    }
}

#[test]
fn similar_items_are_about_the_item_and_hold_it_not() {
    let pipeline = pipeline(SurfaceConfig::similar_items());
    let about = |number: usize| Request { item_id: Some(item_id(number)), ..Request::of(user_id(11), 12) };
    let (first, second) = (ask_with(&pipeline, &about(3), &Unlimited), ask_with(&pipeline, &about(40), &Unlimited));
    assert_eq!((first.items.len(), second.items.len()), (12, 12));
    assert!(!ids(&first).contains(&&item_id(3)));
    assert_ne!(ids(&first), ids(&second));
    assert!(first.items.iter().all(|item| !item.sources.is_empty()));
    let World { state, models, now } = world();
    let refused = |pipeline: &Pipeline, request: &Request| {
        pipeline.recommend(state, Some(models), request, *now, &Unlimited, &mut Scratch::default()).unwrap_err()
    };
    assert_eq!(
        refused(&pipeline, &Request::of(user_id(11), 3)).to_string(),
        "item_id: is needed: the surface is about an item"
    );
    let unknown = Request { item_id: Some(ItemId::parse("nothing").unwrap()), ..about(3) };
    assert!(matches!(refused(&pipeline, &unknown), RecommendError::UnknownItem { .. }));
    assert!(refused(&Pipeline::default(), &about(3)).to_string().contains("about its user"));
}

#[test]
fn what_the_caller_proposes_comes_first_among_the_candidates() {
    let World { state, now, .. } = world();
    let user = state.user("user-11").unwrap();
    let (seen, fresh): (Vec<_>, Vec<_>) = state.catalog().iter().partition(|(item, _)| user.has_seen(*item, *now));
    let fresh: Vec<_> = fresh.into_iter().filter(|(_, item)| item.available && !item.deleted).collect();
    let (seen, last, other) = (&seen[0].1.id, &fresh[fresh.len() - 1].1.id, &fresh[5].1.id);
    let proposed = [last, seen, other, &ItemId::parse("nothing").unwrap(), other].map(Clone::clone);
    let answer = ask(&Request { candidates: proposed.into(), ..Request::of(user_id(11), 400) });
    let from_caller: HashSet<_> = answer
        .items
        .iter()
        .filter_map(|item| item.sources.iter().find(|hit| hit.source.0 == "given").map(|hit| (&item.item_id, hit.rank)))
        .collect();
    // What was seen stays away, whoever proposes it; what is unknown is passed over. Of a user who is known the caller's
    // order says nothing.
    assert_eq!(from_caller, [(other, 0), (last, 1)].into());
}

#[test]
fn safety_fails_closed_and_the_surfaces_own_filter_holds() {
    let filters = |safety: &str, standing: Option<&str>| FilterConfig {
        safety: [(safety.to_owned(), 25.0)].into(),
        standing: standing.map(str::to_owned),
        ..FilterConfig::default()
    };
    let surface = |filters| pipeline(SurfaceConfig { filters, ..SurfaceConfig::default() });
    let request = Request::of(user_id(11), 50);
    let cheap = ask_with(&surface(filters("price", None)), &request, &Unlimited);
    assert!(!cheap.items.is_empty());
    assert!(ids(&cheap).into_iter().all(|id| entry(id).attributes.number("price").unwrap() <= 25.0));
    // Nobody said how unsafe they are.
    assert_eq!(ask_with(&surface(filters("nsfw", None)), &request, &Unlimited).items, []);
    let both = ask_with(&surface(filters("price", Some("price > 10"))), &request, &Unlimited);
    assert!(!both.items.is_empty());
    assert!(ids(&both).into_iter().all(|id| (10.0..=25.0).contains(&entry(id).attributes.number("price").unwrap())));
    let error = Pipeline::new(SurfaceConfig { filters: filters("price", Some("price >")), ..SurfaceConfig::default() });
    assert_eq!(error.err().unwrap().to_string(), "filters.where: expected a number at character 8, got the end");
}

#[test]
fn seen_items_come_back_where_a_surface_says_so() {
    let again = FilterConfig { seen: false, ..FilterConfig::default() };
    let all = pipeline(SurfaceConfig { filters: again, ..SurfaceConfig::default() });
    let World { state, now, .. } = world();
    let user = state.user("user-11").unwrap();
    let has_seen = |id: &&ItemId| user.has_seen(state.catalog().find(id.as_str()).unwrap(), *now);
    let request = Request::of(user_id(11), 400);
    assert!(ids(&ask_with(&all, &request, &Unlimited)).iter().any(has_seen));
    assert!(!ids(&ask(&request)).iter().any(has_seen));
}

#[test]
fn trending_items_are_those_of_the_week_and_of_what_the_user_likes() {
    let World { state, now, .. } = world();
    let sources = |kind, attribute: Option<&str>| {
        let attribute = attribute.map(str::to_owned);
        [(kind, SourceConfig { attribute, ..SourceConfig::of(1.0) })].into()
    };
    let surface = |kind, attribute| {
        pipeline(SurfaceConfig {
            sources: sources(kind, attribute),
            rank_by: RankBy::Retrieval,
            candidates_share: 1.0,
            ..SurfaceConfig::default()
        })
    };
    let request = Request::of(user_id(11), 20);
    let trending = ask_with(&surface(SourceKind::Trending, None), &request, &Unlimited);
    assert!(trending.items.iter().all(|item| item.sources.iter().all(|hit| hit.source.0 == "trending")));
    let week = |id: &ItemId| {
        let stats = state.item_stats(state.catalog().find(id.as_str()).unwrap()).unwrap();
        stats.wanted.recent(shortlist_features::HalfLife::Week, *now)
    };
    let mut by_rank: Vec<_> = trending.items.iter().map(|item| (item.sources[0].rank, week(&item.item_id))).collect();
    by_rank.sort_by_key(|(rank, _)| *rank);
    assert!(by_rank.is_sorted_by(|a, b| a.1 >= b.1), "{by_rank:?}");

    let alike = ask_with(&surface(SourceKind::TrendingAlike, Some("category")), &request, &Unlimited);
    let category = |id: &ItemId| entry(id).attributes.labels("category").next().unwrap();
    let wanted = state.user("user-11").unwrap().wanted();
    let liked: HashSet<&str> =
        wanted.iter().take(10).map(|entry| category(&state.catalog().get(entry.item).unwrap().id)).collect();
    assert!(!alike.items.is_empty());
    assert!(ids(&alike).into_iter().all(|id| liked.contains(category(id))));
}

#[test]
fn a_value_orders_by_probabilities_and_by_nothing_else() {
    let surface = |weight: f64| {
        let value = [("wanted".to_owned(), weight)].into();
        pipeline(SurfaceConfig { value, ..SurfaceConfig::default() })
    };
    let World { state, models, now } = world();
    let request = Request::of(user_id(11), 20);
    let plain = ask(&request);
    let uncalibrated = ask_with(&surface(2.0), &request, &Unlimited);
    assert_eq!(uncalibrated.degraded, [Degraded::ValueUncalibrated]);
    assert_eq!((ids(&uncalibrated), uncalibrated.score_kind), (ids(&plain), ScoreKind::Relative));

    let mut calibrated = super::refitted(state, models, *now);
    calibrated.ranker.as_mut().unwrap().outcomes[0].calibration = Some(Platt { slope: 0.5, intercept: -1.0 });
    let ask = |pipeline: &Pipeline| {
        pipeline.recommend(state, Some(&calibrated), &request, *now, &Unlimited, &mut Scratch::default()).unwrap()
    };
    let (best, worst) = (ask(&surface(2.0)), ask(&surface(-2.0)));
    assert_eq!((&best.degraded[..], best.score_kind), (&[][..], ScoreKind::Value));
    assert_eq!(ids(&best), ids(&plain), "twice the probability orders as the score does");
    for item in best.items.iter().chain(&worst.items) {
        let weight = if item.score.get() < 0.0 { -2.0 } else { 2.0 };
        assert!((item.score.get() - weight * item.probabilities[0].1).abs() < 1e-6);
    }
    assert_eq!(ask(&Pipeline::default()).score_kind, ScoreKind::Calibrated);
    let least = best.items.last().unwrap().probabilities[0].1;
    assert!(worst.items.iter().all(|item| item.probabilities[0].1 <= least));
}

fn served() -> Recommender {
    let World { models, now, .. } = world();
    let recommender = Recommender::new(super::state(), &Surfaces::default()).unwrap();
    let provenance = Provenance {
        code_version: String::new(),
        arithmetic: String::new(),
        seed: 0,
        log_seq: LogSeq(0),
        log_chain: Provenance::chain_text(0),
        embeddings_until: *now,
        ranker_until: *now,
        trained_log_seq: LogSeq(0),
        config: serde_json::Value::Null,
    };
    let models = super::refitted(&super::state(), models, *now);
    let (id, report) = (BundleId::parse("b-0123456789abcdef").unwrap(), serde_json::Value::Null);
    recommender.swap(Some(Arc::new(Bundle { id, models, provenance, report })));
    recommender
}

#[test]
fn pages_continue_an_order_without_repeats() {
    let (recommender, now) = (served(), world().now);
    let name = RequestId::parse("first").unwrap();
    let first = Request { request_id: Some(name.clone()), ..Request::of(user_id(11), 10) };
    let whole = recommender.recommend(&Request::of(user_id(11), 30), now, &Unlimited).unwrap();
    let shown = recommender.recommend(&first, now, &Unlimited).unwrap();
    let page = |user: usize, offset: usize| {
        let page = Some(Page { request_id: name.clone(), offset });
        recommender.recommend(&Request { page, ..Request::of(user_id(user), 10) }, now, &Unlimited)
    };
    let second = page(11, 10).unwrap();
    let both: Vec<&ItemId> = ids(&shown).into_iter().chain(ids(&second)).collect();
    assert_eq!(both, ids(&whole)[..20]);
    assert_eq!(second.items.iter().map(|item| item.rank).collect::<Vec<_>>(), (10..20).collect::<Vec<_>>());
    assert!(second.bundle.is_some());

    // What he takes up between two pages is on neither.
    let taken = ids(&second)[3].clone();
    let event = Event {
        event_id: None,
        user_id: user_id(11),
        item_id: taken.clone(),
        event_type: "purchase".to_owned(),
        value: None,
        timestamp: now,
        request_id: None,
        position: None,
        context: Default::default(),
    };
    let next = recommender.read(|state| state.log_seq().next());
    recommender.apply(&[(next, LogRecord::Event(event))]).unwrap();
    let again = page(11, 10).unwrap();
    assert!(!ids(&again).contains(&&taken) && again.items.len() == 10);
    // Beyond the candidates of the first answer the order goes on, to the end of the catalogue.
    let mut met: HashSet<ItemId> = ids(&shown).into_iter().chain(ids(&again)).cloned().collect();
    for offset in (20..super::ITEMS + 20).step_by(10) {
        let next = page(11, offset).unwrap();
        assert!(ids(&next).into_iter().all(|id| met.insert(id.clone())), "shown twice, at {offset}");
    }
    let eligible = recommender.read(|state| {
        let user = state.user("user-11").unwrap();
        let open = state.catalog().iter().filter(|(item, _)| state.catalog().is_recommendable(*item));
        open.filter(|(item, _)| !user.has_seen(*item, now)).count()
    });
    assert!(met.len() >= eligible, "{} of {eligible}", met.len());
    assert_eq!(page(11, 5_000).unwrap().items, []);
    assert!(matches!(page(12, 10), Err(RecommendError::UnknownPage { .. })), "another user's order");
}

#[test]
fn every_edge_has_its_answer() {
    let World { models, now, .. } = world();
    let empty = FeatureState::new(Arc::new(EventTypes::default()));
    let ask_in = |state: &FeatureState, request: &Request| -> Answer {
        Pipeline::default().recommend(state, None, request, *now, &Unlimited, &mut Scratch::default()).unwrap()
    };
    // No catalogue, and one that is smaller than k.
    assert_eq!(ask_in(&empty, &Request::of(None, 500)).items, []);
    let mut two = empty.clone();
    for number in 1..3_u64 {
        let item: Item = serde_json::from_str(&format!(r#"{{"item_id":"i{number}"}}"#)).unwrap();
        two.apply(LogSeq(number), &LogRecord::ItemPut { timestamp: Timestamp::EPOCH, item }).unwrap();
    }
    assert_eq!(ask_in(&two, &Request::of(None, 500)).items.len(), 2);
    // A filter that removes all, of attributes that nobody has; everything excluded.
    let request = Request { filter: filter("colour = 'red'"), ..Request::of(user_id(11), 10) };
    assert_eq!((ask(&request).items, ask(&request).degraded), (vec![], vec![]));
    let all = (1..=super::ITEMS).map(item_id).collect();
    assert_eq!(ask(&Request { exclude: all, ..Request::of(user_id(11), 10) }).items, []);
    assert!(models.ranker.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn nothing_is_invented_and_what_does_not_matter_changes_nothing(
        user in 1..140_usize,
        k in 1..30_usize,
        given in prop::collection::vec(1..=super::ITEMS, 0..20),
        price in 1..60_u32,
    ) {
        let World { state, models, now } = world();
        let request = Request {
            candidates: given.iter().map(|number| item_id(*number)).collect(),
            filter: filter(&format!("price < {price}")),
            ..Request::of(user_id(user), k)
        };
        let pipeline = Pipeline::default();
        let mut scratch = Scratch::default();
        let mut retrieved = pipeline.retrieve(state, Some(models), &request, *now, &Unlimited, &mut scratch).unwrap();
        let ranked = pipeline.rank(&mut retrieved, &Unlimited, &mut scratch);
        // The order is a permutation of the candidates; each was let through and came from somewhere.
        let mut places: Vec<usize> = ranked.iter().map(|ranked| ranked.candidate).collect();
        places.sort_unstable();
        prop_assert!(places.into_iter().eq(0..retrieved.candidates.len()));
        let let_through = |candidate: &Candidate| {
            retrieved.context.is_eligible(candidate.item) && !retrieved.sources_of(candidate.item).is_empty()
        };
        prop_assert!(retrieved.candidates.iter().all(let_through));
        let distinct: HashSet<_> = retrieved.candidates.iter().map(|candidate| candidate.item).collect();
        prop_assert_eq!(distinct.len(), retrieved.candidates.len());

        let answer = ask(&request);
        // An item that the filter drops may as well be excluded; the caller's order of candidates says nothing; a
        // longer list begins with the shorter one.
        let dropped = state.catalog().iter().find(|(_, item)| item.attributes.number("price") >= Some(f64::from(price)));
        let exclude = dropped.map(|(_, item)| item.id.clone()).into_iter().collect();
        let excluded = ask(&Request { exclude, ..request.clone() });
        prop_assert_eq!(ids(&excluded), ids(&answer));
        let candidates = request.candidates.iter().rev().cloned().collect();
        let reversed = ask(&Request { candidates, ..request.clone() });
        // Of a stranger nobody has scores: there the caller's order is all there is.
        if !retrieved.context.user.is_empty() {
            prop_assert_eq!(ids(&reversed), ids(&answer));
        }
        let longer = ask(&Request { k: 2 * k, ..request.clone() });
        if retrieved.candidates.len() >= 2 * k {
            prop_assert_eq!(&ids(&longer)[..answer.items.len()], &ids(&answer)[..]);
        }
    }
}
