//! Approximate and exact search for the items whose embeddings score highest for a query: the first of
//! the two stages, from millions of items to hundreds.
//!
//! Floor 1. A [`FrozenIndex`] is immutable: built once per bundle (training), written into it, mapped
//! and verified in full by the server. A [`LiveIndex`] puts a segment of new vectors beside it, visible
//! to the next query, and freezes both into the next index in the background. [`exact`] is the reference
//! that tests compare with. Which items may be returned reaches into every search as an [`Allowed`], so
//! that an answer is short only when the catalogue is.

mod allowed;
mod build;
mod candidate_pool;
mod coarse;
mod code_query;
mod error;
mod exact;
mod fingerprint;
mod format_check;
mod found;
mod frontier;
mod frozen_index;
mod graph;
mod graph_check;
mod image;
mod index_config;
mod index_file;
mod leaf_codes;
mod leaf_walk;
mod live_index;
mod metric;
mod pacer;
mod plan;
mod query;
mod ranked;
mod reachability;
mod search;
mod search_params;
mod search_scratch;
mod simd;
mod top_k;
mod vector_length;

pub use allowed::Allowed;
pub use error::{FormatRule, RetrievalError};
pub use exact::{exact, exact_batch};
pub use fingerprint::fingerprint;
pub use found::{Found, Neighbor};
pub use frozen_index::FrozenIndex;
pub use index_config::IndexConfig;
pub use live_index::{Freeze, LiveIndex};
pub use metric::Metric;
pub use search_params::SearchParams;
pub use search_scratch::SearchScratch;
pub use simd::Simd;
