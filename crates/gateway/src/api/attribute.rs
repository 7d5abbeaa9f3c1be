use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use shortlist_types::limits::ATTRIBUTE_LIST_MAX;
use shortlist_types::{AttributeValue, Attributes, InvalidInput};
use utoipa::ToSchema;

/// One attribute: a string, a number, a bool, or a list of strings.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum AttributeInput {
    /// At most 1,024 bytes.
    Text(String),
    /// A finite number.
    Number(f64),
    /// `true` or `false`.
    Bool(bool),
    /// At most 64 texts, such as genres.
    List(Vec<String>),
}

/// Checks named attributes; an error names `field.name`.
pub(crate) fn parse_attributes(
    field: &'static str,
    inputs: BTreeMap<String, AttributeInput>,
) -> Result<Attributes, InvalidInput> {
    let mut pairs = Vec::with_capacity(inputs.len());
    for (name, input) in inputs {
        let value = match input {
            AttributeInput::Text(text) => AttributeValue::Text(text),
            AttributeInput::Number(number) => AttributeValue::Number(number),
            AttributeInput::Bool(value) => AttributeValue::Bool(value),
            AttributeInput::List(texts) => AttributeValue::List(texts),
        };
        pairs.push((name, value));
    }
    Attributes::parse(pairs).map_err(|error| error.within(field))
}

// Derived code would name Rust's types in its errors.
impl<'de> Deserialize<'de> for AttributeInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AttributeVisitor)
    }
}

struct AttributeVisitor;

impl<'de> Visitor<'de> for AttributeVisitor {
    type Value = AttributeInput;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number, a bool or a list of strings")
    }

    fn visit_bool<E>(self, value: bool) -> Result<AttributeInput, E> {
        Ok(AttributeInput::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<AttributeInput, E> {
        Ok(AttributeInput::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<AttributeInput, E> {
        Ok(AttributeInput::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<AttributeInput, E> {
        Ok(AttributeInput::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<AttributeInput, E> {
        Ok(AttributeInput::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<AttributeInput, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = seq.next_element()? {
            if texts.len() == ATTRIBUTE_LIST_MAX {
                return Err(A::Error::custom(format!("must have at most {ATTRIBUTE_LIST_MAX} values")));
            }
            texts.push(text);
        }
        Ok(AttributeInput::List(texts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_forms_are_read_and_others_named() {
        let json = r#"{"a":"x","b":9.5,"c":-3,"d":true,"e":["x","y"]}"#;
        let inputs: BTreeMap<String, AttributeInput> = serde_json::from_str(json).unwrap();
        let attributes = parse_attributes("attributes", inputs).unwrap();
        assert_eq!(serde_json::to_string(&attributes).unwrap(), r#"{"a":"x","b":9.5,"c":-3.0,"d":true,"e":["x","y"]}"#);
        for (json, expected) in [
            ("null", "invalid type: null, expected a string, a number, a bool or a list of strings"),
            ("{}", "invalid type: map, expected a string, a number, a bool or a list of strings"),
            ("[1]", "invalid type: integer `1`, expected a string"),
        ] {
            let error = serde_json::from_str::<AttributeInput>(json).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{json}: {error}");
        }
    }
}
