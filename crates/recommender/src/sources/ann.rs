use shortlist_retrieval::{Allowed, SearchParams};
use shortlist_types::{Budget, ItemIdx};

use super::{Proposed, Source};
use crate::{Degraded, RequestContext, Scratch, SourceKind, StageName};

/// Items whose joined vectors have the greatest inner product with the user's.
#[derive(Debug)]
pub(crate) struct Ann {
    /// How hard the search tries.
    pub(crate) effort: usize,
}

/// Least effort of a search, however busy the service.
const EFFORT_MIN: usize = 8;

impl Source for Ann {
    fn name(&self) -> StageName {
        StageName(SourceKind::Ann.name())
    }

    fn propose(
        &self,
        request: &RequestContext<'_>,
        quota: usize,
        budget: &dyn Budget,
        scratch: &mut Scratch,
    ) -> Proposed {
        let space = request.models.and_then(|models| models.space.as_ref());
        let query = request.taste.as_ref().and_then(|taste| taste.query.as_ref());
        let Some((space, query)) = space.zip(query) else { return Proposed::default() };
        let eligible = |item: ItemIdx| request.is_eligible(item);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a part of it
        let effort = (self.effort as f64 * request.effort) as usize;
        let params = SearchParams::new(quota, effort.max(EFFORT_MIN));
        // A few items are a set, which the search may scan; of many it asks as it meets them.
        let few = request.few_eligible();
        let allowed = few.as_ref().map_or(Allowed::Predicate(&eligible), Allowed::Set);
        match space.search(query.as_slice(), params, allowed, budget, &mut scratch.search) {
            Ok(found) => Proposed {
                items: found.neighbors.iter().map(|neighbor| neighbor.item).collect(),
                scores: found.neighbors.iter().map(|neighbor| neighbor.score.get()).collect(),
                degraded: (!found.complete).then_some(Degraded::SourceTimeout),
            },
            // The bundle was checked when it was loaded: vector and index have the same dimensions.
            Err(error) => {
                tracing::error!(%error, "neighbour search refused the user's vector");
                Proposed { degraded: Some(Degraded::AnnFailed), ..Proposed::default() }
            }
        }
    }
}
