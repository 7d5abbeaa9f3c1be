use shortlist_types::Budget;

use super::{Proposed, Source};
use crate::{RequestContext, Scratch, StageName};

/// Items that appeared lately, the newest first: they have no vector yet and too few events to be
/// popular, and would never be seen otherwise.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) days: f64,
}

/// Newest catalogue entries that one request looks at.
const LOOKED_AT_MAX: usize = 2_000;

impl Source for Fresh {
    fn name(&self) -> StageName {
        StageName("fresh")
    }

    fn propose(
        &self,
        request: &RequestContext<'_>,
        quota: usize,
        _budget: &dyn Budget,
        _scratch: &mut Scratch,
    ) -> Proposed {
        let newest = request.state.catalog().iter().rev().take(LOOKED_AT_MAX);
        let fresh = newest.filter(|(item, entry)| {
            let age_days = request.now.seconds_since(entry.first_seen) / 86_400.0;
            age_days <= self.days && request.is_eligible(*item)
        });
        Proposed::all(fresh.map(|(item, _)| item), quota)
    }
}
