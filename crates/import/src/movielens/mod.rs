//! The MovieLens data sets in the files in which GroupLens publishes them.

pub(crate) mod ml_100k;
pub(crate) mod ml_1m;
mod plain_table;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::str::FromStr;

use shortlist_types::{AttributeValue, Event, EventId, InvalidInput, Timestamp};

use crate::collector::Row;
use crate::ids::Ids;
use crate::{Format, ImportError};

/// # Errors
/// `path` is no folder.
fn check_folder(path: &Path, format: Format) -> Result<(), ImportError> {
    if path.is_dir() { Ok(()) } else { Err(ImportError::NotAFolder { format, path: path.to_owned() }) }
}

/// The number in a field.
fn number<T: FromStr>(field: &'static str, text: &str) -> Result<T, InvalidInput> {
    text.parse().map_err(|_| InvalidInput::new(field, format!("must be a number, got {text:?}")))
}

/// An id as these data sets have them: digits alone, so that `-` can stand between two of them.
fn digits<'t>(field: &'static str, text: &'t str) -> Result<&'t str, InvalidInput> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text)
    } else {
        Err(InvalidInput::new(field, format!("must be digits, got {text:?}")))
    }
}

/// A row of `u.data` or `ratings.dat`. A pair of user and item is rated once, so `SET-USER-ITEM` names the event, and
/// importing it again changes nothing.
fn rating(fields: &[&str; 4], set: &str, ids: &mut Ids) -> Result<Row, InvalidInput> {
    let [user, item, stars, seconds] = fields;
    let (user, item) = (digits("user_id", user)?, digits("item_id", item)?);
    let value: f32 = number("rating", stars)?;
    if !(1.0..=5.0).contains(&value) {
        return Err(InvalidInput::new("rating", format!("must be 1 to 5, got {stars:?}")));
    }
    Ok(Row::Event(Event {
        event_id: Some(EventId::parse(&format!("{set}-{user}-{item}"))?),
        user_id: ids.user(user)?,
        item_id: ids.item(item)?,
        event_type: "rating".to_owned(),
        value: Some(value),
        timestamp: Timestamp::from_seconds(number("timestamp", seconds)?)?,
        request_id: None,
        position: None,
        context: Default::default(),
    }))
}

/// A named text; absent if empty.
fn text(name: &str, value: &str) -> Option<(String, AttributeValue)> {
    (!value.is_empty()).then(|| (name.to_owned(), AttributeValue::Text(value.to_owned())))
}

/// A named list; absent if empty.
fn list(name: &str, values: Vec<String>) -> Option<(String, AttributeValue)> {
    (!values.is_empty()).then(|| (name.to_owned(), AttributeValue::List(values)))
}

/// The age groups of MovieLens 1M, each with the lowest age in it, which is also its code there.
const AGE_GROUPS: [(u32, &str); 7] =
    [(1, "under 18"), (18, "18-24"), (25, "25-34"), (35, "35-44"), (45, "45-49"), (50, "50-55"), (56, "56 or more")];
