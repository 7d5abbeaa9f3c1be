use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limits::EVENT_TYPES_MAX;
use crate::{InvalidInput, Timestamp};

/// What an event of a type says about the user's taste.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// He wanted the item.
    Positive,
    /// He did not want it.
    Negative,
    /// It was shown to him; nothing is known yet.
    Impression,
}

/// How events of one type are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "EventTypeFields", into = "EventTypeFields")]
pub struct EventType {
    /// What it says about taste.
    pub signal: Signal,
    /// How much one event counts in training, above 0.
    pub weight: f32,
    /// Whether the item counts as consumed and is not recommended again.
    pub marks_seen: bool,
    /// Days after which a seen item may come back; never, if absent.
    pub seen_days: Option<u32>,
    /// With a positive signal: a value below this makes the event negative instead. An event
    /// without a value is taken as positive. Above 0.
    pub positive_at: Option<f32>,
}

/// The fields of `[events.<type>]` before they are checked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventTypeFields {
    signal: Signal,
    #[serde(default = "one")]
    weight: f32,
    #[serde(default)]
    marks_seen: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen_days: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    positive_at: Option<f32>,
}

fn one() -> f32 {
    1.0
}

impl TryFrom<EventTypeFields> for EventType {
    type Error = InvalidInput;
    fn try_from(fields: EventTypeFields) -> Result<Self, InvalidInput> {
        let EventTypeFields { signal, weight, marks_seen, seen_days, positive_at } = fields;
        if !(weight.is_finite() && weight > 0.0 && weight <= 1_000.0) {
            return Err(InvalidInput::new("weight", format!("must be above 0 and at most 1000, got {weight}")));
        }
        if positive_at.is_some_and(|at| !(at.is_finite() && at > 0.0)) {
            return Err(InvalidInput::new("positive_at", "must be above 0 and finite"));
        }
        if positive_at.is_some() && signal != Signal::Positive {
            return Err(InvalidInput::new("positive_at", "needs signal = \"positive\""));
        }
        if seen_days == Some(0) || (seen_days.is_some() && !marks_seen) {
            return Err(InvalidInput::new("seen_days", "must be at least 1 and needs marks_seen = true"));
        }
        Ok(Self { signal, weight, marks_seen, seen_days, positive_at })
    }
}

impl From<EventType> for EventTypeFields {
    fn from(kind: EventType) -> Self {
        let EventType { signal, weight, marks_seen, seen_days, positive_at } = kind;
        Self { signal, weight, marks_seen, seen_days, positive_at }
    }
}

/// Number of an event type inside one [`EventTypes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventTypeIdx(pub u8);

/// What one event said, after its type and value were read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// Wanted, with this interest.
    Positive(f32),
    /// Not wanted. The interest that is left says that he chose to try it all the same: who gives a
    /// film two stars went to see it, and goes to see others like it.
    Negative(f32),
    /// Shown.
    Impression,
}

/// The event types of one service, in order of name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, EventType>", into = "BTreeMap<String, EventType>")]
pub struct EventTypes(Vec<(String, EventType)>);

impl EventTypes {
    /// Checks and keeps named types.
    ///
    /// # Errors
    /// None, too many, a bad name, or no type with a positive signal.
    pub fn parse(types: BTreeMap<String, EventType>) -> Result<Self, InvalidInput> {
        if types.is_empty() || types.len() > EVENT_TYPES_MAX {
            return Err(InvalidInput::new("events", format!("must have 1 to {EVENT_TYPES_MAX} types")));
        }
        let bad = |name: &String| {
            name.is_empty()
                || name.len() > 64
                || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        if let Some(name) = types.keys().find(|name| bad(name)) {
            let reason = format!("type names are 1 to 64 of a-z, 0-9 and _, got {name:?}");
            return Err(InvalidInput::new("events", reason));
        }
        if !types.values().any(|kind| kind.signal == Signal::Positive) {
            return Err(InvalidInput::new("events", "at least one type must have signal = \"positive\""));
        }
        Ok(Self(types.into_iter().collect()))
    }

    /// The number of the type called `name`.
    pub fn find(&self, name: &str) -> Option<EventTypeIdx> {
        let position = self.0.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
        u8::try_from(position).ok().map(EventTypeIdx)
    }

    /// The number of the type called `name`.
    ///
    /// # Errors
    /// An unknown name; the error lists the known ones.
    pub fn resolve(&self, name: &str) -> Result<EventTypeIdx, InvalidInput> {
        self.find(name).ok_or_else(|| {
            let known: Vec<_> = self.iter().map(|(name, _)| name).collect();
            InvalidInput::new("event_type", format!("unknown type {name:?}; known are {}", known.join(", ")))
        })
    }

    /// The type with number `index`, which must come from this object.
    pub fn get(&self, index: EventTypeIdx) -> &EventType {
        &self.0[usize::from(index.0)].1
    }

    /// The name of the type with number `index`, which must come from this object.
    pub fn name(&self, index: EventTypeIdx) -> &str {
        &self.0[usize::from(index.0)].0
    }

    /// All types in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &EventType)> {
        self.0.iter().map(|(name, kind)| (name.as_str(), kind))
    }
}

