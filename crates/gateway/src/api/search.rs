use std::sync::Arc;

use serde::Deserialize;
use serde_json::Number;
use shortlist_recommender::{Expression, VectorQuery};
use shortlist_types::InvalidInput;
use shortlist_types::limits::EXCLUDE_MAX;
use utoipa::ToSchema;

use super::recommend::item_ids;
use super::{direction, k_of};

/// Which items' own embeddings are nearest to a vector?
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct SearchRequest {
    /// Not all zero, of as many dimensions as the items' embeddings have.
    #[schema(value_type = Vec<f32>, min_items = 1, max_items = 4_096)]
    pub vector: Vec<Number>,
    /// How many items; 10 if absent.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 500)]
    pub k: Option<Number>,
    /// What the items must be, by their attributes: `genre in ["Drama", "Crime"] and price < 20 and not adult`.
    #[schema(max_length = 16_384)]
    pub filter: Option<String>,
    /// Items that must not be in the answer.
    #[serde(default)]
    #[schema(max_items = 10_000)]
    pub exclude: Vec<String>,
}

impl SearchRequest {
    /// The checked question.
    pub(crate) fn parse(self) -> Result<VectorQuery, InvalidInput> {
        Ok(VectorQuery {
            vector: direction("vector", &self.vector)?,
            k: k_of(self.k.as_ref())?,
            filter: self.filter.as_deref().map(Expression::parse).transpose()?.map(Arc::new),
            exclude: item_ids("exclude", &self.exclude, EXCLUDE_MAX)?,
        })
    }
}
