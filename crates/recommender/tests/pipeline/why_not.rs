//! What is said of the items that are not shown.

use std::collections::HashMap;

use shortlist_recommender::{Answer, Boost, Fate, Pipeline, Request, RerankConfig, Scratch};
use shortlist_types::{ItemId, Unlimited};

use super::rerank::{ATTRIBUTE, asked, cap, categories, pin, with};
use super::surfaces::{filter, item_id};
use super::{ITEMS, World, user_id, world};

#[test]
fn why_not_tells_the_truth_of_every_item_of_a_thousand_requests() {
    let World { state, models, now } = world();
    let mut counts: HashMap<&'static str, usize> = HashMap::new();
    let mut by_rule: HashMap<String, usize> = HashMap::new();
    let plain = Pipeline::default();
    let boost = Boost { items: Some("price < 30".to_owned()), by: 0.3, fades_days: None, from: None, until: None };
    let rules = RerankConfig { boosts: vec![boost], pins: vec![pin(7, 2)], ..cap(Some(2), 0) };
    let ruled = with(rules);
    let all: Vec<ItemId> = (1..=ITEMS).map(item_id).chain([ItemId::parse("never-was").unwrap()]).collect();
    for number in 0..1_000 {
        let pipeline = if number % 2 == 0 { &plain } else { &ruled };
        let request = Request {
            exclude: vec![item_id(number % ITEMS + 1)],
            filter: if number % 3 == 0 { filter("price < 60") } else { None },
            ..Request::of(user_id(number % 140 + 1), 10)
        };
        let retrieved =
            pipeline.retrieve(state, Some(models), &request, *now, &Unlimited, &mut Scratch::default()).unwrap();
        let mut told = Vec::new();
        let mut answer = Answer::default();
        // All of the catalogue, as many as one request may ask about at a time.
        for some in all.chunks(100) {
            answer = asked(pipeline, &Request { why_not: some.to_vec(), ..request.clone() });
            told.extend(answer.why_not.clone());
        }
        assert_eq!(told.len(), ITEMS + 1);
        for told in &told {
            *counts.entry(told.fate.as_str()).or_default() += 1;
            let item = state.catalog().find(told.item_id.as_str());
            let is_candidate =
                item.is_some_and(|item| retrieved.candidates.iter().any(|candidate| candidate.item == item));
            let shown = answer.items.iter().position(|shown| shown.item_id == told.item_id);
            match &told.fate {
                Fate::Unknown => assert!(item.is_none()),
                Fate::Filtered(filter) => {
                    let item = item.unwrap();
                    let entry = state.catalog().get(item).unwrap();
                    let price = entry.attributes.number("price");
                    let reason = match filter.0 {
                        "excluded" => request.exclude.contains(&told.item_id),
                        "seen" => retrieved.context.user.has_seen(item, *now),
                        "filter" => request.filter.is_some() && price.is_none_or(|price| price >= 60.0),
                        "unavailable" => !state.catalog().is_recommendable(item),
                        other => panic!("{other}"),
                    };
                    assert!(reason && !is_candidate, "{told:?}");
                }
                Fate::NotProposed => {
                    assert!(
                        retrieved.sources_of(item.unwrap()).is_empty() && retrieved.context.is_eligible(item.unwrap())
                    );
                }
                Fate::NotChosen => assert!(!retrieved.sources_of(item.unwrap()).is_empty() && !is_candidate),
                Fate::Behind { rank, order_rank, moved_by, .. } => {
                    assert!(is_candidate && shown.is_none() && *rank >= 10);
                    // Who ranks among the first ten and is not there was kept out by a rule, which is named.
                    assert!(*order_rank >= 10 || !moved_by.is_empty(), "{told:?}");
                    for rule in moved_by {
                        let kind = rule.split(" at ").next().unwrap().split(':').next().unwrap().to_owned();
                        *by_rule.entry(kind).or_default() += 1;
                        if rule.contains("the cap on category") && rule.starts_with("held back") {
                            let of = categories(&answer);
                            let entry = state.catalog().get(item.unwrap()).unwrap();
                            let own = entry.attributes.labels(ATTRIBUTE).next().unwrap();
                            assert_eq!(of.iter().filter(|category| *category == own).count(), 2, "{told:?}: {of:?}");
                        }
                    }
                }
                Fate::Shown { rank } => assert_eq!(shown, Some(*rank)),
            }
        }
    }
    let fates = ["filtered", "not_proposed", "not_chosen", "ranked_behind", "shown", "unknown_item"];
    assert!(fates.iter().all(|fate| counts.contains_key(fate)), "{counts:?}");
    for rule in ["held back by the cap on category", "behind what was boosted by +0.30 where price < 30"] {
        assert!(by_rule.contains_key(rule), "{by_rule:?}");
    }
}
