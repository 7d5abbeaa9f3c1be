//! Rules of a surface for its list as a whole: each holds wherever enough items exist, and what it did is told.

use std::collections::{HashMap, HashSet};

use proptest::prelude::{ProptestConfig, prop, proptest};
use proptest::{prop_assert, prop_assert_eq};
use shortlist_recommender::{
    Answer, Boost, Cap, Explore, Page, Pin, Pipeline, Recommender, Request, RerankConfig, Scratch, SurfaceConfig,
    Surfaces,
};
use shortlist_types::{ItemId, RequestId, Timestamp, Unlimited};

use super::surfaces::item_id;
use super::{ITEMS, World, ask, ids, user_id, world};

pub(crate) const ATTRIBUTE: &str = "category";

pub(crate) fn with(rerank: RerankConfig) -> Pipeline {
    Pipeline::new(SurfaceConfig { rerank, ..SurfaceConfig::home() }).unwrap()
}

pub(crate) fn asked(pipeline: &Pipeline, request: &Request) -> Answer {
    let World { state, models, now } = world();
    pipeline.recommend(state, Some(models), request, *now, &Unlimited, &mut Scratch::default()).unwrap()
}

/// The category of each item of an answer.
pub(crate) fn categories(answer: &Answer) -> Vec<String> {
    let catalog = world().state.catalog();
    let of = |id: &ItemId| {
        let entry = catalog.get(catalog.find(id.as_str()).unwrap()).unwrap();
        entry.attributes.labels(ATTRIBUTE).next().unwrap().to_owned()
    };
    ids(answer).into_iter().map(of).collect()
}

pub(crate) fn cap(most: Option<usize>, apart: usize) -> RerankConfig {
    RerankConfig { caps: [(ATTRIBUTE.to_owned(), Cap { most, apart })].into(), ..RerankConfig::default() }
}

pub(crate) fn pin(item: usize, position: usize) -> Pin {
    Pin { item_id: item_id(item).to_string(), position, from: None, until: None }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn caps_hold_while_enough_items_exist(user in 1..120_usize, k in 1..25_usize, most in 1..6_usize, apart in 0..3_usize) {
        let request = Request { explain: true, ..Request::of(user_id(user), k) };
        let answer = asked(&with(cap(Some(most), apart)), &request);
        prop_assert_eq!(answer.items.len(), k);
        let of = categories(&answer);
        let broken = |place: usize| {
            let told = &answer.items[place].explanation.as_ref().unwrap().moved_by;
            told.iter().any(|rule| rule.contains("nothing else was left"))
        };
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for (place, category) in of.iter().enumerate() {
            let count = counts.entry(category).or_default();
            *count += 1;
            let near = of[place.saturating_sub(apart)..place].contains(category);
            // Broken is told, and only where no other candidate kept the cap.
            prop_assert_eq!(*count > most || near, broken(place), "place {}", place);
            if broken(place) {
                let all = asked(&Pipeline::default(), &Request { k: 40, ..request.clone() });
                let shown = ids(&answer);
                for (id, other) in ids(&all).into_iter().zip(categories(&all)) {
                    let taken = of[..place].iter().filter(|category| **category == other).count();
                    let near = of[place.saturating_sub(apart)..place].contains(&other);
                    prop_assert!(shown[..=place].contains(&id) || taken >= most || near, "{} was left", id);
                }
            }
        }
    }

    #[test]
    fn pins_stand_where_they_should_once(
        user in 1..140_usize, k in 1..20_usize, pins in prop::collection::hash_map(1..=ITEMS, 1..30_usize, 0..5),
        diversity in prop::bool::ANY,
    ) {
        let pins: Vec<_> = pins.into_iter().map(|(item, position)| pin(item, position)).collect();
        let diversity = if diversity { 0.4 } else { 0.0 };
        let pipeline = with(RerankConfig { pins: pins.clone(), diversity, ..RerankConfig::default() });
        let request = Request::of(user_id(user), k);
        let answer = asked(&pipeline, &request);
        let shown: Vec<String> = ids(&answer).iter().map(ToString::to_string).collect();
        let World { state, models, now } = world();
        let retrieved = pipeline.retrieve(state, Some(models), &request, *now, &Unlimited, &mut Scratch::default()).unwrap();
        let is_eligible = |pin: &&Pin| retrieved.context.is_eligible(state.catalog().find(&pin.item_id).unwrap());
        let mut due: Vec<_> = pins.iter().filter(is_eligible).collect();
        due.sort_by_key(|pin| (pin.position, state.catalog().find(&pin.item_id)));
        let mut next = 0;
        for pin in due {
            let stands = shown.iter().position(|id| *id == pin.item_id);
            // Two pins of one place stand one behind the other.
            next = next.max(pin.position - 1);
            if next < k {
                prop_assert_eq!(stands, Some(next), "{:?} in {:?}", pin, shown);
            } else {
                prop_assert_eq!(stands, None);
            }
            next += 1;
        }
        let mut distinct = shown.clone();
        distinct.sort();
        distinct.dedup();
        prop_assert_eq!(distinct.len(), shown.len());
        prop_assert_eq!(shown.len(), k);
    }

    #[test]
    fn without_diversity_the_list_is_the_ranking_and_with_it_less_alike(user in 1..120_usize) {
        let request = Request::of(user_id(user), 10);
        // A rule that moves nothing: no diversity, and a cap that no list reaches.
        let still = asked(&with(cap(Some(500), 0)), &request);
        let plain = ask(&request);
        prop_assert_eq!(ids(&still), ids(&plain));
        let diverse = |diversity| asked(&with(RerankConfig { diversity, ..RerankConfig::default() }), &request);
        let (some, most) = (diverse(0.3), diverse(1.0));
        prop_assert_eq!(&ids(&some)[0], &ids(&still)[0], "nothing is above the first one");
        prop_assert!(likeness(&most) <= likeness(&still) + 1e-6);
        prop_assert!(likeness(&some) <= likeness(&still) + 0.05);
    }
}

