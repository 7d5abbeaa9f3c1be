use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use shortlist_types::{Embedding, Event, EventId, InvalidInput, Item, RequestId, Timestamp, User};

use super::attribute_map::AttributeMap;
use crate::collector::Row;
use crate::ids::Ids;
use crate::table_files::Kind;

/// What a line says of its own kind; everything else is passed over.
#[derive(Deserialize)]
struct KindOnly<'a> {
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventRow<'a> {
    #[serde(rename = "kind")]
    _kind: Option<IgnoredAny>,
    event_id: Option<EventId>,
    #[serde(borrow)]
    user_id: Cow<'a, str>,
    #[serde(borrow)]
    item_id: Cow<'a, str>,
    event_type: String,
    value: Option<f32>,
    timestamp: Timestamp,
    request_id: Option<RequestId>,
    position: Option<u32>,
    #[serde(default)]
    context: AttributeMap,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemRow<'a> {
    #[serde(rename = "kind")]
    _kind: Option<IgnoredAny>,
    #[serde(borrow)]
    item_id: Cow<'a, str>,
    #[serde(default)]
    attributes: AttributeMap,
    available: Option<bool>,
    embedding: Option<Embedding>,
    timestamp: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserRow<'a> {
    #[serde(rename = "kind")]
    _kind: Option<IgnoredAny>,
    #[serde(borrow)]
    user_id: Cow<'a, str>,
    #[serde(default)]
    attributes: AttributeMap,
    timestamp: Option<Timestamp>,
}

/// One line as a row; `default` is its kind if it does not say.
///
/// # Errors
/// Not the JSON of its kind.
pub(super) fn parse(line: &[u8], default: Kind, ids: &mut Ids) -> Result<Row, InvalidInput> {
    let text = std::str::from_utf8(line).map_err(|error| {
        InvalidInput::new("row", format!("must be UTF-8, is not at byte {}", error.valid_up_to() + 1))
    })?;
    // serde would take an array as the values of the fields in order.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(InvalidInput::new("row", "must be a JSON object"));
    }
    match kind(text, default)? {
        Kind::Event => {
            let row: EventRow<'_> = from_json(text)?;
            Ok(Row::Event(Event {
                event_id: row.event_id,
                user_id: ids.user(&row.user_id)?,
                item_id: ids.item(&row.item_id)?,
                event_type: row.event_type,
                value: row.value,
                timestamp: row.timestamp,
                request_id: row.request_id,
                position: row.position,
                context: row.context.parse("context")?,
            }))
        }
        Kind::Item => {
            let row: ItemRow<'_> = from_json(text)?;
            let item = Item {
                item_id: ids.item(&row.item_id)?,
                attributes: row.attributes.parse("attributes")?,
                available: row.available.unwrap_or(true),
                embedding: row.embedding,
            };
            Ok(Row::Item(item, row.timestamp))
        }
        Kind::User => {
            let row: UserRow<'_> = from_json(text)?;
            let user = User { user_id: ids.user(&row.user_id)?, attributes: row.attributes.parse("attributes")? };
            Ok(Row::User(user, row.timestamp))
        }
    }
}

fn kind(text: &str, default: Kind) -> Result<Kind, InvalidInput> {
    match from_json::<KindOnly<'_>>(text)?.kind.as_deref() {
        None => Ok(default),
        Some("event") => Ok(Kind::Event),
        Some("item") => Ok(Kind::Item),
        Some("user") => Ok(Kind::User),
        Some(other) => Err(InvalidInput::new("kind", format!("must be event, item or user, got {other:?}"))),
    }
}

/// Parses one line. serde counts lines from the start of the text, which here is always one: only the column is kept.
fn from_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, InvalidInput> {
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let reason = match message.strip_suffix(&place) {
            Some(reason) => format!("{reason} (column {})", error.column()),
            None => message,
        };
        InvalidInput::new("row", reason)
    })
}
