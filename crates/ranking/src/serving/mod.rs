//! Models as they serve: weights packed once, normalisations folded into them, all candidates of a
//! request in one batch, nothing allocated per candidate.

mod bytes;
mod candidates;
mod cross_net;
mod dense_stack;
mod first_layer;
mod linear_terms;
mod model;
mod model_file;
#[cfg(test)]
mod tests;
mod two_streams;

pub use candidates::{Candidates, Ids};
pub use model::{Precision, RankingModel, ScoringScratch};
pub use model_file::{ModelManifest, ModelTensor};

/// Candidates that pass through all layers together, so that what lies between two layers stays near.
pub(crate) const BLOCK: usize = 64;
