use std::collections::HashMap;

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};
use shortlist_types::limits::{AUDIENCE_ITEM_MAX, AUDIENCE_MAX, LABELS_MAX};
use shortlist_types::{AttributeValue, Attributes, ItemIdx, Timestamp};

use crate::attribute_names::AttributeNames;
use crate::catalog::{DESCRIPTIVE, label_key};
use crate::checkpoint::in_order;
use crate::{HalfLife, LabelIdx, Tally};

/// Wishes that a count and its expectation both start with: rare items stay near 0.
const PRIOR: f64 = 2.0;

/// Which kinds of users want which items: for each attribute text of users, how often those who carry it
/// wanted each item, and each attribute text of items.
///
/// Bounded: at most 1,024 texts of users per item and 4,000,000 counts of items, 8 bytes each; at most 1,000,000
/// pairs of texts, 56 to 112 bytes each. What comes beyond is not counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Audience {
    #[serde(with = "in_order")]
    labels: HashMap<String, LabelIdx>,
    attributes: AttributeNames,
    /// Per label: its attribute, and the wishes of users with it, once per item.
    totals: Vec<(u16, Tally)>,
    /// Per item: counts by label of its users, ascending.
    by_item: Vec<Vec<(LabelIdx, u32)>>,
    counts: usize,
    /// Wishes of users with one text for items with another, once per item.
    #[serde(with = "in_order")]
    by_text: HashMap<(LabelIdx, LabelIdx), Tally, FixedState>,
}

/// Texts of one user that a request asks about: the product of as many lifts, each below 2^31, is finite and above 0.
const KINDS_MAX: usize = 16;

/// One kind of user, as a request asks about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    label: LabelIdx,
    /// Wishes of such users.
    total: f64,
}

impl Audience {
    /// The numbers of a user's attribute texts, ascending.
    pub(crate) fn encode(&mut self, attributes: &Attributes) -> Box<[LabelIdx]> {
        let mut labels = Vec::new();
        for (name, value) in attributes.iter() {
            match value {
                AttributeValue::Bool(value) => labels.extend(self.label(name, if *value { "true" } else { "false" })),
                AttributeValue::Text(_) | AttributeValue::List(_) if !DESCRIPTIVE.contains(&name) => {
                    labels.extend(attributes.labels(name).filter_map(|text| self.label(name, text)));
                }
                AttributeValue::Text(_) | AttributeValue::List(_) | AttributeValue::Number(_) => {}
            }
        }
        labels.sort_unstable();
        labels.dedup();
        labels.into()
    }

    /// Counts that a user with `labels` wants `item`, which carries `texts`.
    pub(crate) fn add(&mut self, item: ItemIdx, labels: &[LabelIdx], texts: &[LabelIdx], time: Timestamp) {
        if labels.is_empty() {
            return;
        }
        if self.by_item.len() <= item.as_usize() {
            self.by_item.resize_with(item.as_usize() + 1, Vec::new);
        }
        let counts = &mut self.by_item[item.as_usize()];
        for label in labels {
            self.totals[label.0 as usize].1.add(time);
            match counts.binary_search_by_key(label, |entry| entry.0) {
                Ok(position) => counts[position].1 = counts[position].1.saturating_add(1),
                Err(position) if counts.len() < AUDIENCE_ITEM_MAX && self.counts < AUDIENCE_MAX => {
                    counts.insert(position, (*label, 1));
                    self.counts += 1;
                }
                Err(_) => {}
            }
            for text in texts {
                let has_room = self.by_text.len() < LABELS_MAX;
                match self.by_text.get_mut(&(*label, *text)) {
                    Some(tally) => tally.add(time),
                    None if has_room => self.by_text.entry((*label, *text)).or_default().add(time),
                    None => {}
                }
            }
        }
    }

    /// Those of a user's texts that are of `attribute`, or all; at most 16.
    pub(crate) fn kinds(&self, labels: &[LabelIdx], attribute: Option<&str>) -> Vec<Kind> {
        let wanted = attribute.map(|name| self.attributes.find(name));
        let of = |label: &LabelIdx| {
            let (attribute, tally) = self.totals.get(label.0 as usize)?;
            let fits = wanted.is_none_or(|wanted| wanted == Some(*attribute));
            fits.then(|| Kind { label: *label, total: f64::from(tally.ever()) })
        };
        labels.iter().filter_map(of).take(KINDS_MAX).collect()
    }

    /// Whether a user has had a text of the attribute `name`.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.attributes.find(name).is_some()
    }

    /// How many users of which kinds want the item: by label, ascending.
    pub(crate) fn of_item(&self, item: ItemIdx) -> &[(LabelIdx, u32)] {
        self.by_item.get(item.as_usize()).map_or(&[], Vec::as_slice)
    }

    /// Over `kinds`, the product of wishes of such users for the items with a text / wishes that its `share` of
    /// all wishes lets expect of them, each smoothed towards 1.
    pub(crate) fn lift_of_text(&self, text: LabelIdx, share: f64, kinds: &[Kind]) -> f64 {
        let lift = |kind: &Kind| {
            let here = self.by_text.get(&(kind.label, text)).map_or(0.0, |tally| f64::from(tally.ever()));
            (here + PRIOR) / (share * kind.total + PRIOR)
        };
        kinds.iter().map(lift).product()
    }

    /// How much of what such users want of a text is of late: over `kinds`, the product of the text's decayed
    /// share of their wishes / its share of all of them, each smoothed towards 1.
    pub(crate) fn late_lift_of_text(&self, text: LabelIdx, half_life: HalfLife, now: Timestamp, kinds: &[Kind]) -> f64 {
        let lift = |kind: &Kind| {
            let Some((_, total)) = self.totals.get(kind.label.0 as usize) else { return 1.0 };
            let here = self.by_text.get(&(kind.label, text)).copied().unwrap_or_default();
            let expected = total.recent(half_life, now) * f64::from(here.ever()) / kind.total.max(1.0);
            (here.recent(half_life, now) + PRIOR) / (expected + PRIOR)
        };
        kinds.iter().map(lift).product()
    }

    fn label(&mut self, name: &str, text: &str) -> Option<LabelIdx> {
        let key = label_key(name, text);
        if let Some(label) = self.labels.get(&key) {
            return Some(*label);
        }
        let label = u32::try_from(self.labels.len()).ok().filter(|n| (*n as usize) < LABELS_MAX).map(LabelIdx)?;
        self.labels.insert(key, label);
        self.totals.push((self.attributes.number(name), Tally::default()));
        Some(label)
    }
}

/// Over `kinds`, the product of wishes of such users for an item, among its `counts` / wishes that its `share` of
/// all wishes lets expect of them, each smoothed towards 1.
pub(crate) fn lift_of_item(counts: &[(LabelIdx, u32)], share: f64, kinds: &[Kind]) -> f64 {
    let lift = |kind: &Kind| {
        let position = counts.binary_search_by_key(&kind.label, |entry| entry.0);
        let here = position.map_or(0.0, |position| f64::from(counts[position].1));
        (here + PRIOR) / (share * kind.total + PRIOR)
    };
    kinds.iter().map(lift).product()
}
