use shortlist_types::{InvalidInput, ItemId, ItemIdx};

use super::RerankConfig;
use super::active::Active;
use super::contest::Contest;
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
    /// A cap is broken only where no item is left that keeps it; a pin beyond the end of the list stands last.
    ///
    /// **Cost**: with `diversity` a product of vectors for each item that comes near a place; with exploration a look
    /// at every item that may be drawn, per place.
    pub(crate) fn arrange(
        &self,
        request: &RequestContext<'_>,
        order: &[(ItemIdx, f32)],
        plan: ListPlan,
    ) -> Vec<Placed> {
        let ListPlan { offset, k, .. } = plan;
        let mut contest = Contest::new(self, request, order, plan);
        let place_of = |item: ItemIdx| order.iter().position(|(other, _)| *other == item);
        let pinned = self.pinned(request).into_iter().filter(|(place, _)| *place >= offset);
        let mut pinned: Vec<_> = pinned.filter_map(|(place, item)| Some((place, place_of(item)?))).rev().collect();
        for (_, from) in &pinned {
            contest.set_apart(*from);
        }
        let mut list = Vec::with_capacity(k.min(order.len()));
        for place in offset..offset + k {
            let is_due = pinned.last().is_some_and(|(due, _)| *due <= place);
            let to_come = pinned.iter().filter(|(due, _)| *due < offset + k).count();
            let left = (offset + k - place).saturating_sub(to_come);
            let free = if is_due { None } else { contest.next(place, left) };
            let claims = || pinned.pop().map(|(_, item)| Drawn { item, propensity: 1.0, by_chance: false });
            let is_pin = free.is_none();
            let Some(Drawn { item, propensity, by_chance }) = free.or_else(claims) else { break };
            let mut moved_by = contest.take(item, place, list.len(), is_pin);
            if by_chance {
                moved_by.push("drawn to explore".to_owned());
            }
            list.push(Placed { from: item, moved_by, propensity });
        }
        list
    }
}
