use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::InvalidInput;
use crate::limits::{ATTRIBUTE_LIST_MAX, ATTRIBUTE_NAME_BYTES_MAX, ATTRIBUTE_STRING_BYTES_MAX, ATTRIBUTES_MAX};

/// One attribute: a string, a finite number, a bool, or a list of strings.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    /// `true` or `false`.
    Bool(bool),
    /// A finite number.
    Number(f64),
    /// One text.
    Text(String),
    /// Several texts, such as genres.
    List(Vec<String>),
}

/// In JSON the value itself says its type.
#[derive(Serialize, Deserialize)]
#[serde(untagged, remote = "AttributeValue")]
enum Untagged {
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<String>),
}

/// In a binary format its number does.
#[derive(Serialize, Deserialize)]
#[serde(remote = "AttributeValue")]
enum Tagged {
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<String>),
}

impl Serialize for AttributeValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            Untagged::serialize(self, serializer)
        } else {
            Tagged::serialize(self, serializer)
        }
    }
}

impl<'de> Deserialize<'de> for AttributeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            Untagged::deserialize(deserializer)
        } else {
            Tagged::deserialize(deserializer)
        }
    }
}

/// Named attributes of an item, a user or a request's context: bounded and finite.
///
/// ```
/// use shortlist_types::{AttributeValue, Attributes};
/// let pairs = [("genre".to_owned(), AttributeValue::List(vec!["Drama".to_owned()]))];
/// let attributes = Attributes::parse(pairs).unwrap();
/// assert_eq!(attributes.labels("genre").collect::<Vec<_>>(), ["Drama"]);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attributes(Box<[(String, AttributeValue)]>); // in order of name: a map would take a page per event

