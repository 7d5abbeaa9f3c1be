use std::collections::HashMap;

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use shortlist_types::limits::{ENTITIES_MAX, LABELS_MAX};
use shortlist_types::{AttributeValue, Attributes, Embedding, Item, ItemId, ItemIdx, ItemPatch, Timestamp};

use crate::AttributeKey;
use crate::attribute_bitmaps::AttributeBitmaps;
use crate::attribute_names::AttributeNames;
use crate::checkpoint::in_order;
use crate::given_embeddings::GivenEmbeddings;

/// Number of one attribute text, such as genre = Drama: given at its first appearance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LabelIdx(pub u32);

/// Attributes that name or describe a single item: shared by no two, so no affinity can be learnt.
pub(crate) const DESCRIPTIVE: [&str; 6] = ["title", "name", "description", "summary", "url", "image"];

/// One item as the fold knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CatalogItem {
    /// The owner's name for it.
    pub id: ItemId,
    /// What is known of it.
    pub attributes: Attributes,
    /// Whether its owner lets it be recommended.
    pub available: bool,
    /// Whether it was taken out of the catalogue.
    pub deleted: bool,
    /// When it appeared in the log.
    pub first_seen: Timestamp,
    /// Where its owner places it.
    pub embedding: Option<Embedding>,
    /// Its attribute texts, ascending.
    pub(crate) labels: Box<[LabelIdx]>,
    /// Its numeric attributes: (number of the attribute, compressed value).
    pub(crate) numbers: Box<[(u16, f32)]>,
}

/// All items that the log ever named. Numbers are given in order of appearance and never reused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    items: Vec<CatalogItem>,
    #[serde(skip)]
    by_id: HashMap<ItemId, ItemIdx>,
    /// The items that [`Catalog::is_recommendable`] is true of.
    recommendable: RoaringBitmap,
    /// Of the items that are not deleted.
    by_attribute: AttributeBitmaps,
    #[serde(with = "in_order")]
    labels: HashMap<String, LabelIdx>,
    label_names: AttributeNames,
    /// Per label: its attribute, numbered by `label_names`.
    label_attributes: Vec<u16>,
    /// Of numeric attributes.
    number_names: AttributeNames,
    spreads: Vec<Spread>,
    given: GivenEmbeddings,
}

/// The labels and numbers of one item.
struct Encoded {
    labels: Box<[LabelIdx]>,
    numbers: Box<[(u16, f32)]>,
}

/// Running mean and variance of one numeric attribute (Welford).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

impl CatalogItem {
    /// What it has of a numeric attribute: ln(1 + |x|) with the sign of x, which keeps the order.
    pub fn number(&self, attribute: u16) -> Option<f32> {
        self.numbers.iter().find(|(number, _)| *number == attribute).map(|(_, value)| *value)
    }

    /// Its attribute texts by number, ascending; bools count as the texts "true" and "false".
    pub fn labels(&self) -> &[LabelIdx] {
        &self.labels
    }

    /// Whether the attribute called `name` is `value`, or a list that holds it.
    pub fn has<'a>(&self, name: &str, value: impl Into<AttributeKey<'a>>) -> bool {
        self.attributes.get(name).is_some_and(|known| value.into().is_in(known))
    }
}

impl Catalog {
    /// Items that were ever named, deleted ones included.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether no item was ever named.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The number of the item called `id`.
    pub fn find(&self, id: &str) -> Option<ItemIdx> {
        self.by_id.get(id).copied()
    }

    /// The item with number `index`.
    pub fn get(&self, index: ItemIdx) -> Option<&CatalogItem> {
        self.items.get(index.as_usize())
    }

    /// Whether the item may be recommended at all.
    pub fn is_recommendable(&self, index: ItemIdx) -> bool {
        self.get(index).is_some_and(|item| item.available && !item.deleted)
    }

    /// Numbers of the items that may be recommended: those that [`Self::is_recommendable`] is true of.
    ///
    /// **Cost**: kept in step, so reading it is free. Memory is at most one bit per item: 8 KB per 65,536.
    pub fn recommendable(&self) -> &RoaringBitmap {
        &self.recommendable
    }

