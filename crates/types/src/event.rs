use serde::{Deserialize, Serialize};

use crate::{Attributes, EventId, ItemId, RequestId, Timestamp, UserId};

/// Something a user did with an item, or an item that was shown to him.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Makes retries safe: an id that the log already holds is acknowledged and not applied again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<EventId>,
    /// Who.
    pub user_id: UserId,
    /// Which item; an unknown one is created.
    pub item_id: ItemId,
    /// Name of a type in the config, such as `click`.
    pub event_type: String,
    /// What the type measures, such as the stars of a rating; finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f32>,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The recommendation that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// Where in that list the item stood, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// Circumstances, such as the device.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub context: Attributes,
}
