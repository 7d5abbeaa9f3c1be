use std::collections::HashSet;

use shortlist_types::Budget;

use super::{Proposed, Source};
use crate::{RequestContext, Scratch, SourceKind, StageName};

/// Items that many users wanted this week.
#[derive(Debug)]
pub(crate) struct Trending;

impl Source for Trending {
    fn name(&self) -> StageName {
        StageName(SourceKind::Trending.name())
    }

    fn propose(
        &self,
        request: &RequestContext<'_>,
        quota: usize,
        _budget: &dyn Budget,
        _scratch: &mut Scratch,
    ) -> Proposed {
        Proposed::all(request.state.trending().filter(|item| request.is_eligible(*item)), quota)
    }
}

/// The same among what is filed as the latest items are that the user wanted, or as the item is that he looks at.
#[derive(Debug)]
pub(crate) struct TrendingAlike {
    /// The attribute of items that says how they are filed.
    pub(crate) attribute: String,
}

/// Latest items whose texts are looked at.
const LATEST: usize = 10;

impl Source for TrendingAlike {
    fn name(&self) -> StageName {
        StageName(SourceKind::TrendingAlike.name())
    }

    fn propose(
        &self,
        request: &RequestContext<'_>,
        quota: usize,
        _budget: &dyn Budget,
        _scratch: &mut Scratch,
    ) -> Proposed {
        let catalog = request.state.catalog();
        let filed = |item| catalog.get(item).into_iter().flat_map(|item| item.attributes.labels(&self.attribute));
        let latest: HashSet<&str> = match request.anchor {
            Some(item) => filed(item).collect(),
            None => request.user.wanted().iter().take(LATEST).flat_map(|entry| filed(entry.item)).collect(),
        };
        let alike = request.state.trending().filter(|item| filed(*item).any(|text| latest.contains(text)));
        Proposed::all(alike.filter(|item| request.is_eligible(*item)), quota)
    }
}
