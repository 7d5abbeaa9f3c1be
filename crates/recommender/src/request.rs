use std::sync::Arc;

use shortlist_types::limits::{EXCLUDE_MAX, GIVEN_MAX, K_MAX, OFFSET_MAX, RECENT_MAX, WHY_NOT_MAX};
use shortlist_types::{Attributes, InvalidInput, ItemId, RequestId, Timestamp, UserId};

use crate::Expression;

/// The surface of a request that names none.
pub const DEFAULT_SURFACE: &str = "home";
/// The surface of what goes with an item.
pub const SIMILAR_ITEMS_SURFACE: &str = "similar-items";
/// The surface of candidates that the caller brings and wants in order.
pub const RANK_SURFACE: &str = "rank";

/// A checked question: which k items should this user see now?
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Where the items will be shown.
    pub surface: String,
    /// Who asks; absent for a session that is known by `recent` alone.
    pub user_id: Option<UserId>,
    /// How many items, 1 to [`K_MAX`].
    pub k: usize,
    /// The item that the answer is about, for surfaces that are about one.
    pub item_id: Option<ItemId>,
    /// What the items must be.
    pub filter: Option<Arc<Expression>>,
    /// Items that the caller proposes; unknown ones are passed over.
    pub candidates: Vec<ItemId>,
    /// The page after those of an earlier answer.
    pub page: Option<Page>,
    /// Its own name, by which its next page may be asked for.
    pub request_id: Option<RequestId>,
    /// Items that must not be in the answer.
    pub exclude: Vec<ItemId>,
    /// What the user did just now and the log does not hold, oldest first.
    pub recent: Vec<RecentEvent>,
    /// What the caller knows of the moment, such as the device: features may read it.
    pub context: Attributes,
    /// Whether each item comes with its reasons.
    pub explain: bool,
    /// Items of which the answer tells why they are not in it.
    pub why_not: Vec<ItemId>,
    /// Whether the answer keeps what it was decided by, for the served log.
    pub keep: bool,
}

/// Which part of an earlier answer's order is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The answer's name.
    pub request_id: RequestId,
    /// Items before the page, from 0.
    pub offset: usize,
}

/// Something the user did that is not in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct RecentEvent {
    /// With which item; an unknown one is passed over.
    pub item_id: ItemId,
    /// Name of an event type.
    pub event_type: String,
    /// What the type measures.
    pub value: Option<f32>,
    /// When; the time of the request if absent.
    pub timestamp: Option<Timestamp>,
}

impl Request {
    /// The plain question of one user, or of nobody that is known.
    pub fn of(user_id: impl Into<Option<UserId>>, k: usize) -> Self {
        Self {
            surface: DEFAULT_SURFACE.to_owned(),
            user_id: user_id.into(),
            k,
            item_id: None,
            filter: None,
            candidates: Vec::new(),
            page: None,
            request_id: None,
            exclude: Vec::new(),
            recent: Vec::new(),
            context: Attributes::default(),
            explain: false,
            why_not: Vec::new(),
            keep: false,
        }
    }

    /// Places of an order that it looks at, from the first.
    pub(crate) fn reach(&self) -> usize {
        self.k + self.page.as_ref().map_or(0, |page| page.offset)
    }

    /// Checks the sizes.
    ///
    /// # Errors
    /// `k` of 0 or above [`K_MAX`], or lists beyond their limits.
    pub fn check(&self) -> Result<(), InvalidInput> {
        check_k(self.k)?;
        if let Some(page) = self.page.as_ref().filter(|page| page.offset > OFFSET_MAX) {
            return Err(InvalidInput::new("offset", format!("must be 0 to {OFFSET_MAX}, got {}", page.offset)));
        }
        let sizes = [
            ("exclude", self.exclude.len(), EXCLUDE_MAX),
            ("recent", self.recent.len(), RECENT_MAX),
            ("candidates", self.candidates.len(), GIVEN_MAX),
            ("why_not", self.why_not.len(), WHY_NOT_MAX),
        ];
        for (field, length, most) in sizes {
            if length > most {
                return Err(InvalidInput::new(field, format!("must have at most {most} entries, got {length}")));
            }
        }
        if let Some(i) = self.recent.iter().position(|event| event.value.is_some_and(|value| !value.is_finite())) {
            return Err(InvalidInput::new(format!("recent[{i}].value"), "must be finite"));
        }
        Ok(())
    }
}

pub(crate) fn check_k(k: usize) -> Result<(), InvalidInput> {
    if k == 0 || k > K_MAX {
        return Err(InvalidInput::new("k", format!("must be 1 to {K_MAX}, got {k}")));
    }
    Ok(())
}
