use std::cmp::Reverse;

use shortlist_types::{Budget, ItemIdx};

use super::{Proposed, Source};
use crate::{RequestContext, Scratch, SourceKind, StageName};

/// Items that appeared lately: they have too few events to be popular, and a vector that was guessed from
/// their attributes at best, and would hardly be seen otherwise. First come those that suit the user's
/// taste best, then the newest.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) days: f64,
}

/// Newest catalogue entries that one request looks at.
const LOOKED_AT_MAX: usize = 500;
/// Items between two looks at the budget.
const SCORED: usize = 64;

impl Source for Fresh {
    fn name(&self) -> StageName {
        StageName(SourceKind::Fresh.name())
    }

    fn propose(
        &self,
        request: &RequestContext<'_>,
        quota: usize,
        budget: &dyn Budget,
        _scratch: &mut Scratch,
    ) -> Proposed {
        let newest = request.state.catalog().iter().rev().take(LOOKED_AT_MAX);
        let fresh = newest.filter(|(item, entry)| {
            let age_days = request.now.seconds_since(entry.first_seen) / 86_400.0;
            age_days <= self.days && request.is_eligible(*item)
        });
        let taste = request.models.zip(request.taste.as_ref());
        let score =
            |item: ItemIdx| taste.and_then(|(models, taste)| models.score(taste, item, models.vector(item).as_deref()));
        // Without time to score them all, those not reached count as unscored.
        let score = |(place, item): (usize, ItemIdx)| {
            let late = place % SCORED == SCORED - 1 && budget.exhausted();
            (Reverse(if late { None } else { score(item) }), item)
        };
        let mut scored: Vec<_> = fresh.map(|(item, _)| item).enumerate().map(score).collect();
        // Stable: items without a score stay in order of age.
        scored.sort_by_key(|(score, _)| *score);
        Proposed::all(scored.into_iter().map(|(_, item)| item), quota)
    }
}
