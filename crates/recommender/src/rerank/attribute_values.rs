use std::borrow::Cow;
use std::collections::HashMap;

use shortlist_features::FeatureState;
use shortlist_types::{AttributeValue, ItemIdx};

/// What each of some items has of one attribute, each value numbered from 0.
#[derive(Debug, Default)]
pub(super) struct AttributeValues {
    numbers: Vec<u32>,
    /// Per item, where its numbers end.
    ends: Vec<usize>,
    /// Values that there are.
    pub(super) count: usize,
}

impl AttributeValues {
    /// **Cost**: one look-up by name, and one hash per value, of each item.
    pub(super) fn of(state: &FeatureState, attribute: &str, items: impl Iterator<Item = ItemIdx>) -> Self {
        let mut known: HashMap<Cow<'_, str>, u32> = HashMap::new();
        let mut values = Self::default();
        for item in items {
            let value = state.catalog().get(item).and_then(|entry| entry.attributes.get(attribute));
            let texts: Vec<Cow<'_, str>> = match value {
                None => Vec::new(),
                Some(AttributeValue::Text(text)) => vec![Cow::Borrowed(text.as_str())],
                Some(AttributeValue::List(texts)) => texts.iter().map(|text| Cow::Borrowed(text.as_str())).collect(),
                Some(AttributeValue::Number(number)) => vec![Cow::Owned(number.to_string())],
                Some(AttributeValue::Bool(value)) => vec![Cow::Owned(value.to_string())],
            };
            let start = values.numbers.len();
            for text in texts {
                let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
                let number = *known.entry(text).or_insert(next);
                if !values.numbers[start..].contains(&number) {
                    values.numbers.push(number);
                }
            }
            values.ends.push(values.numbers.len());
        }
        values.count = known.len();
        values
    }

    /// Numbers of the values of the item at a place.
    pub(super) fn at(&self, place: usize) -> &[u32] {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.numbers[start..self.ends[place]]
    }
}