#[test]
fn exploration_keeps_the_rules_and_its_share_and_tells_its_propensities() {
    let explore = Explore { share: 0.3, epsilon: Some(1.0), temperature: None, among: 60 };
    let rules = RerankConfig { pins: vec![pin(7, 2)], explore: Some(explore), ..cap(Some(3), 1) };
    let pipeline = with(rules);
    let named = |name: usize| Request {
        request_id: Some(RequestId::parse(&format!("request-{name}")).unwrap()),
        explain: true,
        keep: true,
        ..Request::of(None, 10)
    };
    let mut distinct = HashSet::new();
    let mut explored = 0;
    for name in 0..200 {
        let answer = asked(&pipeline, &named(name));
        assert_eq!(ids(&answer), ids(&asked(&pipeline, &named(name))), "the same request draws the same");
        assert_eq!(*ids(&answer)[1], item_id(7), "a pin is not drawn");
        let of = categories(&answer);
        assert!(of.iter().all(|one| of.iter().filter(|other| *other == one).count() <= 3), "{of:?}");
        assert!((1..10).all(|place| of[place] != of[place - 1]), "never two in a row: {of:?}");
        let decided = answer.decided.as_ref().unwrap();
        let mut drawn = 0;
        for item in &answer.items {
            let told = item.explanation.as_ref().unwrap();
            let index = world().state.catalog().find(item.item_id.as_str()).unwrap();
            let kept = decided.candidates.iter().find(|candidate| candidate.item == index).unwrap();
            assert_eq!((kept.position, kept.propensity), (Some(item.rank as u32), told.propensity));
            assert!(told.propensity > 0.0 && told.propensity <= 1.0);
            let is_drawn = told.moved_by.iter().any(|rule| rule == "drawn to explore");
            assert!(!is_drawn || (told.propensity < 0.1 && item.sentence().unwrap().contains("had a chance of 0.0")));
            drawn += usize::from(is_drawn);
        }
        assert!(drawn <= 3, "{drawn} of ten");
        explored += drawn;
        distinct.extend(ids(&answer).into_iter().cloned());
    }
    assert!(explored > 500 && distinct.len() > 35, "{explored} drawn, {} items", distinct.len());
    // Without a name nothing is drawn.
    let plain = asked(&pipeline, &Request { request_id: None, ..named(0) });
    let told = |answer: &Answer| answer.items.iter().all(|item| item.explanation.as_ref().unwrap().propensity >= 1.0);
    assert!(told(&plain));
}