    /// Numbers of the items in the catalogue, not deleted but perhaps unavailable, whose attribute
    /// `name` is `value` or a list that holds it; empty if there is none.
    ///
    /// `None` says that this set is not kept, not that it is empty: ask [`CatalogItem::has`] of each
    /// item then. So it is with the texts of attributes that describe a single item (`title`, `name`,
    /// `description`, `summary`, `url`, `image`), and beyond `LABELS_MAX` pairs of an attribute and a
    /// value: while an item has a pair that found no room, a pair without a set may be one of those.
    ///
    /// Numbers cannot be asked for: they are asked for by range, which is another structure's work.
    ///
    /// **Cost**: two hash lookups, whatever the number of items. Memory is 90 to 140 bytes and the
    /// text per pair, and 2 to 4 bytes per item that has it; where many have it, at most one bit per item.
    ///
    /// ```
    /// use shortlist_features::FeatureState;
    /// use shortlist_types::{Item, LogRecord, LogSeq, Timestamp};
    ///
    /// let item: Item = serde_json::from_str(r#"{"item_id":"heat","attributes":{"genre":["Crime","Drama"]}}"#).unwrap();
    /// let mut state = FeatureState::new(Default::default());
    /// state.apply(LogSeq(1), &LogRecord::ItemPut { timestamp: Timestamp::EPOCH, item }).unwrap();
    ///
    /// let catalog = state.catalog();
    /// let dramas = catalog.items_with("genre", "Drama").unwrap() & catalog.recommendable();
    /// assert!(dramas.contains(0));
    /// assert!(catalog.items_with("genre", "Comedy").unwrap().is_empty());
    /// assert!(catalog.items_with("title", "Heat").is_none());
    /// ```
    pub fn items_with<'a>(&self, name: &str, value: impl Into<AttributeKey<'a>>) -> Option<&RoaringBitmap> {
        self.by_attribute.get(name, value.into())
    }

    /// All items ever named in order of number.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (ItemIdx, &CatalogItem)> {
        // Interning keeps the number of items below 2^32.
        self.items.iter().enumerate().map(|(n, item)| (ItemIdx(u32::try_from(n).unwrap_or(u32::MAX)), item))
    }

    /// The numbered texts of the attribute `name`; none of one that describes single items, and none beyond
    /// `LABELS_MAX`.
    ///
    /// **Cost**: a look at every numbered text.
    pub fn texts_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (LabelIdx, &'a str)> {
        let text = move |key: &'a str| key.strip_prefix(name)?.strip_prefix('\0');
        self.labels.iter().filter_map(move |(key, label)| Some((*label, text(key)?)))
    }

    /// Whether all texts of the attribute `name` are numbered, so that an item's are among [`CatalogItem::labels`].
    pub fn numbers_all_texts_of(&self, name: &str) -> bool {
        self.labels.len() < LABELS_MAX && !DESCRIPTIVE.contains(&name)
    }

    /// Distinct attribute texts.
    pub fn labels_len(&self) -> usize {
        self.labels.len()
    }

    /// The number of the attribute whose texts are called `name`.
    pub fn text_attribute(&self, name: &str) -> Option<u16> {
        self.label_names.find(name)
    }

    /// The attribute of a text, numbered as by [`Self::text_attribute`].
    pub fn attribute_of(&self, label: LabelIdx) -> u16 {
        self.label_attributes.get(label.0 as usize).copied().unwrap_or(u16::MAX)
    }

    /// The number of the numeric attribute called `name`, by which [`CatalogItem::number`] is asked.
    pub fn number_attribute(&self, name: &str) -> Option<u16> {
        self.number_names.find(name)
    }

    /// The number of the text `text` of the attribute `name`; of a bool it is "true" or "false".
    pub(crate) fn find_label(&self, name: &str, text: &str) -> Option<LabelIdx> {
        self.labels.get(&label_key(name, text)).copied()
    }

    /// Number of `id`, given now if it is new; `None` when the catalogue is full.
    pub(crate) fn intern(&mut self, id: &ItemId, time: Timestamp) -> Option<ItemIdx> {
        if let Some(index) = self.find(id.as_str()) {
            return Some(index);
        }
        let index = u32::try_from(self.items.len()).ok().filter(|n| (*n as usize) < ENTITIES_MAX).map(ItemIdx)?;
        self.by_id.insert(id.clone(), index);
        self.items.push(CatalogItem {
            id: id.clone(),
            attributes: Attributes::default(),
            available: true,
            deleted: false,
            first_seen: time,
            embedding: None,
            labels: Box::default(),
            numbers: Box::default(),
        });
        self.update_recommendable(index);
        Some(index)
    }

    /// Puts or replaces an item; `None` when the catalogue is full.
    pub(crate) fn put(&mut self, item: &Item, time: Timestamp) -> Option<ItemIdx> {
        let index = self.intern(&item.item_id, time)?;
        let Encoded { labels, numbers } = self.encode(&item.attributes);
        let entry = self.items.get_mut(index.as_usize())?;
        // A deleted item still shows its attributes, but is in no bitmap.
        let before = if entry.deleted { Attributes::default() } else { std::mem::take(&mut entry.attributes) };
        self.by_attribute.update(index, &before, &item.attributes);
        entry.attributes = item.attributes.clone();
        entry.available = item.available;
        self.given.replace(&mut entry.embedding, item.embedding.as_ref());
        entry.deleted = false;
        entry.first_seen = entry.first_seen.min(time);
        entry.labels = labels;
        entry.numbers = numbers;
        self.update_recommendable(index);
        Some(index)
    }

    /// Changes some of an item that is in the catalogue. Of a change that leaves it with too many attributes, which
    /// only several at once can bring about, nothing is kept.
    pub(crate) fn patch(&mut self, patch: &ItemPatch, time: Timestamp) {
        let there = self.find(patch.item_id.as_str()).and_then(|index| self.get(index));
        let Some(entry) = there.filter(|entry| !entry.deleted) else { return };
        let Ok(attributes) = entry.attributes.changed(&patch.attributes, &patch.remove) else { return };
        let available = patch.available.unwrap_or(entry.available);
        let embedding = entry.embedding.clone();
        self.put(&Item { item_id: patch.item_id.clone(), attributes, available, embedding }, time);
    }

    /// Dimensions of the embeddings that items were given; none while no item has one.
    pub fn embedding_dimensions(&self) -> Option<usize> {
        self.given.dimensions()
    }

    /// Takes an item out; its number and counters stay.
    pub(crate) fn delete(&mut self, id: &ItemId) {
        let Some(index) = self.find(id.as_str()) else { return };
        let Some(entry) = self.items.get_mut(index.as_usize()) else { return };
        if !entry.deleted {
            self.by_attribute.update(index, &entry.attributes, &Attributes::default());
            entry.deleted = true;
            self.given.replace(&mut entry.embedding, None);
            self.update_recommendable(index);
        }
    }

    /// Makes what a checkpoint leaves out.
    pub(crate) fn complete(&mut self) {
        self.by_id = (0..).map(ItemIdx).zip(&self.items).map(|(index, item)| (item.id.clone(), index)).collect();
    }

    /// To be called after every change of what [`Self::is_recommendable`] reads.
    fn update_recommendable(&mut self, index: ItemIdx) {
        if self.is_recommendable(index) {
            self.recommendable.insert(index.0);
        } else {
            self.recommendable.remove(index.0);
        }
    }

    /// How far a numeric attribute's value lies from the mean of the catalogue, in standard deviations.
    pub(crate) fn standardised(&self, (number, value): (u16, f32)) -> f64 {
        let Some(spread) = self.spreads.get(usize::from(number)) else { return 0.0 };
        let variance = spread.squares / spread.count.max(1.0);
        (f64::from(value) - spread.mean) / variance.max(1e-6).sqrt()
    }

    /// What affinities and distances need of an item's attributes.
    fn encode(&mut self, attributes: &Attributes) -> Encoded {
        let (mut labels, mut numbers) = (Vec::new(), Vec::new());
        for (name, value) in attributes.iter() {
            match value {
                AttributeValue::Number(value) => numbers.extend(self.number(name).map(|n| (n, compress(*value)))),
                AttributeValue::Bool(value) => labels.extend(self.label(name, if *value { "true" } else { "false" })),
                AttributeValue::Text(_) | AttributeValue::List(_) if !DESCRIPTIVE.contains(&name) => {
                    labels.extend(attributes.labels(name).filter_map(|text| self.label(name, text)));
                }
                AttributeValue::Text(_) | AttributeValue::List(_) => {}
            }
        }
        labels.sort_unstable();
        labels.dedup();
        for (number, value) in &numbers {
            self.spreads[usize::from(*number)].add(f64::from(*value));
        }
        Encoded { labels: labels.into(), numbers: numbers.into() }
    }

    fn label(&mut self, name: &str, text: &str) -> Option<LabelIdx> {
        let key = label_key(name, text);
        if let Some(label) = self.labels.get(&key) {
            return Some(*label);
        }
        let label = u32::try_from(self.labels.len()).ok().filter(|n| (*n as usize) < LABELS_MAX).map(LabelIdx)?;
        self.labels.insert(key, label);
        self.label_attributes.push(self.label_names.number(name));
        Some(label)
    }

    fn number(&mut self, name: &str) -> Option<u16> {
        let number = self.number_names.number(name);
        let slot = usize::from(number);
        if slot == self.spreads.len() {
            self.spreads.push(Spread::default());
        }
        (slot < self.spreads.len()).then_some(number)
    }
}

