use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Number;
use shortlist_types::{Event, EventId, EventTypes, InvalidInput, ItemId, RequestId, Timestamp, UserId};
use utoipa::ToSchema;

use super::attribute::parse_attributes;
use super::{AttributeInput, Moment, RefusedRow, finite_f32, whole_number};

/// Something a user did with an item, or an item that was shown to him.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schema(as = Event)]
pub struct EventBody {
    /// Makes retries safe: an id that the log already holds is acknowledged and not applied again.
    #[schema(min_length = 1, max_length = 128)]
    pub event_id: Option<String>,
    /// Who.
    #[schema(min_length = 1, max_length = 128)]
    pub user_id: String,
    /// Which item; an unknown one is created.
    #[schema(min_length = 1, max_length = 128)]
    pub item_id: String,
    /// Name of a type in the server's config, such as `click`.
    pub event_type: String,
    /// What the type measures, such as the stars of a rating.
    #[schema(value_type = Option<f64>)]
    pub value: Option<Number>,
    /// When it happened; the time of the server if absent. At most 300 seconds in the future.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub timestamp: Option<Moment>,
    /// The `request_id` of the recommendation that led to it.
    #[schema(min_length = 1, max_length = 128)]
    pub request_id: Option<String>,
    /// Where in that list the item stood, from 0.
    #[schema(value_type = Option<u32>)]
    pub position: Option<Number>,
    /// Circumstances, such as the device.
    #[serde(default)]
    pub context: BTreeMap<String, AttributeInput>,
}

/// Events to append, all or none, unless it is `partial`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct EventBatch {
    /// 1 to 1,000 events.
    #[schema(min_items = 1, max_items = 1_000)]
    pub events: Vec<EventBody>,
    /// Whether events that cannot be taken are left out and told in `refused`; otherwise one of them refuses all.
    #[serde(default)]
    pub partial: bool,
}

/// What became of the events. All that were not refused are on disk and applied.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct IngestResponse {
    /// Events that were new.
    pub accepted: u64,
    /// Events whose `event_id` the log held already.
    pub duplicates: u64,
    /// Position in the log of the last new event; the end of the log if none was new.
    pub log_seq: u64,
    /// Events of a batch that were left out; only with `partial`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedRow>,
}

impl EventBody {
    /// The checked event.
    pub(crate) fn parse(self, now: Timestamp, types: &EventTypes) -> Result<Event, InvalidInput> {
        types.resolve(&self.event_type)?;
        let position = self.position.map(|number| whole_number("position", &number, 0, u64::from(u32::MAX)));
        Ok(Event {
            event_id: self.event_id.as_deref().map(EventId::parse).transpose()?,
            user_id: UserId::parse(&self.user_id)?,
            item_id: ItemId::parse(&self.item_id)?,
            event_type: self.event_type,
            value: self.value.as_ref().map(|value| finite_f32("value", value)).transpose()?,
            timestamp: self.timestamp.map_or(Ok(now), |time| time.parse(now))?,
            request_id: self.request_id.as_deref().map(RequestId::parse).transpose()?,
            position: position.transpose()?.and_then(|position| u32::try_from(position).ok()),
            context: parse_attributes("context", self.context)?,
        })
    }
}
