use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use shortlist_types::{AttributeValue, Attributes, InvalidInput};

/// A JSON object of attributes as written, so that errors can name the attribute and repeated names are seen.
#[derive(Debug, Default)]
pub(super) struct AttributeMap(Vec<(String, Value)>);

impl AttributeMap {
    /// The attributes.
    ///
    /// # Errors
    /// A value of another type, a repeated name, or a value beyond the limits; the path starts at `field`.
    pub(super) fn parse(self, field: &'static str) -> Result<Attributes, InvalidInput> {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(InvalidInput::new(pair[0].to_owned(), "must be given once").within(field));
        }
        let values: Result<Vec<_>, _> = self.0.into_iter().map(|(name, value)| attribute(name, value)).collect();
        values.and_then(Attributes::parse).map_err(|error| error.within(field))
    }
}

fn attribute(name: String, value: Value) -> Result<(String, AttributeValue), InvalidInput> {
    let parsed = match value {
        Value::Bool(flag) => Some(AttributeValue::Bool(flag)),
        Value::Number(number) => number.as_f64().map(AttributeValue::Number),
        Value::String(text) => Some(AttributeValue::Text(text)),
        Value::Array(values) => values.into_iter().map(text).collect::<Option<_>>().map(AttributeValue::List),
        Value::Null | Value::Object(_) => None,
    };
    match parsed {
        Some(value) => Ok((name, value)),
        None => Err(InvalidInput::new(name, "must be a string, a finite number, a bool or a list of strings")),
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

impl<'de> Deserialize<'de> for AttributeMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = AttributeMap;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of names and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AttributeMap, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(AttributeMap(entries))
    }
}
