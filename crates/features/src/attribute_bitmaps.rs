use std::collections::HashMap;

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use shortlist_types::limits::LABELS_MAX;
use shortlist_types::{Attributes, ItemIdx};

use crate::AttributeKey;
use crate::catalog::DESCRIPTIVE;
use crate::checkpoint::in_order;

/// For each pair of an attribute and a value, the items of the catalogue that have it.
///
/// Texts of descriptive attributes, such as titles, have no bitmap: there would be one per item, and
/// half a million items with a title and a description would leave no room for the next genre.
///
/// Bounded: at most `LABELS_MAX` pairs. Beyond it a pair that comes anew gets no bitmap, and the
/// entries that are missing for it are counted. While there are any, no pair gets one, even if there
/// is room again: an item that has it may have been turned away before, and the bitmap would lack it.
///
/// **Cost**: two hash lookups per value that an item gains or loses, about 150 ns, or 500 ns for a new
/// pair. Memory: an attribute takes about 300 bytes and its name, a pair 90 to 140 bytes and its text,
/// an entry 2 to 4 bytes. Where more than 4,096 of 65,536 neighbouring numbers have the value they take
/// 8 KB together; a lone entry far from all others takes 48 to 88 bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AttributeBitmaps {
    #[serde(with = "in_order")]
    attributes: HashMap<Box<str>, ValueBitmaps>,
    /// Bitmaps in `attributes`, none of them empty.
    pairs: usize,
    pairs_max: usize,
    /// (item, attribute, value) for which there is no bitmap, texts of descriptive attributes aside.
    missing: u64,
    /// What is lent for a value that no item has.
    #[serde(skip)]
    nothing: RoaringBitmap,
}

/// The items per value of one attribute.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct ValueBitmaps {
    #[serde(with = "in_order")]
    bools: HashMap<bool, RoaringBitmap>,
    #[serde(with = "in_order")]
    texts: HashMap<Box<str>, RoaringBitmap>,
}

impl Default for AttributeBitmaps {
    fn default() -> Self {
        Self::with_pairs_max(LABELS_MAX)
    }
}

impl AttributeBitmaps {
    /// None, with room for `pairs_max` pairs.
    pub(crate) fn with_pairs_max(pairs_max: usize) -> Self {
        Self { attributes: HashMap::new(), pairs: 0, pairs_max, missing: 0, nothing: RoaringBitmap::new() }
    }

    /// Items that have the value; `None` when that is not kept.
    pub(crate) fn get(&self, attribute: &str, key: AttributeKey<'_>) -> Option<&RoaringBitmap> {
        if let Some(items) = self.attributes.get(attribute).and_then(|values| values.get(key)) {
            return Some(items);
        }
        let is_complete = self.missing == 0 && is_kept(attribute, key);
        is_complete.then_some(&self.nothing)
    }

    /// Brings the bitmaps up to date with an item whose attributes were `before` and are `now`. An item
    /// that is not in the catalogue has none.
    ///
    /// What stays is not touched: at the limit, a pair of this item alone would lose its bitmap.
    pub(crate) fn update(&mut self, item: ItemIdx, before: &Attributes, now: &Attributes) {
        for (attribute, key) in pairs(before).filter(|pair| !has(now, *pair)) {
            self.remove(item, attribute, key);
        }
        for (attribute, key) in pairs(now).filter(|pair| !has(before, *pair)) {
            self.add(item, attribute, key);
        }
    }

    fn add(&mut self, item: ItemIdx, attribute: &str, key: AttributeKey<'_>) {
        if let Some(items) = self.attributes.get_mut(attribute).and_then(|values| values.get_mut(key)) {
            items.insert(item.0);
        } else if self.missing > 0 || self.pairs >= self.pairs_max {
            self.missing += 1;
        } else {
            // Many pairs are of one item only. A clone takes no room in reserve, which halves their memory.
            let items = RoaringBitmap::from([item.0]).clone();
            self.attributes.entry(attribute.into()).or_default().insert(key, items);
            self.pairs += 1;
        }
    }

    fn remove(&mut self, item: ItemIdx, attribute: &str, key: AttributeKey<'_>) {
        let Some(items) = self.attributes.get_mut(attribute).and_then(|values| values.get_mut(key)) else {
            self.missing = self.missing.saturating_sub(1);
            return;
        };
        items.remove(item.0);
        if items.is_empty() {
            self.remove_pair(attribute, key);
        }
    }

    fn remove_pair(&mut self, attribute: &str, key: AttributeKey<'_>) {
        let Some(values) = self.attributes.get_mut(attribute) else { return };
        values.remove(key);
        self.pairs -= 1;
        if values.is_empty() {
            self.attributes.remove(attribute);
        }
    }
}

impl ValueBitmaps {
    fn is_empty(&self) -> bool {
        self.bools.is_empty() && self.texts.is_empty()
    }

