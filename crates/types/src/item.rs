use serde::{Deserialize, Serialize};

use crate::{Attributes, Embedding, ItemId};

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
    /// Where its owner places it, in a space of his own: all items' of the same dimensions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<Embedding>,
}

/// A change of some of what is known of an item, such as its price or whether it is in stock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemPatch {
    /// Which item; one that is not in the catalogue is left alone.
    pub item_id: ItemId,
    /// Attributes that it has from now on; the others stay.
    #[serde(default)]
    pub attributes: Attributes,
    /// Names of attributes that it has no longer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
    /// Whether it may be recommended; as before if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<bool>,
}

fn yes() -> bool {
    true
}
