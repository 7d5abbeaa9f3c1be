//! Models that embed users and items, learned from who interacted with what.
//!
//! Floor 1: pure computation, no clock, no I/O, every random thing by seed. The trainer hands
//! [`Interactions`] to [`IalsModel::fit`] and stores the item vectors in the bundle; the server loads
//! them with [`IalsModel::from_parts`] and asks [`IalsModel::fold_in`] for the vector of a user just
//! before retrieval, so that an event counts from the next request on.
//!
//! The same input and seed give the same bits on any number of threads: rows are solved
//! independently, and sums over rows run in blocks whose borders depend on the data alone.

mod cholesky;
mod error;
mod fold_in_scratch;
mod half_step;
mod ials_config;
mod ials_model;
mod interactions;
mod sparse_rows;
mod symmetric_matrix;
mod vector_block;

pub use error::EmbeddingError;
pub use fold_in_scratch::FoldInScratch;
pub use ials_config::IalsConfig;
pub use ials_model::IalsModel;
pub use interactions::{INTERACTIONS_MAX, Interactions, WEIGHT_MAX, WEIGHT_MIN};
pub use sparse_rows::SparseRows;
