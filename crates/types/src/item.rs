use serde::{Deserialize, Serialize};

use crate::{Attributes, ItemId};

/// One entry of the catalogue as its owner describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The owner's name for it.
    pub item_id: ItemId,
    /// What is known of it: title, categories, price.
    #[serde(default)]
    pub attributes: Attributes,
    /// Whether it may be recommended now.
    #[serde(default = "yes")]
    pub available: bool,
}

fn yes() -> bool {
    true
}
