use shortlist_types::ItemIdx;

use super::{Expression, Filter};
use crate::{RequestContext, StageName};

/// Drops what the filter expression of the request does not ask for.
#[derive(Debug)]
pub(crate) struct Asked;

impl Filter for Asked {
    fn name(&self) -> StageName {
        StageName("filter")
    }

    fn keep(&self, request: &RequestContext<'_>, item: ItemIdx) -> bool {
        request.asked.as_ref().is_none_or(|asked| asked.keep(request, item))
    }
}

/// Drops what the surface's own expression leaves out.
#[derive(Debug)]
pub(crate) struct Standing(pub(crate) Expression);

impl Filter for Standing {
    fn name(&self) -> StageName {
        StageName("where")
    }

    fn keep(&self, request: &RequestContext<'_>, item: ItemIdx) -> bool {
        request.state.catalog().get(item).is_some_and(|item| self.0.holds(item))
    }
}
