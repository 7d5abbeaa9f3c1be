use shortlist_types::ItemIdx;

use super::Filter;
use crate::{RequestContext, StageName};

/// Drops what the user consumed already, until its type's time has passed.
#[derive(Debug)]
pub(crate) struct Seen;

impl Filter for Seen {
    fn name(&self) -> StageName {
        StageName("seen")
    }

    fn keep(&self, request: &RequestContext<'_>, item: ItemIdx) -> bool {
        !request.user.has_seen(item, request.now)
    }
}