/// Mean cosine of the pairs of a list.
fn likeness(answer: &Answer) -> f32 {
    let World { state, models, .. } = world();
    let vectors: Vec<_> =
        ids(answer).iter().filter_map(|id| models.vector(state.catalog().find(id.as_str()).unwrap())).collect();
    let unit = |v: &[f32]| {
        let length = v.iter().map(|x| x * x).sum::<f32>().sqrt();
        v.iter().map(|x| x / length).collect::<Vec<_>>()
    };
    let units: Vec<_> = vectors.iter().map(|v| unit(v)).collect();
    let (mut sum, mut count) = (0.0, 0.0_f32);
    for (at, a) in units.iter().enumerate() {
        for b in &units[..at] {
            sum += a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>().max(0.0);
            count += 1.0;
        }
    }
    sum / count.max(1.0)
}

#[test]
fn diversity_of_an_attribute_spreads_its_values() {
    let request = Request::of(user_id(11), 10);
    let distinct = |answer: &Answer| {
        let mut all = categories(answer);
        all.sort();
        all.dedup();
        all.len()
    };
    let config = RerankConfig { diversity: 0.7, diversity_by: Some(ATTRIBUTE.to_owned()), ..RerankConfig::default() };
    assert!(distinct(&asked(&with(config), &request)) > distinct(&ask(&request)));
}

#[test]
fn boosts_move_kinds_of_items_while_they_hold_and_fade_with_age() {
    let request = Request { explain: true, ..Request::of(user_id(11), 10) };
    let plain = ask(&request);
    let first = categories(&plain)[0].clone();
    let boost = |by: f64| Boost {
        items: Some(format!("{ATTRIBUTE} != '{first}'")),
        by,
        fades_days: None,
        from: None,
        until: None,
    };
    let asked_with =
        |boost: Boost| asked(&with(RerankConfig { boosts: vec![boost], ..RerankConfig::default() }), &request);
    let others = |answer: &Answer| categories(answer).iter().filter(|category| **category != first).count();
    let up = asked_with(boost(2.0));
    assert_eq!(others(&up), 10, "2 is more than the best is from the worst");
    let down = categories(&asked_with(boost(-2.0)));
    let own = down.iter().take_while(|category| **category == first).count();
    assert!(own > 1 && !down[own..].contains(&first), "all of the first one's come before all others: {down:?}");
    let told = &up.items[0].explanation.as_ref().unwrap().moved_by;
    assert!(told[0].starts_with("boosted by +2.00 where category"), "{told:?}");
    assert!(up.items[0].sentence().unwrap().contains("boosted by +2.00"));
    let now = world().now;
    for boost in [
        Boost { until: Some(now), ..boost(2.0) },
        Boost { from: Some(now.plus_seconds(1)), ..boost(2.0) },
        // All items are older than that.
        Boost { fades_days: Some(1e-6), ..boost(2.0) },
    ] {
        assert_eq!(ids(&asked_with(boost)), ids(&plain));
    }
    let until = Some(now.plus_seconds(1));
    assert_eq!(ids(&asked_with(Boost { until, from: Some(now), ..boost(2.0) })), ids(&up));
}

