use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use shortlist_types::ItemIdx;

use super::attribute_values::AttributeValues;
use super::caps::{Counted, Verdict};
use super::explore::{Draw, Drawn};
use super::likeness::Likeness;
use super::reranker::Reranker;
use super::{Boost, Cap, ListPlan};
use crate::{Expression, RequestContext};

/// Items from the top of the order that compete for the places of a list.
const WINDOW_MAX: usize = 1_000;
const DAY_SECONDS: f64 = 86_400.0;

/// What competes for the places of one list. Items are known by their place in the order.
pub(super) struct Contest<'a> {
    reranker: &'a Reranker,
    diversity: f32,
    /// Scores between 0 and 1, and what boosts add.
    worth: Vec<f32>,
    /// What each boost adds to each item.
    boosts: Vec<Vec<(usize, f32)>>,
    likeness: Option<Likeness<'a>>,
    caps: Vec<(&'a str, Counted)>,
    /// Bits of the caps that kept an item from a place.
    held_back: Vec<u16>,
    /// Items that one of less worth was preferred to, for diversity; kept where reasons are wanted.
    passed_over: Vec<bool>,
    /// Has a place already, or waits for its own.
    is_out: Vec<bool>,
    /// Items in order of worth, the greatest first. Likeness only takes off: what stands behind in worth than the best
    /// value so far cannot win.
    by_worth: Vec<usize>,
    /// Each item's value when last looked at. Items grow more like the list as it grows, so it only falls, and who was
    /// behind the best then needs no second look (lazy greedy, Minoux 1978).
    last_value: Vec<f32>,
    /// Items that a cap keeps out for good.
    has_enough: Vec<bool>,
    draw: Option<Draw>,
}

/// An item, and what it was worth when last looked at.
#[derive(Debug, Clone, Copy)]
struct Standing {
    value: f32,
    item: usize,
}

impl Ord for Standing {
    /// By value; of equals the first of the order is the greatest: the order has the last word.
    fn cmp(&self, other: &Self) -> Ordering {
        self.value.total_cmp(&other.value).then_with(|| other.item.cmp(&self.item))
    }
}

impl PartialOrd for Standing {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Standing {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Standing {}

impl<'a> Contest<'a> {
    pub(super) fn new(
        reranker: &'a Reranker,
        request: &RequestContext<'a>,
        order: &[(ItemIdx, f32)],
        plan: ListPlan,
    ) -> Self {
        let window = &order[..order.len().min(WINDOW_MAX)];
        let items: Vec<ItemIdx> = window.iter().map(|(item, _)| *item).collect();
        let config = &reranker.config;
        let diversity = if plan.diversity { config.diversity as f32 } else { 0.0 };
        let likeness = (diversity > 0.0).then(|| match &config.diversity_by {
            None => Likeness::by_vectors(request.models, &items),
            Some(name) => {
                Likeness::by_values(AttributeValues::of(request.state.catalog(), name, items.iter().copied()))
            }
        });
        let counted = |(name, cap): (&'a String, &Cap)| {
            let values = AttributeValues::of(request.state.catalog(), name, items.iter().copied());
            (name.as_str(), Counted::new(*cap, values))
        };
        let mut contest = Self {
            reranker,
            diversity,
            worth: between_0_and_1(window),
            boosts: vec![Vec::new(); items.len()],
            likeness,
            caps: config.caps.iter().map(counted).collect(),
            held_back: vec![0; items.len()],
            passed_over: vec![false; items.len()],
            is_out: vec![false; order.len()],
            by_worth: Vec::new(),
            last_value: Vec::new(),
            has_enough: vec![false; items.len()],
            draw: config
                .explore
                .zip(plan.seed)
                .map(|(explore, seed)| Draw::new(explore, seed, plan.k.min(order.len()))),
        };
        for (number, (boost, items_of)) in config.boosts.iter().zip(&reranker.boosted).enumerate() {
            if boost.active().at(request.now) {
                contest.boost((number, boost), items_of.as_ref(), request, &items);
            }
        }
        contest.last_value = contest.worth.iter().map(|worth| (1.0 - diversity) * worth + 0.0).collect();
        contest.by_worth = (0..items.len()).collect();
        contest.by_worth.sort_by(|a, b| contest.worth[*b].total_cmp(&contest.worth[*a]).then(a.cmp(b)));
        contest
    }

