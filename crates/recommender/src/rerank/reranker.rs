use shortlist_types::{InvalidInput, ItemId, ItemIdx};

use super::active::Active;
use super::attribute_values::AttributeValues;
use super::caps::Counted;
use super::likeness::Likeness;
use super::{Boost, RerankConfig};
use crate::{Expression, RequestContext};

/// Items from the top of the order that compete for the places of a list.
const WINDOW_MAX: usize = 1_000;
const DAY_SECONDS: f64 = 86_400.0;

/// The rules of a surface, parsed.
#[derive(Debug)]
pub(crate) struct Reranker {
    config: RerankConfig,
    /// Which items each boost is about; none: all.
    boosted: Vec<Option<Expression>>,
    pins: Vec<ActivePin>,
}

#[derive(Debug)]
struct ActivePin {
    item_id: ItemId,
    /// From 0.
    place: usize,
    active: Active,
}

/// An item of the order that was given a place of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Its place in the order, from 0.
    pub(crate) from: usize,
    /// The rules that moved it, in words.
    pub(crate) moved_by: Vec<String>,
}

/// What competes for the places of one list.
struct Contest<'a> {
    reranker: &'a Reranker,
    diversity: f32,
    /// Scores between 0 and 1, and what boosts add.
    worth: Vec<f32>,
    /// What each boost adds to each item.
    boosts: Vec<Vec<(usize, f32)>>,
    likeness: Option<Likeness>,
    caps: Vec<(&'a str, Counted)>,
    /// Bits of the caps that kept an item from a place.
    held_back: Vec<u16>,
    /// Has a place already, or waits for its own.
    is_out: Vec<bool>,
}

impl Reranker {
    /// None if there is nothing to do.
    ///
    /// # Errors
    /// A field out of range, or an expression that does not parse.
    pub(crate) fn parse(config: &RerankConfig) -> Result<Option<Self>, InvalidInput> {
        config.check()?;
        if config.is_nothing() {
            return Ok(None);
        }
        let boosted = config.boosts.iter().enumerate().map(|(i, boost)| {
            let parsed = boost.items.as_deref().map(Expression::parse).transpose();
            parsed.map_err(|error| InvalidInput::new(format!("boosts[{i}].where"), error.reason))
        });
        let pins = config.pins.iter().enumerate().map(|(i, pin)| {
            let item_id = ItemId::parse(&pin.item_id);
            let item_id = item_id.map_err(|error| InvalidInput::new(format!("pins[{i}].item_id"), error.reason))?;
            Ok(ActivePin { item_id, place: pin.position - 1, active: pin.active() })
        });
        let (boosted, pins) = (boosted.collect::<Result<_, _>>()?, pins.collect::<Result<Vec<_>, InvalidInput>>()?);
        Ok(Some(Self { config: config.clone(), boosted, pins }))
    }

    /// The eligible items that have a place of their own now, each with it, in order of places.
    pub(crate) fn pinned(&self, request: &RequestContext<'_>) -> Vec<(usize, ItemIdx)> {
        let active = self.pins.iter().filter(|pin| pin.active.at(request.now));
        let known = active.filter_map(|pin| Some((pin.place, request.state.catalog().find(pin.item_id.as_str())?)));
        let mut pinned: Vec<_> = known.filter(|(_, item)| request.is_eligible(*item)).collect();
        pinned.sort_unstable();
        pinned
    }

    /// Which items of `order`, best first, stand on the `k` places from `offset` on. `order` is what is left of the
    /// order there: a list is arranged by itself, whatever pages came before it.
    ///
    /// A cap is broken only where no item is left that keeps it; a pin beyond the end of the list stands last.
    ///
    /// **Cost**: k x candidates, and as many products per component of a vector with `diversity`.
    pub(crate) fn arrange(
        &self,
        request: &RequestContext<'_>,
        order: &[(ItemIdx, f32)],
        (offset, k): (usize, usize),
        diversity: bool,
    ) -> Vec<Placed> {
        let mut contest = Contest::new(self, request, order, diversity);
        let place_of = |item: ItemIdx| order.iter().position(|(other, _)| *other == item);
        let pinned = self.pinned(request).into_iter().filter(|(place, _)| *place >= offset);
        let mut pinned: Vec<_> = pinned.filter_map(|(place, item)| Some((place, place_of(item)?))).rev().collect();
        for (_, from) in &pinned {
            contest.is_out[*from] = true;
        }
        let mut list = Vec::with_capacity(k.min(order.len()));
        for place in offset..offset + k {
            let is_due = pinned.last().is_some_and(|(due, _)| *due <= place);
            let free = if is_due { None } else { contest.best(place) };
            let Some(from) = free.or_else(|| pinned.pop().map(|(_, from)| from)) else { break };
            let is_pin = free.is_none();
            list.push(Placed { from, moved_by: contest.take(from, place, list.len(), is_pin) });
        }
        list
    }
}

