//! Short ways to write messages that callers write often.

use std::collections::BTreeMap;

use crate::v1::attribute_value::Value;
use crate::v1::{
    AttributeValue, Event, Item, PatchItemRequest, RankRequest, RecommendRequest, SearchRequest, SimilarRequest,
    StringList, User,
};

/// Attributes by name, as [`Item`] and [`User`] carry them.
type Attributes = BTreeMap<String, AttributeValue>;

impl RecommendRequest {
    /// The `k` items that `user_id` should see now; all else as the server is configured.
    pub fn for_user(user_id: impl Into<String>, k: u32) -> Self {
        Self { user_id: Some(user_id.into()), k: Some(k), ..Self::default() }
    }
}

impl SimilarRequest {
    /// The `k` items most like `item_id`.
    pub fn to_item(item_id: impl Into<String>, k: u32) -> Self {
        Self { item_id: item_id.into(), k: Some(k) }
    }
}

impl RankRequest {
    /// These items in the order in which `user_id` should see them.
    pub fn for_user(user_id: impl Into<String>, candidates: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let candidates = candidates.into_iter().map(Into::into).collect();
        Self { user_id: Some(user_id.into()), candidates, ..Self::default() }
    }
}

impl SearchRequest {
    /// The `k` items nearest to a vector.
    pub fn near(vector: impl Into<Vec<f32>>, k: u32) -> Self {
        Self { vector: vector.into(), k: Some(k), ..Self::default() }
    }
}

impl PatchItemRequest {
    /// A change of an item that changes nothing yet.
    pub fn of(item_id: impl Into<String>) -> Self {
        Self { item_id: item_id.into(), ..Self::default() }
    }

    /// The same with a new value of an attribute, such as `("price", 9.5)`.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<AttributeValue>) -> Self {
        insert(&mut self.attributes, name, value);
        self
    }
}

impl Event {
    /// That a user did something with an item, now.
    pub fn new(user_id: impl Into<String>, item_id: impl Into<String>, event_type: impl Into<String>) -> Self {
        let (user_id, item_id, event_type) = (user_id.into(), item_id.into(), event_type.into());
        Self { user_id, item_id, event_type, ..Self::default() }
    }

    /// The same under an id of its own, which makes it safe to send again.
    #[must_use]
    pub fn with_id(self, event_id: impl Into<String>) -> Self {
        Self { event_id: Some(event_id.into()), ..self }
    }
}

impl Item {
    /// An entry of the catalogue of which nothing else is known yet.
    pub fn new(item_id: impl Into<String>) -> Self {
        Self { item_id: item_id.into(), ..Self::default() }
    }

    /// The same with one more attribute, such as `("price", 9.5)` or `("genres", ["Drama", "Crime"])`.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<AttributeValue>) -> Self {
        insert(&mut self.attributes, name, value);
        self
    }
}

impl User {
    /// A user of whom nothing else is known yet.
    pub fn new(user_id: impl Into<String>) -> Self {
        Self { user_id: user_id.into(), ..Self::default() }
    }

    /// The same with one more attribute, such as `("country", "NL")`.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<AttributeValue>) -> Self {
        insert(&mut self.attributes, name, value);
        self
    }
}

fn insert(attributes: &mut Attributes, name: impl Into<String>, value: impl Into<AttributeValue>) {
    attributes.insert(name.into(), value.into());
}

impl From<Value> for AttributeValue {
    fn from(value: Value) -> Self {
        Self { value: Some(value) }
    }
}

impl From<&str> for AttributeValue {
    fn from(text: &str) -> Self {
        Value::StringValue(text.to_owned()).into()
    }
}

impl From<String> for AttributeValue {
    fn from(text: String) -> Self {
        Value::StringValue(text).into()
    }
}

impl From<f64> for AttributeValue {
    fn from(number: f64) -> Self {
        Value::NumberValue(number).into()
    }
}

impl From<bool> for AttributeValue {
    fn from(value: bool) -> Self {
        Value::BoolValue(value).into()
    }
}

impl<T: Into<String>, const N: usize> From<[T; N]> for AttributeValue {
    fn from(texts: [T; N]) -> Self {
        Vec::from(texts).into()
    }
}

impl<T: Into<String>> From<Vec<T>> for AttributeValue {
    fn from(texts: Vec<T>) -> Self {
        Value::ListValue(StringList { values: texts.into_iter().map(Into::into).collect() }).into()
    }
}