    fn get(&self, key: AttributeKey<'_>) -> Option<&RoaringBitmap> {
        match key {
            AttributeKey::Bool(bool) => self.bools.get(&bool),
            AttributeKey::Text(text) => self.texts.get(text),
        }
    }

    fn get_mut(&mut self, key: AttributeKey<'_>) -> Option<&mut RoaringBitmap> {
        match key {
            AttributeKey::Bool(bool) => self.bools.get_mut(&bool),
            AttributeKey::Text(text) => self.texts.get_mut(text),
        }
    }

    fn insert(&mut self, key: AttributeKey<'_>, items: RoaringBitmap) {
        match key {
            AttributeKey::Bool(bool) => self.bools.insert(bool, items),
            AttributeKey::Text(text) => self.texts.insert(text.into(), items),
        };
    }

    fn remove(&mut self, key: AttributeKey<'_>) {
        match key {
            AttributeKey::Bool(bool) => self.bools.remove(&bool),
            AttributeKey::Text(text) => self.texts.remove(text),
        };
    }
}

/// Whether a bitmap is wanted: not for texts that describe a single item.
fn is_kept(attribute: &str, key: AttributeKey<'_>) -> bool {
    matches!(key, AttributeKey::Bool(_)) || !DESCRIPTIVE.contains(&attribute)
}

/// The pairs of an attribute and a value that want a bitmap, each once.
fn pairs(attributes: &Attributes) -> impl Iterator<Item = (&str, AttributeKey<'_>)> {
    let all = attributes.iter().flat_map(|(name, value)| AttributeKey::all_in(value).map(move |key| (name, key)));
    all.filter(|(name, key)| is_kept(name, *key))
}

