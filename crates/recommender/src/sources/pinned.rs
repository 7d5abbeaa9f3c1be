use std::sync::Arc;

use shortlist_types::Budget;

use super::{Proposed, Source};
use crate::rerank::Reranker;
use crate::{RequestContext, Scratch, StageName};

/// Its name.
pub(crate) const PINNED: StageName = StageName("pinned");

/// Items that the surface gives a place of their own: the reranker puts them there.
#[derive(Debug)]
pub(crate) struct Pinned(pub(crate) Arc<Reranker>);

impl Source for Pinned {
    fn name(&self) -> StageName {
        PINNED
    }

    fn propose(
        &self,
        request: &RequestContext<'_>,
        quota: usize,
        _budget: &dyn Budget,
        _scratch: &mut Scratch,
    ) -> Proposed {
        Proposed::all(self.0.pinned(request).into_iter().map(|(_, item)| item), quota)
    }
}
