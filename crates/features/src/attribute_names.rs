use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use shortlist_types::limits::NUMBERS_MAX;

use crate::checkpoint::in_order;

/// Numbers of attribute names, given at their first appearance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct AttributeNames(#[serde(with = "in_order")] HashMap<String, u16>);

/// What all names beyond the first 1,024 share: they are found by none.
const BEYOND: u16 = u16::MAX;

impl AttributeNames {
    /// The number of `name`, if it has one.
    pub(crate) fn find(&self, name: &str) -> Option<u16> {
        self.0.get(name).copied()
    }

    /// The number of `name`, given now if it is new.
    pub(crate) fn number(&mut self, name: &str) -> u16 {
        if let Some(number) = self.find(name) {
            return number;
        }
        let Some(number) = u16::try_from(self.0.len()).ok().filter(|n| usize::from(*n) < NUMBERS_MAX) else {
            return BEYOND;
        };
        self.0.insert(name.to_owned(), number);
        number
    }
}
