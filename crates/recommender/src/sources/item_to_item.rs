use shortlist_types::{Budget, ItemIdx};

use super::{Proposed, Source};
use crate::{RequestContext, Scratch, StageName};

/// Items that go along with what the user took up, by the item-to-item model.
#[derive(Debug)]
pub(crate) struct ItemToItem;

impl Source for ItemToItem {
    fn name(&self) -> StageName {
        StageName("item_to_item")
    }

    fn propose(
        &self,
        request: &RequestContext<'_>,
        quota: usize,
        _budget: &dyn Budget,
        _scratch: &mut Scratch,
    ) -> Proposed {
        let (Some(models), Some(taste)) = (request.models, &request.taste) else { return Proposed::default() };
        let mut eligible = |item: ItemIdx| request.is_eligible(item);
        Proposed { items: models.blend.neighbors(taste, quota, &mut eligible), degraded: None }
    }
}
