use std::collections::BTreeMap;

use shortlist_types::ItemIdx;

use super::Filter;
use crate::{RequestContext, StageName};

/// Drops what a label says is more than the surface shows. It fails closed: an item without the label's number is
/// dropped, since nobody said that it is safe.
#[derive(Debug)]
pub(crate) struct Safety {
    /// The most that is shown, by label.
    pub(crate) most: BTreeMap<String, f64>,
}

impl Filter for Safety {
    fn name(&self) -> StageName {
        StageName("safety")
    }

    fn keep(&self, request: &RequestContext<'_>, item: ItemIdx) -> bool {
        let Some(item) = request.state.catalog().get(item) else { return false };
        self.most.iter().all(|(label, most)| item.attributes.number(label).is_some_and(|number| number <= *most))
    }
}
