use shortlist_types::limits::{EXCLUDE_MAX, K_MAX, RECENT_MAX};
use shortlist_types::{Attributes, InvalidInput, ItemId, Timestamp, UserId};

/// The surface of a request that names none.
pub const DEFAULT_SURFACE: &str = "home";

/// A checked question: which k items should this user see now?
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Who asks; absent for a session that is known by `recent` alone.
    pub user_id: Option<UserId>,
    /// How many items, 1 to [`K_MAX`].
    pub k: usize,
    /// Items that must not be in the answer.
    pub exclude: Vec<ItemId>,
    /// What the user did just now and the log does not hold, oldest first.
    pub recent: Vec<RecentEvent>,
    /// What the caller knows of the moment, such as the device: features may read it.
    pub context: Attributes,
    /// Whether each item comes with its reasons.
    pub explain: bool,
    /// Whether the answer keeps what it was decided by, for the served log.
    pub keep: bool,
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
            user_id: user_id.into(),
            k,
            exclude: Vec::new(),
            recent: Vec::new(),
            context: Attributes::default(),
            explain: false,
            keep: false,
        }
    }

    /// Checks the sizes.
    ///
    /// # Errors
    /// `k` of 0 or above [`K_MAX`], or lists beyond their limits.
    pub fn check(&self) -> Result<(), InvalidInput> {
        check_k(self.k)?;
        let sizes = [("exclude", self.exclude.len(), EXCLUDE_MAX), ("recent", self.recent.len(), RECENT_MAX)];
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
