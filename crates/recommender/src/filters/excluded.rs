use shortlist_types::ItemIdx;

use super::Filter;
use crate::{RequestContext, StageName};

/// Drops what the request itself excludes.
#[derive(Debug)]
pub(crate) struct Excluded;

impl Filter for Excluded {
    fn name(&self) -> StageName {
        StageName("excluded")
    }

    fn keep(&self, request: &RequestContext<'_>, item: ItemIdx) -> bool {
        request.excluded.binary_search(&item).is_err()
    }
}