    fn boost(
        &mut self,
        (number, boost): (usize, &Boost),
        items_of: Option<&Expression>,
        request: &RequestContext<'_>,
        items: &[ItemIdx],
    ) {
        for (place, item) in items.iter().enumerate() {
            let Some(entry) = request.state.catalog().get(*item) else { continue };
            if items_of.is_some_and(|expression| !expression.holds(entry)) {
                continue;
            }
            let age_days = (request.now.seconds_since(entry.first_seen) / DAY_SECONDS).max(0.0);
            let left = boost.fades_days.map_or(1.0, |days| (1.0 - age_days / days).max(0.0));
            let by = (boost.by * left) as f32;
            if by != 0.0 {
                self.worth[place] += by;
                self.boosts[place].push((number, by));
            }
        }
    }

    /// Takes an item out: it has a place of its own.
    pub(super) fn set_apart(&mut self, item: usize) {
        self.is_out[item] = true;
    }

    /// Keeps room for an item that will stand on a place. One from beyond the window counts for no cap.
    pub(super) fn claim(&mut self, item: usize, place: usize) {
        if item < self.worth.len() {
            self.caps.iter_mut().for_each(|(_, counted)| counted.claim(item, place));
        }
    }

    /// Who has a place that no pin claims, of `left` such places; none when nobody is left.
    pub(super) fn next(&mut self, place: usize, left: usize) -> Option<Drawn> {
        let certain = |item| Drawn { item, propensity: 1.0, by_chance: false };
        let Some(best) = self.best(place) else {
            // A cap is broken, or the order goes on as it is beyond the window: nothing is drawn.
            return self.any(place).map(certain);
        };
        let Some(mut draw) = self.draw.take_if(|draw| draw.is_open()) else { return Some(certain(best)) };
        let mut others = Vec::with_capacity(draw.among());
        for item in 0..self.worth.len().min(draw.among()) {
            if !self.is_out[item] && self.verdict(item, place).is_none() {
                others.push((item, self.value(item)));
            }
        }
        let drawn = draw.decide(best, &others, left);
        self.draw = Some(draw);
        Some(drawn)
    }

    /// The best item for a place of those that keep all caps.
    fn best(&mut self, place: usize) -> Option<usize> {
        let mut best: Option<Standing> = None;
        let mut kept_out = Vec::new();
        for at in 0..self.by_worth.len() {
            let item = self.by_worth[at];
            if self.is_out[item] || self.has_enough[item] {
                continue;
            }
            if let Some(best) = best {
                if (1.0 - self.diversity) * self.worth[item] < best.value {
                    break;
                }
                if (Standing { value: self.last_value[item], item }) < best {
                    continue;
                }
            }
            let standing = Standing { value: self.value(item), item };
            self.last_value[item] = standing.value;
            if best.is_none_or(|best| standing > best) {
                match self.verdict(item, place) {
                    None => best = Some(standing),
                    Some((cap, verdict)) => kept_out.push((standing, cap, verdict)),
                }
            }
        }
        for (standing, cap, verdict) in kept_out {
            // Those alone that would have had the place.
            if best.is_none_or(|best| standing > best) {
                self.held_back[standing.item] |= 1 << cap;
                // There are enough of it, and there will never be fewer.
                self.has_enough[standing.item] |= verdict == Verdict::Enough;
            }
        }
        best.map(|best| best.item)
    }

    /// Of all that are left the best that breaks the fewest caps; beyond the window the first of the order.
    fn any(&mut self, place: usize) -> Option<usize> {
        let mut best = None;
        for item in 0..self.worth.len() {
            if !self.is_out[item] {
                let broken = self.caps.iter().filter(|(_, counted)| counted.against(item, place).is_some()).count();
                best = best.max(Some((Reverse(broken), Standing { value: self.value(item), item })));
            }
        }
        let beyond = || (self.worth.len()..self.is_out.len()).find(|item| !self.is_out[*item]);
        best.map(|(_, best)| best.item).or_else(beyond)
    }

    /// What counts of an item now: its worth, less how much it is like those that were taken.
    fn value(&mut self, item: usize) -> f32 {
        let likeness = self.likeness.as_mut().map_or(0.0, |likeness| likeness.of(item));
        (1.0 - self.diversity) * self.worth[item] - self.diversity * likeness + 0.0
    }

