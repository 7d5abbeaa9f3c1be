use shortlist_types::ItemIdx;

use super::Filter;
use crate::{RequestContext, StageName};

/// Drops what its owner took out of the catalogue or does not offer now.
#[derive(Debug)]
pub(crate) struct Unavailable;

impl Filter for Unavailable {
    fn name(&self) -> StageName {
        StageName("unavailable")
    }

    fn keep(&self, request: &RequestContext<'_>, item: ItemIdx) -> bool {
        // A bit, where the item itself would be fetched from memory.
        request.state.catalog().recommendable().contains(item.0)
    }
}
