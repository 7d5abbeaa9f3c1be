use shortlist_types::{Budget, ItemIdx};

use super::{Proposed, Source};
use crate::{RequestContext, Scratch, SourceKind, StageName};

/// Items that go along with what the user took up, by the item-to-item model.
#[derive(Debug)]
pub(crate) struct ItemToItem;

impl Source for ItemToItem {
    fn name(&self) -> StageName {
        StageName(SourceKind::ItemToItem.name())
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
        let (items, scores) = models.blend.neighbors(taste, quota, &mut eligible).into_iter().unzip();
        Proposed { items, scores, degraded: None }
    }
}
