//! Which features a ranker reads: by name and kind, from the config, kept in the bundle.

mod default_features;
mod feature_kind;

use std::collections::BTreeMap;
use std::fmt;

pub use feature_kind::{About, FeatureKind, Take, TimePart, Weekday};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use shortlist_types::InvalidInput;
use shortlist_types::limits::{ATTRIBUTE_NAME_BYTES_MAX, FEATURES_MAX};

use xxhash_rust::xxh3::xxh3_64;

use self::default_features::default_features;
use crate::FeatureState;

/// Latest wanted items that a similarity may look at.
pub const SIMILAR_MAX: usize = 16;

/// The features of a ranker in the order in which it reads them: that of their names.
///
/// In a config each is `name = { kind = "...", ... }`. They join the default ones, or stand in place of those of
/// the same name; `name = false` leaves a default one out. A bundle's file holds all of them, and no other joins
/// them when it is read ([`Self::parse`]).
///
/// ```
/// let schema: shortlist_features::FeatureSchema =
///     serde_json::from_str(r#"{"genre": {"kind": "affinity", "attribute": "genre"}, "take_rate": false}"#).unwrap();
/// let names: Vec<_> = schema.names().collect();
/// assert!(names.contains(&"genre") && names.contains(&"item_age") && !names.contains(&"take_rate"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureSchema {
    features: Vec<(String, FeatureKind)>,
    fingerprint: u64,
}

impl Default for FeatureSchema {
    fn default() -> Self {
        let features = default_features().into_iter().map(|(name, kind)| (name.to_owned(), kind));
        Self::of(features.collect())
    }
}

impl FeatureSchema {
    /// Checks and keeps these features alone.
    ///
    /// # Errors
    /// None or too many; a bad name; a field out of its range; a cross of features that are not there, or of
    /// crosses.
    pub fn parse(features: BTreeMap<String, FeatureKind>) -> Result<Self, InvalidInput> {
        if features.is_empty() || features.len() > FEATURES_MAX {
            return Err(InvalidInput::new("features", format!("must be 1 to {FEATURES_MAX}, got {}", features.len())));
        }
        for (name, kind) in &features {
            check_name(name)?;
            check_kind(kind, &features).map_err(|error| error.within(name.clone()))?;
        }
        Ok(Self::of(features))
    }

    fn of(features: BTreeMap<String, FeatureKind>) -> Self {
        // Maps of names and kinds always serialise.
        let fingerprint = xxh3_64(&serde_json::to_vec(&features).unwrap_or_default());
        Self { features: features.into_iter().collect(), fingerprint }
    }

    /// Features in a row.
    pub fn width(&self) -> usize {
        self.features.len()
    }

    /// Their names in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.features.iter().map(|(name, _)| name.as_str())
    }

    /// All of them in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &FeatureKind)> {
        self.features.iter().map(|(name, kind)| (name.as_str(), kind))
    }

    /// The position of the feature called `name`.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.features.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()
    }

    /// A number that tells schemas apart: of names and kinds.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The features whose attribute no item, or no user, has had in the log so far, each with that attribute: a
    /// misspelt one, most likely. Of numbers of users and of the context it cannot be told.
    pub fn unmet<'a>(&'a self, state: &'a FeatureState) -> impl Iterator<Item = (&'a str, &'a str)> {
        use FeatureKind as Kind;
        let catalog = state.catalog();
        self.iter().filter_map(move |(name, kind)| {
            let (attribute, is_met) = match kind {
                Kind::TextTrend { attribute: Some(attribute), .. }
                | Kind::TextTime { attribute: Some(attribute), .. }
                | Kind::Affinity { attribute: Some(attribute), .. }
                | Kind::Liking { attribute: Some(attribute) }
                | Kind::ItemHas { attribute, .. } => (attribute, catalog.text_attribute(attribute).is_some()),
                Kind::NumberDistance { attribute: Some(attribute) } | Kind::ItemNumber { attribute } => {
                    (attribute, catalog.number_attribute(attribute).is_some())
                }
                Kind::Audience { attribute: Some(attribute) }
                | Kind::TextAudience { attribute: Some(attribute), .. }
                | Kind::UserHas { attribute, .. } => (attribute, state.audience().knows(attribute)),
                _ => return None,
            };
            (!is_met).then_some((name, attribute.as_str()))
        })
    }

    /// The latest wanted items that the similarities look at.
    pub fn similar_to(&self) -> usize {
        let last = self.features.iter().filter_map(|(_, kind)| match kind {
            FeatureKind::Similarity { last, .. } => Some(usize::from(*last)),
            _ => None,
        });
        last.max().unwrap_or(0)
    }
}

fn check_name(name: &str) -> Result<(), InvalidInput> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
        return Err(InvalidInput::new("features", format!("names are 1 to 64 of a-z, 0-9 and _, got {name:?}")));
    }
    Ok(())
}