impl<'a> Contest<'a> {
    fn new(reranker: &'a Reranker, request: &RequestContext<'_>, order: &[(ItemIdx, f32)], diversity: bool) -> Self {
        let window = &order[..order.len().min(WINDOW_MAX)];
        let items: Vec<ItemIdx> = window.iter().map(|(item, _)| *item).collect();
        let config = &reranker.config;
        let diversity = if diversity { config.diversity as f32 } else { 0.0 };
        let likeness = (diversity > 0.0).then(|| match &config.diversity_by {
            None => Likeness::by_vectors(request, &items),
            Some(name) => {
                let values = AttributeValues::of(request.state.catalog(), name, items.iter().copied());
                Likeness::by_values(values, items.len())
            }
        });
        let counted = |(name, cap): (&'a String, &super::Cap)| {
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
            is_out: vec![false; order.len()],
        };
        for (number, (boost, items_of)) in config.boosts.iter().zip(&reranker.boosted).enumerate() {
            if boost.active().at(request.now) {
                contest.boost((number, boost), items_of.as_ref(), request, &items);
            }
        }
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

    /// The best item for a place: of those that keep all caps, or of all if none does.
    fn best(&mut self, place: usize) -> Option<usize> {
        let mut best: Option<(f32, usize)> = None;
        let mut any = best;
        for item in 0..self.worth.len() {
            if self.is_out[item] {
                continue;
            }
            let likeness = self.likeness.as_ref().map_or(0.0, |likeness| likeness.of(item));
            let value = (1.0 - self.diversity) * self.worth[item] - self.diversity * likeness;
            // The first of equals: the order has the last word.
            if any.is_none_or(|(most, _)| value > most) {
                any = Some((value, item));
            }
            if best.is_none_or(|(most, _)| value > most) {
                match self.caps.iter().position(|(_, counted)| !counted.allows(item, place)) {
                    None => best = Some((value, item)),
                    Some(cap) => self.held_back[item] |= 1 << cap,
                }
            }
        }
        // Beyond the window the order goes on as it is.
        let beyond = || (self.worth.len()..self.is_out.len()).find(|item| !self.is_out[*item]);
        best.or(any).map(|(_, item)| item).or_else(beyond)
    }

    /// Gives an item a place of the order, the `row`th of the list; what moved it there.
    fn take(&mut self, item: usize, place: usize, row: usize, is_pin: bool) -> Vec<String> {
        self.is_out[item] = true;
        let mut moved_by = Vec::new();
        if is_pin {
            moved_by.push(format!("pinned to place {}", place + 1));
        }
        if item >= self.worth.len() {
            return moved_by;
        }
        for (number, by) in &self.boosts[item] {
            let boost = &self.reranker.config.boosts[*number];
            let what = boost.items.as_deref().map_or_else(|| "all".to_owned(), |items| format!("where {items}"));
            moved_by.push(format!("boosted by {by:+.2} {what}"));
        }
        for (cap, (name, counted)) in self.caps.iter_mut().enumerate() {
            if self.held_back[item] & (1 << cap) != 0 {
                moved_by.push(format!("held back by the cap on {name}"));
            }
            if !counted.allows(item, place) && !is_pin {
                moved_by.push(format!("breaks the cap on {name}: nothing else was left"));
            }
            counted.take(item, place);
        }
        if let Some(likeness) = &mut self.likeness {
            let alike = likeness.of(item);
            if item != row && moved_by.is_empty() {
                moved_by.push(format!("moved for diversity, likeness {alike:.2}"));
            }
            likeness.take(item);
        }
        moved_by
    }
}

/// Scores on a scale on which the worst has 0 and the best one 1; all 0 where they are all the same.
fn between_0_and_1(order: &[(ItemIdx, f32)]) -> Vec<f32> {
    let scores = || order.iter().map(|(_, score)| *score);
    let (least, most) = scores().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), s| (low.min(s), high.max(s)));
    // Halved, so that the range of finite scores is finite.
    let range = most / 2.0 - least / 2.0;
    scores().map(|score| if range > 0.0 { (score / 2.0 - least / 2.0) / range } else { 0.0 }).collect()
}
