use std::borrow::Cow;

use shortlist_embedding::{Taste, TasteScratch};
use shortlist_features::{Action, FeatureState, UserState};
use shortlist_types::{Attributes, InvalidInput, ItemIdx, Timestamp};

use crate::{Filter, Models, Request};

/// Everything that the stages of one request read: one state, one bundle, one user, one time.
pub struct RequestContext<'a> {
    /// The fold at the moment of the request.
    pub state: &'a FeatureState,
    /// What was learned, if anything was.
    pub models: Option<&'a Models>,
    /// The user with his `recent` events applied; empty for an unknown one.
    pub user: Cow<'a, UserState>,
    /// His taste, if he wants anything that the bundle knows.
    pub taste: Option<Taste>,
    /// What the caller knows of the moment.
    pub context: Attributes,
    /// The time of the request.
    pub now: Timestamp,
    /// How many items were asked for.
    pub k: usize,
    /// Items that the request excludes, ascending.
    pub excluded: Vec<ItemIdx>,
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
        filters: &'a [Box<dyn Filter>],
        request: &Request,
        now: Timestamp,
        scratch: &mut TasteScratch,
    ) -> Result<Self, InvalidInput> {
        let user = user_with_recent(state, request, now)?;
        let number = request.user_id.as_ref().and_then(|id| state.user_index(id.as_str()));
        let taste = models.and_then(|models| models.taste(number, &user, scratch));
        let mut excluded: Vec<_> = request.exclude.iter().filter_map(|id| state.catalog().find(id.as_str())).collect();
        excluded.sort_unstable();
        let context = request.context.clone();
        Ok(Self { state, models, user, taste, context, now, k: request.k, excluded, filters })
    }

    /// Whether every filter lets `item` through.
    pub fn is_eligible(&self, item: ItemIdx) -> bool {
        self.filters.iter().all(|filter| filter.keep(self, item))
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