fn check_kind(kind: &FeatureKind, all: &BTreeMap<String, FeatureKind>) -> Result<(), InvalidInput> {
    use FeatureKind as Kind;
    let refuse = |field: &'static str, reason: String| Err(InvalidInput::new(field, reason));
    match kind {
        Kind::Similarity { last, .. } if !(1..=SIMILAR_MAX).contains(&usize::from(*last)) => {
            refuse("last", format!("must be 1 to {SIMILAR_MAX}, got {last}"))
        }
        Kind::Hours { from, to } if *from > 23 || !(1..=24).contains(to) || from == to => {
            refuse("from", format!("hours run from 0 to 23 up to 1 to 24, and differ; got {from} to {to}"))
        }
        Kind::Weekdays { days } if days.is_empty() => refuse("days", "must name a day".to_owned()),
        Kind::Cross { of } => {
            let unfit = of.iter().find(|name| match all.get(name.as_str()) {
                None | Some(Kind::Cross { .. }) => true,
                Some(_) => false,
            });
            unfit.map_or(Ok(()), |name| {
                refuse("of", format!("must name two features that are no crosses, got {name:?}"))
            })
        }
        Kind::ItemNumber { attribute }
        | Kind::UserNumber { attribute }
        | Kind::ContextNumber { attribute }
        | Kind::ItemHas { attribute, .. }
        | Kind::UserHas { attribute, .. }
        | Kind::ContextHas { attribute, .. }
        | Kind::TextTrend { attribute: Some(attribute), .. }
        | Kind::TextTime { attribute: Some(attribute), .. }
        | Kind::Affinity { attribute: Some(attribute), .. }
        | Kind::Liking { attribute: Some(attribute) }
        | Kind::NumberDistance { attribute: Some(attribute) }
        | Kind::Audience { attribute: Some(attribute) }
        | Kind::TextAudience { attribute: Some(attribute), .. }
            if attribute.is_empty() || attribute.len() > ATTRIBUTE_NAME_BYTES_MAX =>
        {
            refuse("attribute", format!("must have 1 to {ATTRIBUTE_NAME_BYTES_MAX} bytes"))
        }
        _ => Ok(()),
    }
}

impl Serialize for FeatureSchema {
    /// All features by name, as [`FeatureSchema::parse`] takes them.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for FeatureSchema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = BTreeMap::<String, Entry>::deserialize(deserializer)?;
        let mut features: BTreeMap<_, _> = Self::default().features.into_iter().collect();
        for (name, Entry(kind)) in given {
            match kind {
                Some(kind) => {
                    features.insert(name, kind);
                }
                None if features.remove(&name).is_some() => {}
                None => {
                    let error = format!("{name} = false leaves out a default feature, and there is none of that name");
                    return Err(serde::de::Error::custom(error));
                }
            }
        }
        Self::parse(features).map_err(serde::de::Error::custom)
    }
}

/// A feature, or none: `false`.
struct Entry(Option<FeatureKind>);

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntryVisitor;
        impl<'de> Visitor<'de> for EntryVisitor {
            type Value = Entry;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a feature, such as { kind = \"item_age\" }, or false")
            }
            fn visit_bool<E: serde::de::Error>(self, on: bool) -> Result<Entry, E> {
                if on { Err(E::custom("a feature is a table or false, got true")) } else { Ok(Entry(None)) }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
                FeatureKind::deserialize(MapAccessDeserializer::new(map)).map(|kind| Entry(Some(kind)))
            }
        }
        deserializer.deserialize_any(EntryVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<FeatureSchema, String> {
        serde_json::from_str(json).map_err(|error: serde_json::Error| error.to_string())
    }

    #[test]
    fn a_schema_comes_back_and_nothing_joins_it() {
        let schema = parse(r#"{"take_rate":false,"x":{"kind":"hours","from":22,"to":6}}"#).unwrap();
        let text = serde_json::to_string(&schema).unwrap();
        let whole: BTreeMap<String, FeatureKind> = serde_json::from_str(&text).unwrap();
        assert_eq!(FeatureSchema::parse(whole).unwrap(), schema);
        assert_eq!(parse("{}").unwrap(), FeatureSchema::default());
        assert!(schema.names().is_sorted() && schema.position("x").is_some() && schema.similar_to() == 10);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (json, expected) in [
            (r#"{"x":{"kind":"afinity"}}"#, "unknown variant `afinity`"),
            (r#"{"x":{"kind":"item_age","days":3}}"#, "unknown field `days`"),
            (r#"{"x":{"kind":"wanted","half_life_days":3}}"#, "half_life_days: must be 1, 7, 30 or 90, got 3"),
            (r#"{"x":{"kind":"similarity","last":17,"take":"max"}}"#, "x.last: must be 1 to 16, got 17"),
            (r#"{"x":{"kind":"cross","of":["item_age","y"]}}"#, "x.of: must name two features"),
            (
                r#"{"x":{"kind":"cross","of":["y","item_age"]},"y":{"kind":"cross","of":["item_age","affinity"]}}"#,
                "no crosses",
            ),
            (r#"{"X":{"kind":"item_age"}}"#, "names are 1 to 64 of a-z"),
            (r#"{"x":false}"#, "there is none of that name"),
            (r#"{"x":true}"#, "a feature is a table or false"),
            (r#"{"x":3}"#, "a feature, such as"),
            (r#"{"x":{"kind":"hours","from":24,"to":3}}"#, "x.from: hours run"),
            (r#"{"x":{"kind":"item_number","attribute":""}}"#, "x.attribute: must have 1 to 64 bytes"),
            (r#"{"x":{"kind":"cross","of":["affinity","liking"]},"liking":false}"#, "x.of: must name two"),
        ] {
            let error = parse(json).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
