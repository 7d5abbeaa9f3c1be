use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use shortlist_types::limits::{AUDIENCE_MAX, LABELS_MAX};
use shortlist_types::{AttributeValue, Attributes, ItemIdx};

use crate::LabelIdx;
use crate::catalog::DESCRIPTIVE;
use crate::checkpoint::in_order;

/// Weight of the item's general popularity against what one kind of user did, in users.
const PRIOR_USERS: f64 = 20.0;

/// Which kinds of users want which items: counts per item and user attribute text.
///
/// Bounded: at most 4,000,000 counts, about 40 bytes each; pairs beyond them are not counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Audience {
    #[serde(with = "in_order")]
    labels: HashMap<String, LabelIdx>,
    /// Per label: users with it who wanted something, once per item.
    totals: Vec<u32>,
    #[serde(with = "in_order")]
    pairs: HashMap<(ItemIdx, LabelIdx), u32>,
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

    /// Counts that a user with these labels wants `item`.
    pub(crate) fn add(&mut self, item: ItemIdx, labels: &[LabelIdx]) {
        for label in labels {
            let has_room = self.pairs.len() < AUDIENCE_MAX;
            match self.pairs.get_mut(&(item, *label)) {
                Some(count) => *count = count.saturating_add(1),
                None if has_room => {
                    self.pairs.insert((item, *label), 1);
                }
                None => continue,
            }
            let total = &mut self.totals[label.0 as usize];
            *total = total.saturating_add(1);
        }
    }

    /// Mean over the labels of ln(share of the item among what such users want / its share among what
    /// everybody wants), smoothed towards 0.
    pub(crate) fn affinity(&self, item: ItemIdx, item_users: u32, all: u64, labels: &[LabelIdx]) -> f64 {
        if labels.is_empty() {
            return 0.0;
        }
        let everybody = (f64::from(item_users) + 0.5) / (all as f64 + 1.0);
        let sum: f64 = labels
            .iter()
            .map(|label| {
                let here = self.pairs.get(&(item, *label)).copied().unwrap_or(0);
                let total = self.totals.get(label.0 as usize).copied().unwrap_or(0);
                // Smoothed in wishes for this item, so that rare items stay near 0.
                let expected = everybody * f64::from(total);
                libm::log((f64::from(here) + PRIOR_USERS * 0.1) / (expected + PRIOR_USERS * 0.1))
            })
            .sum();
        sum / labels.len() as f64
    }

    fn label(&mut self, name: &str, text: &str) -> Option<LabelIdx> {
        let key = format!("{name}\0{text}");
        if let Some(label) = self.labels.get(&key) {
            return Some(*label);
        }
        let label = u32::try_from(self.labels.len()).ok().filter(|n| (*n as usize) < LABELS_MAX).map(LabelIdx)?;
        self.labels.insert(key, label);
        self.totals.push(0);
        Some(label)
    }
}
