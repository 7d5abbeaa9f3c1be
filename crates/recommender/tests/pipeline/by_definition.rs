//! Every place of a list against the definition of the rules, item by item.

use proptest::prelude::{ProptestConfig, prop, proptest};
use proptest::{prop_assert, prop_assert_eq};
use shortlist_recommender::{Answer, Boost, Cap, Pin, Pipeline, RecommendedItem, Request, RerankConfig, SurfaceConfig};
use shortlist_types::ItemId;

use super::rerank::asked;
use super::{World, ids, user_id, world};

/// A whole ranking, and what the rules read of it: what a list is checked against, place by place.
struct Oracle {
    ids: Vec<ItemId>,
    worth: Vec<f32>,
    units: Vec<Vec<f32>>,
    /// Per capped attribute, the values of each item.
    values: Vec<(Cap, Vec<Vec<String>>)>,
}

impl Oracle {
    fn new(ranking: &Answer, rules: &RerankConfig) -> Self {
        let World { state, models, .. } = world();
        let index = |item: &RecommendedItem| state.catalog().find(item.item_id.as_str()).unwrap();
        let unit = |item: &RecommendedItem| {
            // What no model knows is like nothing.
            let vector = models.vector(index(item));
            let length = vector.as_ref().map_or(1.0, |vector| vector.iter().map(|x| x * x).sum::<f32>().sqrt());
            vector.map(|vector| vector.iter().map(|x| x / length).collect()).unwrap_or_default()
        };
        let scores: Vec<f32> = ranking.items.iter().map(|item| item.score.get()).collect();
        let (most, least) = (scores[0], scores[scores.len() - 1]);
        let worth = |item: &RecommendedItem| {
            let price = state.catalog().get(index(item)).unwrap().attributes.number("price").unwrap();
            let boost = rules.boosts.iter().map(|boost| if price < 40.0 { boost.by as f32 } else { 0.0 }).sum::<f32>();
            (item.score.get() - least) / (most - least) + boost
        };
        let values = rules.caps.iter().map(|(name, cap)| {
            let of = |item: &RecommendedItem| {
                let entry = state.catalog().get(index(item)).unwrap();
                entry.attributes.labels(name).map(str::to_owned).collect()
            };
            (*cap, ranking.items.iter().map(of).collect())
        });
        Self {
            ids: ids(ranking).into_iter().cloned().collect(),
            worth: ranking.items.iter().map(worth).collect(),
            units: ranking.items.iter().map(unit).collect(),
            values: values.collect(),
        }
    }

    /// How many caps an item breaks on a place below `list`, with the pins that are still to come.
    fn broken(&self, item: usize, list: &[usize], pins: &[(usize, usize)]) -> usize {
        let place = list.len();
        let breaks = |(cap, values): &&(Cap, Vec<Vec<String>>)| {
            let shares = |other: usize| values[item].iter().any(|value| values[other].contains(value));
            let enough = values[item].iter().any(|value| {
                let has = |other: &usize| values[*other].contains(value);
                let to_come = pins.iter().filter(|(due, pin)| *due > place && has(pin)).count();
                cap.most.is_some_and(|most| list.iter().filter(|other| has(other)).count() + to_come >= most)
            });
            let above = list.iter().rev().take(cap.apart).any(|other| shares(*other));
            let below = pins.iter().any(|(due, pin)| *due > place && due - place <= cap.apart && shares(*pin));
            enough || above || below
        };
        self.values.iter().filter(breaks).count()
    }

    fn value(&self, item: usize, list: &[usize], diversity: f32) -> f32 {
        let cosine = |other: &usize| self.units[item].iter().zip(&self.units[*other]).map(|(x, y)| x * y).sum::<f32>();
        (1.0 - diversity) * self.worth[item] - diversity * list.iter().map(cosine).fold(0.0, f32::max)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_place_goes_to_the_best_that_breaks_the_fewest_caps(
        user in 1..120_usize, k in 1..25_usize, diversity in prop::sample::select(vec![0.0, 0.2, 0.6]),
        caps in prop::collection::btree_map(prop::sample::select(vec!["category", "brand"]), (1..4_usize, 0..3_usize), 0..3),
        boost in prop::sample::select(vec![0.0, 0.3, -0.3]), pins in prop::collection::btree_map(0..300_usize, 1..30_usize, 0..4),
    ) {
        // All that there is is a candidate, so that pins add none.
        let all = |rerank| {
            Pipeline::new(SurfaceConfig { candidates_max: 500, candidates_share: 1.0, rerank, ..SurfaceConfig::home() }).unwrap()
        };
        let request = Request::of(user_id(user), k);
        let ranking = asked(&all(RerankConfig::default()), &Request { k: 400, ..request.clone() });
        let mut due: Vec<(usize, usize)> =
            pins.into_iter().filter(|(item, _)| *item < ranking.items.len()).map(|(item, position)| (position - 1, item)).collect();
        let boost = Boost { items: Some("price < 40".to_owned()), by: boost, fades_days: None, from: None, until: None };
        let rules = RerankConfig {
            diversity,
            caps: caps.into_iter().map(|(name, (most, apart))| (name.to_owned(), Cap { most: Some(most), apart })).collect(),
            boosts: vec![boost],
            pins: due.iter().map(|(place, item)| Pin {
                item_id: ranking.items[*item].item_id.to_string(), position: place + 1, from: None, until: None,
            }).collect(),
            ..RerankConfig::default()
        };
        let oracle = Oracle::new(&ranking, &rules);
        let number = |item: &usize| world().state.catalog().find(oracle.ids[*item].as_str());
        due.sort_by_key(|(place, item)| (*place, number(item)));
        let pinned: Vec<usize> = due.iter().map(|(_, item)| *item).collect();
        let mut next = 0;
        for (place, _) in &mut due {
            *place = next.max(*place);
            next = *place + 1;
        }
        due.retain(|(place, _)| *place < k);
        let answer = asked(&all(rules), &request);
        let shown: Vec<usize> = ids(&answer).into_iter().map(|id| oracle.ids.iter().position(|known| known == id).unwrap()).collect();
        prop_assert_eq!(shown.len(), k);
        for (place, item) in shown.iter().enumerate() {
            let list = &shown[..place];
            if let Some((_, pin)) = due.iter().find(|(due, _)| *due == place) {
                prop_assert_eq!(item, pin);
                continue;
            }
            prop_assert!(!pinned.contains(item) && !list.contains(item));
            let rank = |item: usize| (oracle.broken(item, list, &due), oracle.value(item, list, diversity as f32));
            let (broken, value) = rank(*item);
            for other in (0..oracle.ids.len()).filter(|other| !list.contains(other) && !pinned.contains(other)) {
                let (other_broken, other_value) = rank(other);
                let is_worse = other_broken > broken || (other_broken == broken && other_value <= value + 1e-4);
                prop_assert!(is_worse, "place {}: {} breaks {} at {}, {} breaks {} at {}",
                    place, item, broken, value, other, other_broken, other_value);
            }
        }
    }
}