impl EventType {
    /// What an event of this type with this value says. Below the threshold the interest falls with
    /// the square of the value's share of it: 3 of 4 leaves 0.56 of the weight, 1 of 4 leaves 0.06.
    pub fn outcome(&self, value: Option<f32>) -> Outcome {
        match (self.signal, self.positive_at, value) {
            (Signal::Impression, _, _) => Outcome::Impression,
            (Signal::Negative, _, _) => Outcome::Negative(0.0),
            (Signal::Positive, Some(at), Some(value)) if value < at => {
                let share = (value / at).max(0.0);
                Outcome::Negative(self.weight * share * share)
            }
            (Signal::Positive, _, _) => Outcome::Positive(self.weight),
        }
    }

    /// Whether an event with this value is what its type stands for: an impression is nothing that a user did, and two
    /// stars are no `rating` where that is positive from four on.
    pub fn happened(&self, value: Option<f32>) -> bool {
        match self.outcome(value) {
            Outcome::Positive(_) => true,
            Outcome::Negative(_) => self.signal == Signal::Negative,
            Outcome::Impression => false,
        }
    }

    /// Until when an item stays seen that was consumed at `time`; the far future if it never comes back.
    pub fn seen_until(&self, time: Timestamp) -> Option<Timestamp> {
        let forever = i64::MAX / 2_000_000;
        self.marks_seen.then(|| time.plus_seconds(self.seen_days.map_or(forever, |days| i64::from(days) * 86_400)))
    }
}

impl Default for EventTypes {
    /// impression, view, click, like, purchase, rating (positive from 4), hide.
    fn default() -> Self {
        let kind =
            |signal, weight, marks_seen| EventType { signal, weight, marks_seen, seen_days: None, positive_at: None };
        let types = [
            ("impression", kind(Signal::Impression, 1.0, false)),
            ("view", kind(Signal::Positive, 0.3, false)),
            ("click", kind(Signal::Positive, 1.0, true)),
            ("like", kind(Signal::Positive, 1.5, true)),
            ("purchase", kind(Signal::Positive, 2.0, true)),
            ("rating", EventType { positive_at: Some(4.0), ..kind(Signal::Positive, 1.0, true) }),
            ("hide", kind(Signal::Negative, 1.0, true)),
        ];
        let mut types: Vec<_> = types.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect();
        types.sort_by(|a, b| a.0.cmp(&b.0));
        Self(types)
    }
}

impl TryFrom<BTreeMap<String, EventType>> for EventTypes {
    type Error = InvalidInput;
    fn try_from(types: BTreeMap<String, EventType>) -> Result<Self, InvalidInput> {
        Self::parse(types)
    }
}
impl From<EventTypes> for BTreeMap<String, EventType> {
    fn from(types: EventTypes) -> Self {
        types.0.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rating_below_the_threshold_is_negative_and_one_without_value_positive() {
        let types = EventTypes::default();
        let rating = types.get(types.find("rating").unwrap());
        assert_eq!(rating.outcome(Some(2.0)), Outcome::Negative(0.25));
        assert_eq!(rating.outcome(Some(-2.0)), Outcome::Negative(0.0));
        assert_eq!(rating.outcome(Some(4.0)), Outcome::Positive(1.0));
        assert_eq!(rating.outcome(None), Outcome::Positive(1.0));
    }

    #[test]
    fn an_unknown_type_lists_the_known_ones() {
        let error = EventTypes::default().resolve("klick").unwrap_err();
        assert_eq!(
            error.to_string(),
            "event_type: unknown type \"klick\"; known are click, hide, impression, like, purchase, rating, view"
        );
    }

    #[test]
    fn toml_errors_point_at_the_table() {
        #[derive(Debug, Deserialize)]
        struct File {
            #[allow(dead_code)]
            events: EventTypes,
        }
        let error = toml::from_str::<File>("[events.click]\nsignal = \"positive\"\nweight = -1.0\n").unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
        assert!(error.to_string().contains("weight: must be above 0"), "{error}");
    }

    #[test]
    fn seen_items_come_back_after_their_days() {
        let mut kind = EventTypes::default().get(EventTypes::default().find("click").unwrap()).clone();
        let now = Timestamp::EPOCH;
        assert!(kind.seen_until(now).unwrap() > now.plus_seconds(1_000_000_000));
        kind.seen_days = Some(2);
        assert_eq!(kind.seen_until(now), Some(now.plus_seconds(172_800)));
        kind.marks_seen = false;
        assert_eq!(kind.seen_until(now), None);
    }
}
