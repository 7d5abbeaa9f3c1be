use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::FixedState;
use shortlist_features::Catalog;
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
    /// **Cost**: a hash per value of each item; of an attribute whose texts the catalogue has not numbered, a look-up
    /// by name beside it.
    pub(super) fn of(catalog: &Catalog, attribute: &str, items: impl Iterator<Item = ItemIdx>) -> Self {
        let is_numbered = catalog.numbers_all_texts_of(attribute) && catalog.number_attribute(attribute).is_none();
        match catalog.text_attribute(attribute).filter(|_| is_numbered) {
            Some(number) => Self::collect(items, |item, push| {
                let labels = catalog.get(item).map(|entry| entry.labels()).unwrap_or_default();
                labels.iter().filter(|label| catalog.attribute_of(**label) == number).for_each(|label| push(*label));
            }),
            None => Self::collect(items, |item, push| {
                match catalog.get(item).and_then(|entry| entry.attributes.get(attribute)) {
                    None => {}
                    Some(AttributeValue::Text(text)) => push(Cow::Borrowed(text.as_str())),
                    Some(AttributeValue::List(texts)) => texts.iter().for_each(|text| push(text.as_str().into())),
                    Some(AttributeValue::Number(number)) => push(number.to_string().into()),
                    Some(AttributeValue::Bool(value)) => push(value.to_string().into()),
                }
            }),
        }
    }

    /// Numbers what `visit` pushes of each item.
    fn collect<T: Hash + Eq>(items: impl Iterator<Item = ItemIdx>, visit: impl Fn(ItemIdx, &mut dyn FnMut(T))) -> Self {
        let mut known: HashMap<T, u32, FixedState> = HashMap::default();
        let mut values = Self::default();
        for item in items {
            let start = values.numbers.len();
            visit(item, &mut |value| {
                let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
                let number = *known.entry(value).or_insert(next);
                if !values.numbers[start..].contains(&number) {
                    values.numbers.push(number);
                }
            });
            values.ends.push(values.numbers.len());
        }
        values.count = known.len();
        values
    }

    /// How many items.
    pub(super) fn items(&self) -> usize {
        self.ends.len()
    }

    /// Numbers of the values of the item at a place.
    pub(super) fn at(&self, place: usize) -> &[u32] {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.numbers[start..self.ends[place]]
    }
}
