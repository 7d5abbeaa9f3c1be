use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Number;
use shortlist_features::CatalogItem;
use shortlist_types::limits::ATTRIBUTES_MAX;
use shortlist_types::{Attributes, Embedding, InvalidInput, Item, ItemId, ItemPatch, User, UserId};
use utoipa::ToSchema;

use super::attribute::parse_attributes;
use super::{AttributeInput, RefusedRow, direction};

/// One entry of the catalogue, as it is put.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct ItemBody {
    /// Which item. Needed in a batch; beside the id in a path it may only repeat it.
    #[schema(min_length = 1, max_length = 128)]
    pub item_id: Option<String>,
    /// What is known of it, under at most 64 names: title, categories, price.
    #[serde(default)]
    pub attributes: BTreeMap<String, AttributeInput>,
    /// Whether it may be recommended now; `true` if absent.
    pub available: Option<bool>,
    /// Where its owner places it, in a space of his own that `/v1/search` looks through: not all zero, of as many
    /// dimensions as all other items' have. Absent: nowhere.
    #[schema(value_type = Option<Vec<f32>>, min_items = 1, max_items = 4_096)]
    pub embedding: Option<Vec<Number>>,
}

/// A change of some of what is known of an item.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schema(as = ItemPatch)]
pub struct ItemPatchBody {
    /// Attributes that it has from now on, such as its price; the others stay.
    #[serde(default)]
    pub attributes: BTreeMap<String, AttributeInput>,
    /// Names of attributes that it has no longer.
    #[serde(default)]
    #[schema(max_items = 64)]
    pub remove: Vec<String>,
    /// Whether it may be recommended; as before if absent.
    pub available: Option<bool>,
}

/// Entries to put, all or none, unless it is `partial`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct ItemBatch {
    /// 1 to 1,000 entries.
    #[schema(min_items = 1, max_items = 1_000)]
    pub items: Vec<ItemBody>,
    /// Whether entries that cannot be taken are left out and told in `refused`; otherwise one of them refuses all.
    #[serde(default)]
    pub partial: bool,
}

/// One entry of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Item)]
pub struct ItemView {
    /// The owner's name for it.
    #[schema(value_type = String)]
    pub item_id: ItemId,
    /// What is known of it; nothing if only events named it.
    #[schema(value_type = BTreeMap<String, AttributeInput>)]
    pub attributes: Attributes,
    /// Whether it may be recommended now.
    pub available: bool,
    /// Where its owner places it; absent if nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<f32>>)]
    pub embedding: Option<Embedding>,
}

/// What is known of a user, as it is put.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct UserBody {
    /// Which user. Needed in a batch; beside the id in a path it may only repeat it.
    #[schema(min_length = 1, max_length = 128)]
    pub user_id: Option<String>,
    /// What is known of him, under at most 64 names: age group, country.
    #[serde(default)]
    pub attributes: BTreeMap<String, AttributeInput>,
}

/// Descriptions to put, all or none, unless it is `partial`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct UserBatch {
    /// 1 to 1,000 descriptions.
    #[schema(min_items = 1, max_items = 1_000)]
    pub users: Vec<UserBody>,
    /// Whether descriptions that cannot be taken are left out and told in `refused`; otherwise one of them refuses all.
    #[serde(default)]
    pub partial: bool,
}

/// One user as the owner of the catalogue describes him.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView {
    /// The owner's name for him.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// What is known of him; nothing if only events named him.
    #[schema(value_type = BTreeMap<String, AttributeInput>)]
    pub attributes: Attributes,
}

/// A change of the catalogue that is on disk and applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChangeResponse {
    /// Records appended: 0 when there was nothing to delete.
    pub accepted: u64,
    /// Position in the log of the last of them; the end of the log if there was none.
    pub log_seq: u64,
    /// Entries of a batch that were left out; only with `partial`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedRow>,
}

impl ItemBody {
    /// The same entry under the name of its path.
    pub(crate) fn at(self, item_id: String) -> Result<Self, InvalidInput> {
        let item_id = repeated("item_id", item_id, self.item_id)?;
        Ok(Self { item_id: Some(item_id), ..self })
    }

    /// The checked entry.
    pub(crate) fn parse(self) -> Result<Item, InvalidInput> {
        Ok(Item {
            item_id: ItemId::parse(&named("item_id", self.item_id)?)?,
            attributes: parse_attributes("attributes", self.attributes)?,
            available: self.available.unwrap_or(true),
            embedding: self.embedding.map(|numbers| direction("embedding", &numbers)).transpose()?,
        })
    }
}

impl ItemPatchBody {
    /// The checked change of the item in the path.
    pub(crate) fn parse(self, item_id: &str) -> Result<ItemPatch, InvalidInput> {
        if self.remove.len() > ATTRIBUTES_MAX {
            let reason = format!("must have at most {ATTRIBUTES_MAX} entries, got {}", self.remove.len());
            return Err(InvalidInput::new("remove", reason));
        }
        let attributes = parse_attributes("attributes", self.attributes)?;
        if let Some(i) = self.remove.iter().position(|name| attributes.get(name).is_some()) {
            return Err(InvalidInput::new(format!("remove[{i}]"), "is among the attributes that it is to have"));
        }
        Ok(ItemPatch { item_id: ItemId::parse(item_id)?, attributes, remove: self.remove, available: self.available })
    }
}

impl UserBody {
    /// The same description under the name of its path.
    pub(crate) fn at(self, user_id: String) -> Result<Self, InvalidInput> {
        let user_id = repeated("user_id", user_id, self.user_id)?;
        Ok(Self { user_id: Some(user_id), ..self })
    }

    /// The checked description.
    pub(crate) fn parse(self) -> Result<User, InvalidInput> {
        Ok(User {
            user_id: UserId::parse(&named("user_id", self.user_id)?)?,
            attributes: parse_attributes("attributes", self.attributes)?,
        })
    }
}

impl ItemView {
    /// An entry of the catalogue as it goes over the wire.
    pub(crate) fn of(entry: &CatalogItem) -> Self {
        Self {
            item_id: entry.id.clone(),
            attributes: entry.attributes.clone(),
            available: entry.available,
            embedding: entry.embedding.clone(),
        }
    }
}

fn named(field: &'static str, id: Option<String>) -> Result<String, InvalidInput> {
    id.ok_or_else(|| InvalidInput::new(field, "is missing"))
}

fn repeated(field: &'static str, path: String, body: Option<String>) -> Result<String, InvalidInput> {
    match body {
        Some(body) if body != path => {
            let reason = format!("must be {path:?} as in the path, or absent, got {body:?}");
            Err(InvalidInput::new(field, reason))
        }
        _ => Ok(path),
    }
}