    /// The first cap that speaks against an item on a place.
    fn verdict(&self, item: usize, place: usize) -> Option<(usize, Verdict)> {
        let caps = self.caps.iter().enumerate();
        caps.filter_map(|(cap, (_, counted))| Some((cap, counted.against(item, place)?))).next()
    }

    /// What moves an item to a place that it is about to be given.
    pub(super) fn reasons(&mut self, item: usize, place: usize, how: How) -> Vec<String> {
        let mut reasons = Vec::new();
        if how == How::Pinned {
            reasons.push(format!("pinned to place {}", place + 1));
        }
        if item >= self.worth.len() {
            return reasons;
        }
        for (number, by) in &self.boosts[item] {
            let boost = &self.reranker.config.boosts[*number];
            let what = boost.items.as_deref().map_or_else(|| "all".to_owned(), |items| format!("where {items}"));
            reasons.push(format!("boosted by {by:+.2} {what}"));
        }
        for (cap, (name, counted)) in self.caps.iter().enumerate() {
            if self.held_back[item] & (1 << cap) != 0 {
                reasons.push(format!("held back by the cap on {name}"));
            }
            if counted.against(item, place).is_some() && how != How::Pinned {
                reasons.push(format!("breaks the cap on {name}: nothing else was left"));
            }
        }
        match how {
            How::Drawn => reasons.push("drawn to explore".to_owned()),
            How::Chosen => reasons.extend(self.moved_for_diversity(item, place)),
            How::Pinned => {}
        }
        reasons
    }

    /// What diversity did for an item that is chosen for a place: there was one of more worth, or it was that one before.
    fn moved_for_diversity(&mut self, item: usize, place: usize) -> Option<String> {
        let likeness = self.likeness.as_mut()?.of(item);
        let worth = |item: usize| Standing { value: self.worth[item], item };
        let of_more_worth = |other: &usize| {
            !self.is_out[*other] && worth(*other) > worth(item) && self.verdict(*other, place).is_none()
        };
        let passed: Vec<usize> = (0..self.worth.len()).filter(of_more_worth).collect();
        let (jumps, was_passed) = (!passed.is_empty(), self.passed_over[item]);
        passed.into_iter().for_each(|other| self.passed_over[other] = true);
        match (jumps, was_passed) {
            (true, _) => Some(format!("moved up for diversity, likeness {likeness:.2}")),
            (false, true) => Some(format!("moved down for diversity, likeness {likeness:.2}")),
            (false, false) => None,
        }
    }

    /// Gives an item a place.
    pub(super) fn take(&mut self, item: usize, place: usize, how: How) {
        self.is_out[item] = true;
        if item < self.worth.len() {
            self.caps.iter_mut().for_each(|(_, counted)| counted.take(item, place, how == How::Pinned));
            if let Some(likeness) = &mut self.likeness {
                likeness.take(item);
            }
        }
    }

    /// The items without a place that caps kept from one, with those caps.
    pub(super) fn held_back(&self) -> BTreeMap<usize, String> {
        let names = |bits: u16| {
            let names = self.caps.iter().enumerate().filter(|(cap, _)| bits & (1 << cap) != 0);
            names.map(|(_, (name, _))| format!("the cap on {name}")).collect::<Vec<_>>().join(" and ")
        };
        let held = self.held_back.iter().enumerate().filter(|(item, bits)| **bits != 0 && !self.is_out[*item]);
        held.map(|(item, bits)| (item, names(*bits))).collect()
    }
}

/// How an item comes to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It has the place of its own.
    Pinned,
    /// It is the best for it.
    Chosen,
    /// By chance.
    Drawn,
}

/// Scores on a scale on which the worst has 0 and the best one 1; all 0 where they are all the same.
fn between_0_and_1(order: &[(ItemIdx, f32)]) -> Vec<f32> {
    let scores = || order.iter().map(|(_, score)| *score);
    let (least, most) = scores().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), s| (low.min(s), high.max(s)));
    // Halved, so that the range of finite scores is finite.
    let range = most / 2.0 - least / 2.0;
    scores().map(|score| if range > 0.0 { (score / 2.0 - least / 2.0) / range } else { 0.0 }).collect()
}