/// By what a text of an attribute is numbered.
pub(crate) fn label_key(name: &str, text: &str) -> String {
    format!("{name}\0{text}")
}

/// Prices and counts spread over orders of magnitude: their logarithm is what people compare.
pub fn compress(value: f64) -> f32 {
    #[allow(clippy::cast_possible_truncation)] // a logarithm of a finite f64 fits into f32
    let compressed = libm::log1p(value.abs()).copysign(value) as f32;
    compressed
}

impl Spread {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str, json: &str) -> Item {
        let attributes = serde_json::from_str(json).unwrap();
        Item { item_id: ItemId::parse(id).unwrap(), attributes, available: true, embedding: None }
    }

    #[test]
    fn numbers_are_given_once_and_survive_a_delete() {
        let mut catalog = Catalog::default();
        let a = catalog.put(&item("a", "{}"), Timestamp::EPOCH).unwrap();
        let b = catalog.intern(&ItemId::parse("b").unwrap(), Timestamp::EPOCH).unwrap();
        catalog.delete(&ItemId::parse("a").unwrap());
        assert!(!catalog.is_recommendable(a) && catalog.is_recommendable(b));
        assert_eq!(catalog.put(&item("a", "{}"), Timestamp::EPOCH), Some(a));
        assert!(catalog.is_recommendable(a));
    }

    #[test]
    fn what_an_item_no_longer_has_is_forgotten() {
        let mut catalog = Catalog::default();
        let a = catalog.put(&item("a", r#"{"genre":["x","y"],"adult":true}"#), Timestamp::EPOCH).unwrap();
        catalog.put(&item("a", r#"{"genre":["y","z"]}"#), Timestamp::EPOCH);
        let with = |catalog: &Catalog, genre: &str| catalog.items_with("genre", genre).map(|items| items.contains(a.0));
        assert_eq!(["x", "y", "z"].map(|genre| with(&catalog, genre)), [Some(false), Some(true), Some(true)]);
        assert!(catalog.items_with("adult", true).is_some_and(RoaringBitmap::is_empty));
        catalog.delete(&ItemId::parse("a").unwrap());
        assert_eq!(["x", "y", "z"].map(|genre| with(&catalog, genre)), [Some(false); 3]);
        assert_eq!(catalog.by_attribute, AttributeBitmaps::default());
    }

    #[test]
    fn at_the_limit_a_second_delete_does_not_hide_what_is_missing() {
        let mut catalog = Catalog { by_attribute: AttributeBitmaps::with_pairs_max(0), ..Catalog::default() };
        for id in ["a", "b"] {
            catalog.put(&item(id, r#"{"genre":"x"}"#), Timestamp::EPOCH);
        }
        catalog.delete(&ItemId::parse("a").unwrap());
        catalog.delete(&ItemId::parse("a").unwrap());
        assert_eq!(catalog.items_with("genre", "x"), None);
        catalog.delete(&ItemId::parse("b").unwrap());
        assert_eq!(catalog.items_with("genre", "x"), Some(&RoaringBitmap::new()));
    }

    #[test]
    fn an_unavailable_item_keeps_its_values_and_is_not_recommendable() {
        let mut catalog = Catalog::default();
        let hidden = Item { available: false, ..item("a", r#"{"genre":"x"}"#) };
        catalog.put(&hidden, Timestamp::EPOCH);
        assert!(catalog.recommendable().is_empty());
        assert_eq!(catalog.items_with("genre", "x").map(RoaringBitmap::len), Some(1));
        catalog.put(&Item { available: true, ..hidden }, Timestamp::EPOCH);
        assert_eq!(catalog.recommendable().len(), 1);
    }

    #[test]
    fn titles_are_not_labels_and_lists_are_several() {
        let mut catalog = Catalog::default();
        catalog.put(&item("a", r#"{"title":"T","genre":["x","y","x"],"adult":true,"price":10}"#), Timestamp::EPOCH);
        let entry = catalog.get(ItemIdx(0)).unwrap();
        assert_eq!(entry.labels.len(), 3);
        assert_eq!(entry.numbers.len(), 1);
    }

    #[test]
    fn numbers_are_told_in_standard_deviations() {
        let mut catalog = Catalog::default();
        for (id, price) in [("a", 1.0_f64), ("b", 10.0), ("c", 100.0), ("d", -1e308)] {
            catalog.put(&item(id, &format!(r#"{{"price":{price:?}}}"#)), Timestamp::EPOCH);
        }
        let z: Vec<f64> = (0..4).map(|i| catalog.standardised(catalog.get(ItemIdx(i)).unwrap().numbers[0])).collect();
        assert!(z[0] < z[1] && z[1] < z[2] && z[3] < z[0]);
        assert!(z.iter().all(|z| z.is_finite()));
    }
}
