//! Which models the first stage is made of: candidates are fitted on the early part of the data,
//! compared on what users wanted next, and blended by what each adds.
//!
//! The way: [`Case`]s to compare on -> each model kind's hyper-parameters by a search ->
//! `CandidateScores` of the best of each -> weights -> one [`shortlist_embedding::BlendConfig`].

mod blend_weights;
mod candidate_scores;
mod case;
mod choose;
mod fitted_part;
mod graph_filter_start;
mod ials_start;
mod retrieval_config;
mod spaces;
mod studies;

pub use case::Case;
pub use choose::{Choice, TriedModel, Validation, choose};
pub use graph_filter_start::GraphFilterStart;
pub use ials_start::IalsStart;
pub use retrieval_config::{RetrievalConfig, RetrievalModel};
pub use studies::{Evaluate, Studies, Unkept};