fn has(attributes: &Attributes, (name, key): (&str, AttributeKey<'_>)) -> bool {
    attributes.get(name).is_some_and(|value| key.is_in(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shortlist_types::AttributeValue;

    fn attributes(json: &str) -> Attributes {
        serde_json::from_str(json).unwrap()
    }

    /// Bitmaps of items 0, 1, ... with these attributes.
    fn bitmaps(pairs_max: usize, items: &[&str]) -> AttributeBitmaps {
        let mut bitmaps = AttributeBitmaps::with_pairs_max(pairs_max);
        for (n, json) in (0..).zip(items) {
            bitmaps.update(ItemIdx(n), &Attributes::default(), &attributes(json));
        }
        bitmaps
    }

    fn items(bitmaps: &AttributeBitmaps, attribute: &str, text: &str) -> Option<Vec<u32>> {
        bitmaps.get(attribute, text.into()).map(|items| items.iter().collect())
    }

    #[test]
    fn the_limit_is_the_one_for_labels() {
        assert_eq!(AttributeBitmaps::default().pairs_max, LABELS_MAX);
    }

    #[test]
    fn a_list_has_each_text_and_a_repeated_one_once() {
        let mut bitmaps = bitmaps(9, &[r#"{"genre":["x","y","x"]}"#, r#"{"genre":"x"}"#]);
        assert_eq!(items(&bitmaps, "genre", "x"), Some(vec![0, 1]));
        assert_eq!(items(&bitmaps, "genre", "y"), Some(vec![0]));
        assert_eq!(bitmaps.pairs, 2);
        bitmaps.update(ItemIdx(0), &attributes(r#"{"genre":["x","y","x"]}"#), &Attributes::default());
        bitmaps.update(ItemIdx(1), &attributes(r#"{"genre":"x"}"#), &Attributes::default());
        assert_eq!(bitmaps, AttributeBitmaps::with_pairs_max(9));
    }

    #[test]
    fn a_text_repeated_beyond_the_limit_is_missing_once() {
        let mut bitmaps = bitmaps(0, &[r#"{"genre":["x","x"]}"#, r#"{"genre":"y"}"#]);
        assert_eq!(bitmaps.missing, 2);
        bitmaps.update(ItemIdx(0), &attributes(r#"{"genre":["x","x"]}"#), &Attributes::default());
        assert_eq!(bitmaps.missing, 1);
    }

    #[test]
    fn the_bool_true_and_the_text_true_are_two_values() {
        let bitmaps = bitmaps(9, &[r#"{"adult":true}"#, r#"{"adult":"true"}"#, r#"{"adult":false}"#]);
        let with = |key: AttributeKey<'_>| bitmaps.get("adult", key).unwrap().iter().collect::<Vec<_>>();
        assert_eq!([with(true.into()), with("true".into()), with(false.into())], [[0], [1], [2]]);
    }

    #[test]
    fn numbers_have_no_bitmaps_and_titles_are_not_kept() {
        let bitmaps = bitmaps(9, &[r#"{"price":1,"title":"T","image":false}"#]);
        assert_eq!(bitmaps.pairs, 1);
        assert_eq!(items(&bitmaps, "price", "1"), Some(vec![]));
        assert_eq!(items(&bitmaps, "title", "T"), None);
        assert!(bitmaps.get("image", false.into()).unwrap().contains(0));
    }

    #[test]
    fn beyond_the_limit_what_is_kept_stays_exact_and_the_rest_says_so() {
        let bitmaps = bitmaps(2, &[r#"{"genre":["x","y"]}"#, r#"{"genre":["x","z"]}"#]);
        assert_eq!(items(&bitmaps, "genre", "x"), Some(vec![0, 1]));
        assert_eq!(items(&bitmaps, "genre", "z"), None);
        // Nobody has it, but the bitmaps cannot know.
        assert_eq!(items(&bitmaps, "genre", "w"), None);
    }

    #[test]
    fn a_pair_that_was_turned_away_gets_no_half_bitmap_when_there_is_room() {
        let mut bitmaps = bitmaps(1, &[r#"{"genre":"x"}"#, r#"{"genre":"y"}"#]);
        bitmaps.update(ItemIdx(0), &attributes(r#"{"genre":"x"}"#), &attributes(r#"{"genre":"y"}"#));
        assert_eq!((bitmaps.pairs, items(&bitmaps, "genre", "y")), (0, None));
        for item in [0, 1] {
            bitmaps.update(ItemIdx(item), &attributes(r#"{"genre":"y"}"#), &Attributes::default());
        }
        assert_eq!(items(&bitmaps, "genre", "y"), Some(vec![]));
        bitmaps.update(ItemIdx(2), &Attributes::default(), &attributes(r#"{"genre":"y"}"#));
        assert_eq!(items(&bitmaps, "genre", "y"), Some(vec![2]));
    }

    #[test]
    fn at_the_limit_an_item_keeps_what_it_had() {
        let mut bitmaps = bitmaps(1, &[r#"{"genre":"x"}"#, r#"{"genre":"y"}"#]);
        bitmaps.update(ItemIdx(0), &attributes(r#"{"genre":"x"}"#), &attributes(r#"{"genre":["x","z"]}"#));
        assert_eq!(items(&bitmaps, "genre", "x"), Some(vec![0]));
    }

    const TEXTS: [&str; 3] = ["x", "y", "true"];

    fn any_value() -> impl Strategy<Value = AttributeValue> {
        let text = || prop::sample::select(&TEXTS[..]).prop_map(str::to_owned);
        prop_oneof![
            any::<bool>().prop_map(AttributeValue::Bool),
            text().prop_map(AttributeValue::Text),
            prop::collection::vec(text(), 0..4).prop_map(AttributeValue::List),
            Just(AttributeValue::Number(1.0)),
        ]
    }

    fn any_attributes() -> impl Strategy<Value = Attributes> {
        let names = prop::sample::select(vec!["a", "b", "title"]).prop_map(str::to_owned);
        prop::collection::btree_map(names, any_value(), 0..3).prop_map(|pairs| Attributes::parse(pairs).unwrap())
    }

    /// Items that have the value, by looking at each of them.
    fn naive(items: &[Attributes], name: &str, key: AttributeKey<'_>) -> Vec<u32> {
        let has = |attributes: &Attributes| match key {
            AttributeKey::Bool(bool) => attributes.get(name) == Some(&AttributeValue::Bool(bool)),
            AttributeKey::Text(text) => attributes.labels(name).any(|label| label == text),
        };
        (0..).zip(items).filter(|(_, attributes)| has(attributes)).map(|(n, _)| n).collect()
    }

    proptest! {
        #[test]
        fn at_any_limit_a_bitmap_is_exact_or_not_given(
            pairs_max in 0..9_usize,
            changes in prop::collection::vec((0..5_usize, any_attributes()), 0..60),
        ) {
            let mut bitmaps = AttributeBitmaps::with_pairs_max(pairs_max);
            let mut items = vec![Attributes::default(); 5];
            for (item, now) in changes {
                let before = std::mem::replace(&mut items[item], now);
                bitmaps.update(ItemIdx(u32::try_from(item).unwrap()), &before, &items[item]);
                let (mut kept, mut missing) = (0, 0);
                let keys = || TEXTS.map(AttributeKey::Text).into_iter().chain([true, false].map(AttributeKey::Bool));
                for (name, key) in ["a", "b", "title"].into_iter().flat_map(|name| keys().map(move |key| (name, key))) {
                    let expected = naive(&items, name, key);
                    match bitmaps.get(name, key) {
                        Some(found) => {
                            prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected);
                            kept += usize::from(!found.is_empty());
                        }
                        None if name == "title" && matches!(key, AttributeKey::Text(_)) => {}
                        None => missing += expected.len() as u64,
                    }
                }
                prop_assert_eq!((kept, missing), (bitmaps.pairs, bitmaps.missing));
                prop_assert!(kept <= pairs_max);
            }
        }
    }
}
