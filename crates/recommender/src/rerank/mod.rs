//! Reranking: what a surface wants of its list as a whole moves items of the ranker's order before they are shown.
//! Pins put an item on a place, boosts move kinds of items up or down, caps keep one value of an attribute from
//! filling the list, diversity prefers what is unlike the items above it, exploration draws some places at random.

mod active;
mod attribute_values;
mod caps;
mod contest;
mod explore;
mod likeness;
mod rerank_config;
mod reranker;

pub use explore::Explore;
pub use rerank_config::{Boost, Cap, Pin, RerankConfig};
pub(crate) use reranker::{Arranged, ListPlan, Placed, Reranker};