impl Attributes {
    /// Checks and keeps named values.
    ///
    /// # Errors
    /// Too many attributes, a repeated name, a name or text that is too long, or a number that is not
    /// finite.
    pub fn parse(pairs: impl IntoIterator<Item = (String, AttributeValue)>) -> Result<Self, InvalidInput> {
        let mut pairs: Vec<_> = pairs.into_iter().collect();
        if pairs.len() > ATTRIBUTES_MAX {
            let reason = format!("must have at most {ATTRIBUTES_MAX} entries, got {}", pairs.len());
            return Err(InvalidInput::new("", reason));
        }
        for (name, value) in &pairs {
            check_name(name)?;
            check_value(value).map_err(|reason| InvalidInput::new(name.clone(), reason))?;
        }
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        if let Some(twice) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(InvalidInput::new(twice[0].0.clone(), "is given twice"));
        }
        Ok(Self(pairs.into()))
    }

    /// The value called `name`.
    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        let position = self.0.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
        Some(&self.0[position].1)
    }

    /// Number called `name`, if there is one of that type.
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.get(name) {
            Some(AttributeValue::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// The texts under `name`: none, one, or all of a list.
    pub fn labels(&self, name: &str) -> impl Iterator<Item = &str> {
        let texts = match self.get(name) {
            Some(AttributeValue::Text(text)) => std::slice::from_ref(text),
            Some(AttributeValue::List(texts)) => texts.as_slice(),
            _ => &[],
        };
        texts.iter().map(String::as_str)
    }

    /// All attributes in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &AttributeValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// These with those of `changes` in place of their own, and without those called as in `remove`.
    ///
    /// # Errors
    /// More than [`ATTRIBUTES_MAX`] together.
    pub fn changed(&self, changes: &Self, remove: &[String]) -> Result<Self, InvalidInput> {
        let stays = |name: &str| changes.get(name).is_none() && !remove.iter().any(|removed| removed == name);
        let kept = self.iter().filter(|(name, _)| stays(name)).chain(changes.iter());
        Self::parse(kept.map(|(name, value)| (name.to_owned(), value.clone())))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn check_name(name: &str) -> Result<(), InvalidInput> {
    if name.is_empty() || name.len() > ATTRIBUTE_NAME_BYTES_MAX || name.chars().any(char::is_control) {
        let reason =
            format!("names must be 1 to {ATTRIBUTE_NAME_BYTES_MAX} bytes without control characters, got {name:?}");
        return Err(InvalidInput::new("", reason));
    }
    Ok(())
}

fn check_value(value: &AttributeValue) -> Result<(), String> {
    match value {
        AttributeValue::Number(number) if !number.is_finite() => Err("must be a finite number".to_owned()),
        AttributeValue::Text(text) => check_text(text),
        AttributeValue::List(texts) if texts.len() > ATTRIBUTE_LIST_MAX => {
            Err(format!("must have at most {ATTRIBUTE_LIST_MAX} values, got {}", texts.len()))
        }
        AttributeValue::List(texts) => texts.iter().try_for_each(|text| check_text(text)),
        AttributeValue::Bool(_) | AttributeValue::Number(_) => Ok(()),
    }
}

fn check_text(text: &str) -> Result<(), String> {
    if text.len() > ATTRIBUTE_STRING_BYTES_MAX {
        return Err(format!("must be at most {ATTRIBUTE_STRING_BYTES_MAX} bytes, got {}", text.len()));
    }
    Ok(())
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AttributesVisitor)
    }
}

/// Collects the pairs as they come, so that a repeated name is seen, and stops at the limit, so that
/// a huge map is not built first.
struct AttributesVisitor;

impl<'de> Visitor<'de> for AttributesVisitor {
    type Value = Attributes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of names to strings, finite numbers, bools or lists of strings")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Attributes, M::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
            if pairs.len() > ATTRIBUTES_MAX {
                break;
            }
        }
        Attributes::parse(pairs).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: AttributeValue) -> Result<Attributes, InvalidInput> {
        Attributes::parse([("name".to_owned(), value)])
    }

    #[test]
    fn numbers_must_be_finite() {
        assert!(one(AttributeValue::Number(f64::NAN)).is_err());
        assert!(one(AttributeValue::Number(f64::INFINITY)).is_err());
        assert!(one(AttributeValue::Number(-0.0)).is_ok());
    }

    #[test]
    fn the_error_names_the_attribute() {
        let error = one(AttributeValue::Text("x".repeat(2000))).unwrap_err().within("items[0].attributes");
        assert_eq!(error.to_string(), "items[0].attributes.name: must be at most 1024 bytes, got 2000");
    }

    #[test]
    fn a_repeated_name_is_refused() {
        let error = serde_json::from_str::<Attributes>(r#"{"a":1,"b":2,"a":3}"#).unwrap_err();
        assert!(error.to_string().contains("a: is given twice"), "{error}");
    }

    #[test]
    fn a_change_replaces_adds_and_removes_by_name() {
        let read = |json: &str| serde_json::from_str::<Attributes>(json).unwrap();
        let before = read(r#"{"price":9.5,"stock":3,"title":"x"}"#);
        let after = before.changed(&read(r#"{"price":8,"sale":true}"#), &["stock".to_owned(), "never".to_owned()]);
        assert_eq!(after.unwrap(), read(r#"{"price":8,"sale":true,"title":"x"}"#));
        let full = Attributes::parse((0..64).map(|i| (format!("a{i}"), AttributeValue::Bool(true)))).unwrap();
        assert!(full.changed(&read(r#"{"a3":false}"#), &[]).is_ok());
        let error = full.changed(&read(r#"{"b":1}"#), &[]).unwrap_err();
        assert_eq!(error.reason, "must have at most 64 entries, got 65");
    }

    #[test]
    fn json_keeps_types() {
        let json = r#"{"adult":false,"genre":["a","b"],"price":9.5,"title":"x"}"#;
        let attributes: Attributes = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&attributes).unwrap(), json);
        assert_eq!(attributes.labels("genre").count(), 2);
        assert_eq!(attributes.labels("title").count(), 1);
        assert_eq!(attributes.labels("price").count(), 0);
    }
}
