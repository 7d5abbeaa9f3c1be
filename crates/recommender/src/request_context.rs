use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use roaring::RoaringBitmap;
use shortlist_embedding::{Taste, TasteScratch};
use shortlist_features::{Action, FeatureState, UserState};
use shortlist_types::{Attributes, InvalidInput, ItemId, ItemIdx, Timestamp};

use crate::filters::AllowSet;
use crate::{About, Expression, Filter, Models, RecommendError, Request, StageName};

/// Everything that the stages of one request read: one state, one bundle, one user, one time.
pub struct RequestContext<'a> {
    /// The fold at the moment of the request.
    pub state: &'a FeatureState,
    /// What was learned, if anything was.
    pub models: Option<&'a Models>,
    /// The user with his `recent` events applied; empty for an unknown one.
    pub user: Cow<'a, UserState>,
    /// The item that the request is about, if it is about one.
    pub anchor: Option<ItemIdx>,
    /// What candidates are looked for by: the user's taste, or that of somebody who just took up the anchor; none if
    /// the bundle knows nothing of it.
    pub taste: Option<Taste>,
    /// What the caller knows of the moment.
    pub context: Attributes,
    /// The time of the request.
    pub now: Timestamp,
    /// How many items were asked for.
    pub k: usize,
    /// Part of the usual work to do, above 0, at most 1.
    pub effort: f64,
    /// Items that the request excludes, the anchor among them, ascending.
    pub excluded: Vec<ItemIdx>,
    /// Items that the caller proposes; in his order, if nothing is known of the user.
    pub given: Vec<ItemIdx>,
    /// The request's filter expression.
    pub(crate) asked: Option<AskedFor>,
    filters: &'a [Box<dyn Filter>],
}

impl<'a> RequestContext<'a> {
    /// Gathers what a request's stages need.
    ///
    /// # Errors
    /// A `recent` event of an unknown type.
    pub(crate) fn gather(
        state: &'a FeatureState,
        models: Option<&'a Models>,
        about: About,
        filters: &'a [Box<dyn Filter>],
        request: &Request,
        now: Timestamp,
        scratch: &mut TasteScratch,
    ) -> Result<Self, RecommendError> {
        let user = user_with_recent(state, request, now)?;
        let number = request.user_id.as_ref().and_then(|id| state.user_index(id.as_str()));
        let catalog = state.catalog();
        let find = |id: &ItemId| catalog.find(id.as_str());
        let anchor = match (about, &request.item_id) {
            (About::User, None) => None,
            (About::User, Some(_)) => {
                return Err(InvalidInput::new("item_id", "says nothing to a surface that is about its user").into());
            }
            (About::Item, None) => {
                return Err(InvalidInput::new("item_id", "is needed: the surface is about an item").into());
            }
            (About::Item, Some(id)) => {
                let known = find(id).filter(|item| catalog.get(*item).is_some_and(|entry| !entry.deleted));
                Some(known.ok_or_else(|| RecommendError::UnknownItem { item_id: id.to_string() })?)
            }
        };
        let taste = models.and_then(|models| match anchor {
            Some(item) => models.blend.taste(&[(item, 1.0)], scratch),
            None => models.taste(number, &user, scratch),
        });
        let mut excluded: Vec<_> = request.exclude.iter().filter_map(find).chain(anchor).collect();
        excluded.sort_unstable();
        let mut met = HashSet::new();
        let mut given: Vec<_> = request.candidates.iter().filter_map(find).filter(|item| met.insert(*item)).collect();
        if !user.is_empty() {
            // Of somebody who is known the caller's order says nothing.
            given.sort_unstable();
        }
        let asked = request
            .filter
            .as_ref()
            .map(|expression| AskedFor { expression: expression.clone(), set: expression.allow_set(catalog) });
        let context = request.context.clone();
        let (k, effort) = (request.k, 1.0);
        Ok(Self { state, models, user, anchor, taste, context, now, k, effort, excluded, given, asked, filters })
    }

    /// The items that the request's filter leaves, where they are known as a set; others may be among them.
    pub(crate) fn allowed_items(&self) -> Option<&RoaringBitmap> {
        self.asked.as_ref().and_then(|asked| asked.set.as_ref()).map(|set| &set.items)
    }

    /// All eligible items, where a filter leaves few.
    ///
    /// **Cost**: one look at each of 20,000 items at most.
    pub(crate) fn few_eligible(&self) -> Option<RoaringBitmap> {
        let items = self.allowed_items().filter(|items| items.len() <= FEW_MAX)?;
        Some(items.iter().filter(|item| self.is_eligible(ItemIdx(*item))).collect())
    }

    /// The first filter that does not let `item` through.
    pub(crate) fn dropped_by(&self, item: ItemIdx) -> Option<StageName> {
        self.filters.iter().find(|filter| !filter.keep(self, item)).map(|filter| filter.name())
    }

    /// Whether every filter lets `item` through.
    pub fn is_eligible(&self, item: ItemIdx) -> bool {
        self.filters.iter().all(|filter| filter.keep(self, item))
    }
}

/// Items that are looked at one by one rather than asked about as they are met.
const FEW_MAX: u64 = 20_000;

/// A request's filter expression, and what it leaves as a set, if that is known.
#[derive(Debug)]
pub(crate) struct AskedFor {
    expression: Arc<Expression>,
    set: Option<AllowSet>,
}

impl AskedFor {
    pub(crate) fn keep(&self, request: &RequestContext<'_>, item: ItemIdx) -> bool {
        match &self.set {
            Some(set) if !set.items.contains(item.0) => false,
            Some(set) if set.exact => true,
            _ => request.state.catalog().get(item).is_some_and(|item| self.expression.holds(item)),
        }
    }
}

/// The user as the log knows him, moved by the request's `recent` events; those with unknown items
/// say nothing and are passed over.
fn user_with_recent<'a>(
    state: &'a FeatureState,
    request: &Request,
    now: Timestamp,
) -> Result<Cow<'a, UserState>, InvalidInput> {
    let known = request.user_id.as_ref().and_then(|id| state.user(id.as_str()));
    let mut user = known.map_or_else(|| Cow::Owned(UserState::default()), Cow::Borrowed);
    for (i, event) in request.recent.iter().enumerate() {
        let types = state.event_types();
        let event_type = types.resolve(&event.event_type).map_err(|error| error.within(format!("recent[{i}]")))?;
        let Some(item) = state.catalog().find(event.item_id.as_str()) else { continue };
        let time = event.timestamp.unwrap_or(now);
        user.to_mut().apply(&Action { item, event_type, kind: types.get(event_type), value: event.value, time });
    }
    Ok(user)
}
