use std::collections::BTreeMap;

use shortlist_types::{InvalidInput, ItemId, ItemIdx};

use super::RerankConfig;
use super::active::Active;
use super::contest::{Contest, How};
use super::explore::Drawn;
use crate::{Expression, RequestContext};

/// The rules of a surface, parsed.
#[derive(Debug)]
pub(crate) struct Reranker {
    pub(super) config: RerankConfig,
    /// Which items each boost is about; none: all.
    pub(super) boosted: Vec<Option<Expression>>,
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
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed {
    /// Its place in the order, from 0.
    pub(crate) from: usize,
    /// The rules that moved it, in words.
    pub(crate) moved_by: Vec<String>,
    /// The probability that it stands there, given the items above it: below 1 where items are drawn.
    pub(crate) propensity: f32,
}

/// The places of a list, and who was kept from one.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Arranged {
    /// In order of the places.
    pub(crate) placed: Vec<Placed>,
    /// Items that caps kept from a place, by their place in the order, with the caps; only if reasons are wanted.
    pub(crate) held_back: BTreeMap<usize, String>,
}

/// Which places of an order are arranged, and by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListPlan {
    /// Places before the list.
    pub(crate) offset: usize,
    /// Places of the list.
    pub(crate) k: usize,
    /// Whether likeness counts.
    pub(crate) diversity: bool,
    /// Of the draws; without it nothing is drawn.
    pub(crate) seed: Option<u64>,
    /// Whether reasons are wanted.
    pub(crate) explain: bool,
}

impl ListPlan {
    /// The first `k` places by all rules, with nothing drawn and without reasons.
    pub(crate) fn first(k: usize) -> Self {
        Self { offset: 0, k, diversity: true, seed: None, explain: false }
    }
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

    /// Which items of `order`, best first, stand on the planned places. `order` is what is left of the order there: a
    /// list is arranged by itself, whatever pages came before it.
    ///
    /// Where no item is left that keeps all caps, one that breaks the fewest has the place. A pin beyond the end of a short
    /// list stands last. Caps keep room for the pins of the list.
    ///
    /// **Cost**: with `diversity` a product of vectors for each item that comes near a place; with exploration a look
    /// at every item that may be drawn, per place; with reasons a look at every item per place.
    pub(crate) fn arrange(&self, request: &RequestContext<'_>, order: &[(ItemIdx, f32)], plan: ListPlan) -> Arranged {
        let mut contest = Contest::new(self, request, order, plan);
        let mut pins = self.placed_pins(&mut contest, request, order, plan);
        let end = plan.offset + plan.k.min(order.len());
        let mut placed = Vec::with_capacity(plan.k.min(order.len()));
        for place in plan.offset..end {
            let pin = pins.pop_if(|(due, _)| *due == place);
            let (item, propensity, how) = match pin {
                Some((_, item)) => (item, 1.0, How::Pinned),
                None => {
                    let left = end - place - pins.len();
                    let Some(Drawn { item, propensity, by_chance }) = contest.next(place, left) else { break };
                    (item, propensity, if by_chance { How::Drawn } else { How::Chosen })
                }
            };
            let moved_by = if plan.explain { contest.reasons(item, place, how) } else { Vec::new() };
            contest.take(item, place, how);
            placed.push(Placed { from: item, moved_by, propensity });
        }
        let held_back = if plan.explain { contest.held_back() } else { BTreeMap::new() };
        Arranged { placed, held_back }
    }

    /// The pins of a list, the last place first, each with its item; no other pin may come into it.
    fn placed_pins(
        &self,
        contest: &mut Contest<'_>,
        request: &RequestContext<'_>,
        order: &[(ItemIdx, f32)],
        plan: ListPlan,
    ) -> Vec<(usize, usize)> {
        let place_of = |item: ItemIdx| order.iter().position(|(other, _)| *other == item);
        let due = self.pinned(request).into_iter().filter(|(place, _)| *place >= plan.offset);
        let due: Vec<_> = due.filter_map(|(place, item)| Some((place, place_of(item)?))).collect();
        due.iter().for_each(|(_, item)| contest.set_apart(*item));
        let length = plan.k.min(order.len());
        let end = plan.offset + length;
        let mut pins = Vec::with_capacity(due.len());
        let mut next = plan.offset;
        for (place, item) in &due {
            // Of two for one place the second stands behind.
            next = next.max(*place);
            pins.push((next, *item));
            next += 1;
        }
        // Those that fit, and as many more as the list would be short of.
        let fit = pins.iter().filter(|(place, _)| *place < end).count();
        pins.truncate(fit.max((length + due.len()).saturating_sub(order.len())));
        for (before_end, (place, _)) in pins.iter_mut().rev().enumerate() {
            *place = (*place).min(end - 1 - before_end);
        }
        pins.iter().for_each(|(place, item)| contest.claim(*item, *place));
        pins.reverse();
        pins
    }
}
