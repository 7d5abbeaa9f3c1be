use shortlist_types::Budget;

use super::{Proposed, Source};
use crate::{RequestContext, Scratch, SourceKind, StageName};

/// What the caller proposes with the request, in his order.
#[derive(Debug)]
pub(crate) struct Given;

impl Source for Given {
    fn name(&self) -> StageName {
        StageName(SourceKind::Given.name())
    }

    fn propose(
        &self,
        request: &RequestContext<'_>,
        quota: usize,
        _budget: &dyn Budget,
        _scratch: &mut Scratch,
    ) -> Proposed {
        Proposed::all(request.given.iter().copied().filter(|item| request.is_eligible(*item)), quota)
    }
}
