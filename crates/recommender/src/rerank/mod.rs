//! Reranking: what a surface wants of its list as a whole moves items of the ranker's order before they are shown.
//! Pins put an item on a place, boosts move kinds of items up or down, caps keep one value of an attribute from
//! filling the list, diversity prefers what is unlike the items above it.

mod active;
mod attribute_values;
mod caps;
mod likeness;
mod rerank_config;
mod reranker;

pub use rerank_config::{Boost, Cap, Pin, RerankConfig};
pub(crate) use reranker::{Placed, Reranker};