#[test]
fn pages_keep_the_rules_and_repeat_nothing() {
    let World { state, models, now } = world();
    let rerank = RerankConfig { pins: vec![pin(7, 3), pin(9, 14)], diversity: 0.3, ..cap(Some(3), 0) };
    let surfaces = Surfaces::from(SurfaceConfig { rerank, ..SurfaceConfig::home() });
    let recommender = Recommender::new(state.clone(), &surfaces).unwrap();
    let _ = models;
    let mut seen = Vec::new();
    let first = RequestId::parse("first").unwrap();
    for page in 0..3 {
        let request = Request {
            request_id: Some(RequestId::parse(&format!("page-{page}")).unwrap()),
            page: (page > 0).then(|| Page { request_id: first.clone(), offset: page * 10 }),
            ..Request::of(None, 10)
        };
        let request = if page == 0 { Request { request_id: Some(first.clone()), ..request } } else { request };
        let answer = recommender.recommend(&request, *now, &Unlimited).unwrap();
        assert_eq!(answer.items.len(), 10);
        let of = categories(&answer);
        assert!(of.iter().all(|one| of.iter().filter(|other| *other == one).count() <= 3), "{of:?}");
        seen.extend(answer.items.into_iter().map(|item| item.item_id));
    }
    assert_eq!((seen[2].clone(), seen[13].clone()), (item_id(7), item_id(9)));
    let mut distinct = seen.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 30);
}

#[test]
fn what_makes_no_sense_is_refused_by_its_name() {
    let time = |text: &str| Some(Timestamp::parse(text).unwrap());
    let exploring = |epsilon, temperature, share| RerankConfig {
        explore: Some(Explore { share, epsilon, temperature, among: 100 }),
        ..RerankConfig::default()
    };
    let boost = Boost { items: None, by: 1.0, fades_days: None, from: None, until: None };
    for (rerank, text) in [
        (RerankConfig { diversity: 1.1, ..RerankConfig::default() }, "rerank.diversity: must be 0 to 1, got 1.1"),
        (RerankConfig { diversity: f64::NAN, ..RerankConfig::default() }, "rerank.diversity: must be 0 to 1, got NaN"),
        (exploring(None, None, 0.1), "rerank.explore: needs either epsilon, for a uniform draw, or temperature"),
        (exploring(Some(0.1), Some(0.1), 0.1), "rerank.explore: needs either epsilon"),
        (exploring(Some(1.5), None, 0.1), "rerank.explore.epsilon: must be 0 to 1, got 1.5"),
        (exploring(None, Some(0.0), 0.1), "rerank.explore.temperature: must be 0.001 to 10, got 0"),
        (exploring(Some(0.5), None, f64::NAN), "rerank.explore.share: must be 0 to 1, got NaN"),
        (cap(Some(0), 0), "rerank.caps.category: needs most"),
        (cap(None, 0), "rerank.caps.category: needs most"),
        (
            RerankConfig { boosts: vec![Boost { by: 11.0, ..boost.clone() }], ..RerankConfig::default() },
            "rerank.boosts[0].by: must be -10 to 10, got 11",
        ),
        (
            RerankConfig {
                boosts: vec![Boost { items: Some("price <".to_owned()), ..boost.clone() }],
                ..RerankConfig::default()
            },
            "rerank.boosts[0].where: expected a number at character 8, got the end",
        ),
        (
            RerankConfig {
                boosts: vec![Boost {
                    from: time("2026-02-01T00:00:00Z"),
                    until: time("2026-01-01T00:00:00Z"),
                    ..boost
                }],
                ..RerankConfig::default()
            },
            "rerank.boosts[0].until: must come after from",
        ),
        (
            RerankConfig { pins: vec![pin(1, 0)], ..RerankConfig::default() },
            "rerank.pins[0].position: must be 1 to 500, got 0",
        ),
        (
            RerankConfig { pins: vec![pin(1, 1), pin(1, 2)], ..RerankConfig::default() },
            "rerank.pins[1].item_id: \"item-1\" is pinned twice",
        ),
    ] {
        let error = Pipeline::new(SurfaceConfig { rerank, ..SurfaceConfig::home() }).map(drop).unwrap_err().to_string();
        assert!(error.starts_with(text), "{error}");
    }
}
