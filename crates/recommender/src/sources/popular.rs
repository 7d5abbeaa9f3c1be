use std::collections::HashSet;

use shortlist_types::{Budget, ItemIdx};

use super::{Proposed, Source};
use crate::{Degraded, RequestContext, Scratch, SourceKind, StageName};

/// Items that many users wanted lately. When a user has had the whole board, the rest of the
/// catalogue follows in order of number, so that a list is short only when nothing is left.
#[derive(Debug)]
pub(crate) struct Popular;

/// Catalogue entries between two looks at the budget.
const LOOKED_AT: usize = 1_024;

impl Source for Popular {
    fn name(&self) -> StageName {
        StageName(SourceKind::Popular.name())
    }

    fn propose(
        &self,
        request: &RequestContext<'_>,
        quota: usize,
        budget: &dyn Budget,
        _scratch: &mut Scratch,
    ) -> Proposed {
        let board = request.state.popular().filter(|item| request.is_eligible(*item));
        let mut proposed = Proposed::all(board, quota);
        let taken: HashSet<ItemIdx> = proposed.items.iter().copied().collect();
        // Where a filter leaves a known set, nothing else need be looked at.
        let everything: Box<dyn Iterator<Item = ItemIdx>> = match request.allowed_items() {
            Some(items) => Box::new(items.iter().map(ItemIdx)),
            None => Box::new(request.state.catalog().iter().map(|(item, _)| item)),
        };
        for (place, item) in everything.enumerate() {
            if proposed.items.len() >= quota {
                break;
            }
            if place % LOOKED_AT == LOOKED_AT - 1 && budget.exhausted() {
                proposed.degraded = Some(Degraded::SourceTimeout);
                break;
            }
            if !taken.contains(&item) && request.is_eligible(item) {
                proposed.items.push(item);
            }
        }
        proposed
    }
}
