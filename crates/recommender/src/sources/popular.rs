use std::collections::HashSet;

use shortlist_types::{Budget, ItemIdx};

use super::{Proposed, Source};
use crate::{RequestContext, Scratch, StageName};

/// Items that many users wanted lately. When a user has had the whole board, the rest of the
/// catalogue follows in order of number, so that a list is short only when nothing is left.
#[derive(Debug)]
pub(crate) struct Popular;

impl Source for Popular {
    fn name(&self) -> StageName {
        StageName("popular")
    }

    fn propose(
        &self,
        request: &RequestContext<'_>,
        quota: usize,
        _budget: &dyn Budget,
        _scratch: &mut Scratch,
    ) -> Proposed {
        let board = request.state.popular().filter(|item| request.is_eligible(*item));
        let mut proposed = Proposed::all(board, quota);
        if proposed.items.len() < quota {
            let missing = quota - proposed.items.len();
            let taken: HashSet<ItemIdx> = proposed.items.iter().copied().collect();
            let rest = request.state.catalog().iter().map(|(item, _)| item);
            proposed
                .items
                .extend(rest.filter(|item| !taken.contains(item) && request.is_eligible(*item)).take(missing));
        }
        proposed
    }
}
