use serde::{Deserialize, Serialize};

use crate::{Event, Item, ItemId, ItemPatch, Timestamp, User, UserId};

/// One record of the log: everything that changes state, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LogRecord {
    /// Something a user did.
    Event(Event),
    /// An item was put into the catalogue or replaced.
    ItemPut {
        /// When the catalogue changed.
        timestamp: Timestamp,
        /// The whole new entry.
        item: Item,
    },
    /// Some of what is known of an item changed.
    ItemPatch {
        /// When the catalogue changed.
        timestamp: Timestamp,
        /// What changed.
        patch: ItemPatch,
    },
    /// An item was taken out of the catalogue.
    ItemDelete {
        /// When the catalogue changed.
        timestamp: Timestamp,
        /// Which one.
        item_id: ItemId,
    },
    /// A user was described or described anew.
    UserPut {
        /// When it was said.
        timestamp: Timestamp,
        /// The whole new entry.
        user: User,
    },
    /// A user's description was withdrawn; his events stay.
    UserDelete {
        /// When it was said.
        timestamp: Timestamp,
        /// Which one.
        user_id: UserId,
    },
    /// What is left of a record whose user was erased: enough that items and users keep their numbers.
    Erased {
        /// When it happened.
        timestamp: Timestamp,
        /// The item of an event; what was done with it, and by whom, is gone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item_id: Option<ItemId>,
        /// Whether this was the first record of its user: his number stays taken.
        new_user: bool,
    },
}

impl LogRecord {
    /// Whose it is, if it is about a user.
    pub fn user_id(&self) -> Option<&UserId> {
        match self {
            Self::Event(event) => Some(&event.user_id),
            Self::UserPut { user, .. } => Some(&user.user_id),
            Self::UserDelete { user_id, .. } => Some(user_id),
            Self::ItemPut { .. } | Self::ItemPatch { .. } | Self::ItemDelete { .. } | Self::Erased { .. } => None,
        }
    }

    /// When the record says it happened.
    pub fn timestamp(&self) -> Timestamp {
        match self {
            Self::Event(event) => event.timestamp,
            Self::ItemPut { timestamp, .. }
            | Self::ItemPatch { timestamp, .. }
            | Self::ItemDelete { timestamp, .. }
            | Self::UserPut { timestamp, .. }
            | Self::UserDelete { timestamp, .. }
            | Self::Erased { timestamp, .. } => *timestamp,
        }
    }
}
