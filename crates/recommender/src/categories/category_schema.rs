use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shortlist_features::{CatalogItem, UserState, compress};
use shortlist_types::limits::{ATTRIBUTE_NAME_BYTES_MAX, CATEGORIES_MAX};
use shortlist_types::{AttributeValue, Attributes, InvalidInput};

/// Most ids of one category in a store.
const IDS_MAX: usize = 1_000_000;
const IDS: usize = 10_000;
const BUCKETS: usize = 20;
const COUNT_MIN: usize = 5;

/// What an attribute of an item is called that stands for the item itself.
pub(super) const ITEM_ID: &str = "item_id";

/// `[categories]`: what a network embeds, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, CategorySource>", into = "BTreeMap<String, CategorySource>")]
pub struct CategorySchema(Vec<(String, CategorySource)>);

/// One category: whose attribute it is, and how its texts become ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategorySource {
    /// Whose attribute.
    pub of: Whose,
    /// Its name. An item that has no attribute called `item_id` is its own text there.
    pub attribute: String,
    /// How a value becomes an id.
    #[serde(default)]
    pub encoding: Encoding,
    /// Most ids; for a hash, and for buckets of a number, exactly so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<usize>,
    /// Training rows that a text of a vocabulary stands in at least; rarer ones share the id of the unknown.
    #[serde(default = "count_min")]
    pub count_min: usize,
}

/// Whose attributes a category reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// The candidate's.
    Item,
    /// Those of the user who asks.
    User,
    /// Those that came with the request.
    Context,
}

/// How values become ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// The texts that training met, an id each; all others share one.
    #[default]
    Vocabulary,
    /// By hash: texts that nobody has met have ids too, and some share one.
    Hashing,
    /// Numbers, in buckets that hold about as many training rows each.
    Quantiles,
}

fn count_min() -> usize {
    COUNT_MIN
}

impl CategorySource {
    /// Most ids.
    pub(crate) fn ids(&self) -> usize {
        self.ids.unwrap_or(if self.encoding == Encoding::Quantiles { BUCKETS } else { IDS })
    }

    /// Calls `visit` with each text of the attribute: a bool is "true" or "false", a number as it is written.
    pub(crate) fn texts(&self, whose: Attributed<'_>, visit: &mut dyn FnMut(&str)) {
        match whose.attributes(self.of).get(&self.attribute) {
            Some(AttributeValue::Text(text)) => visit(text),
            Some(AttributeValue::List(texts)) => texts.iter().for_each(|text| visit(text)),
            Some(AttributeValue::Bool(value)) => visit(if *value { "true" } else { "false" }),
            Some(AttributeValue::Number(number)) => visit(&number.to_string()),
            None if self.of == Whose::Item && self.attribute == ITEM_ID => visit(whose.item.id.as_str()),
            None => {}
        }
    }

    /// The attribute's number as the fold keeps it, ln(1 + |x|) with its sign; `of_items` is how the catalogue numbers
    /// the attribute.
    pub(crate) fn number(&self, whose: Attributed<'_>, of_items: Option<u16>) -> Option<f32> {
        match self.of {
            Whose::Item => whose.item.number(of_items?),
            Whose::User | Whose::Context => whose.attributes(self.of).number(&self.attribute).map(compress),
        }
    }

    fn check(&self) -> Result<(), InvalidInput> {
        if self.attribute.is_empty() || self.attribute.len() > ATTRIBUTE_NAME_BYTES_MAX {
            let reason = format!("must be 1 to {ATTRIBUTE_NAME_BYTES_MAX} bytes, got {:?}", self.attribute);
            return Err(InvalidInput::new("attribute", reason));
        }
        let count = |name: &'static str, value: usize, least: usize, most: usize| {
            let error = || InvalidInput::new(name, format!("must be {least} to {most}, got {value}"));
            if (least..=most).contains(&value) { Ok(()) } else { Err(error()) }
        };
        count("ids", self.ids(), 2, IDS_MAX)?;
        count("count_min", self.count_min, 1, IDS_MAX)
    }
}

/// Whose attributes there are in one row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributed<'a> {
    pub(crate) item: &'a CatalogItem,
    pub(crate) user: &'a UserState,
    pub(crate) context: &'a Attributes,
}

impl<'a> Attributed<'a> {
    fn attributes(self, of: Whose) -> &'a Attributes {
        match of {
            Whose::Item => &self.item.attributes,
            Whose::User => self.user.attributes(),
            Whose::Context => self.context,
        }
    }
}

impl CategorySchema {
    /// All of them in order of name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &CategorySource)> {
        self.0.iter().map(|(name, source)| (name.as_str(), source))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<BTreeMap<String, CategorySource>> for CategorySchema {
    type Error = InvalidInput;
    fn try_from(categories: BTreeMap<String, CategorySource>) -> Result<Self, InvalidInput> {
        if categories.len() > CATEGORIES_MAX {
            let reason = format!("must be at most {CATEGORIES_MAX}, got {}", categories.len());
            return Err(InvalidInput::new("categories", reason));
        }
        categories.iter().try_for_each(|(name, source)| source.check().map_err(|error| error.within(name.clone())))?;
        Ok(Self(categories.into_iter().collect()))
    }
}

impl From<CategorySchema> for BTreeMap<String, CategorySource> {
    fn from(schema: CategorySchema) -> Self {
        schema.0.into_iter().collect()
    }
}
