//! Candidate sources: each proposes items for one request, best first, none that a filter drops.

mod ann;
mod fresh;
mod given;
mod item_to_item;
mod pinned;
mod popular;
mod trending;

use shortlist_types::{Budget, ItemIdx};

use crate::{Degraded, RequestContext, Scratch, StageName};

pub(crate) use ann::Ann;
pub(crate) use fresh::Fresh;
pub(crate) use given::Given;
pub(crate) use item_to_item::ItemToItem;
pub(crate) use pinned::{PINNED, Pinned};
pub(crate) use popular::Popular;
pub(crate) use trending::{Trending, TrendingAlike};

/// Produces candidates for one request.
pub trait Source: Send + Sync {
    /// Its name in answers, logs and metrics.
    fn name(&self) -> StageName;
    /// At most `quota` eligible items, best first, without repeats.
    fn propose(
        &self,
        request: &RequestContext<'_>,
        quota: usize,
        budget: &dyn Budget,
        scratch: &mut Scratch,
    ) -> Proposed;
}

/// What a source proposes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Proposed {
    /// Items, best first.
    pub items: Vec<ItemIdx>,
    /// What it scored each by; empty of a source that only orders.
    pub scores: Vec<f32>,
    /// Whether it found less than it should have, and why.
    pub degraded: Option<Degraded>,
}

impl Proposed {
    /// The first `quota` of `items`, all of them looked for.
    pub(crate) fn all(items: impl Iterator<Item = ItemIdx>, quota: usize) -> Self {
        Self { items: items.take(quota).collect(), scores: Vec::new(), degraded: None }
    }
}
