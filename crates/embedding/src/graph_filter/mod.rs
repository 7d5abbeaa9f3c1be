//! The low-pass graph filter: items and users on the smooth directions of the interaction graph.
//!
//! Training-side it is a truncated singular value decomposition by randomised subspace iteration
//! ([`subspace`]) of the degree-normalised matrix ([`normalized_matrix`]); what comes out is a table of
//! item vectors like that of [`crate::IalsModel`], so retrieval indexes and serves it the same way.
//! Tall matrices with few columns live in [`tall_matrix`], their orthonormalisation in
//! [`orthonormalize`].

mod graph_filter_config;
mod graph_filter_model;
mod normalized_matrix;
mod orthonormalize;
mod subspace;
mod tall_matrix;

pub use graph_filter_config::GraphFilterConfig;
pub use graph_filter_model::GraphFilterModel;
