//! Approximate and exact search for the items whose embeddings have the greatest inner product
//! with a query: the first of the two stages, from millions of items to hundreds.
//!
//! Floor 1. An [`HnswIndex`] is a graph over an `Arc<EmbeddingTable>` that the caller shares; it is
//! built once per bundle (training), written into the bundle, and read, verified in full, by the
//! server. [`exact`] is the reference that tests compare with, and the path that small sets and
//! strict filters take. Which items may be shown reaches into the search as a closure, so that an
//! answer is short only when the catalogue is.

mod augmentation;
mod distinct_rows;
mod error;
mod exact;
mod found;
mod graph;
mod graph_builder;
mod graph_check;
mod graph_search;
mod hnsw_config;
mod hnsw_index;
mod index_file;
mod pacer;
mod query;
mod reachability;
mod search_scratch;
mod top_k;
mod walk;

pub use error::{GraphRule, RetrievalError};
pub use exact::exact;
pub use found::{Found, Neighbor};
pub use hnsw_config::HnswConfig;
pub use hnsw_index::HnswIndex;
pub use search_scratch::SearchScratch;
