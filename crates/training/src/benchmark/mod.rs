//! `evaluate retrieval`: the first stage on the files with which published recommenders are compared.
//!
//! The way: a validation slice -> [`crate::retrieval::choose`] -> one fit on all training pairs -> the
//! same sources, filters and index that serve, over a state folded from the training pairs -> metrics.

mod evaluate;
mod model_fit;
mod ranking;
mod served_world;
mod slice;
mod summary;

pub use evaluate::{RetrievalEvaluation, RetrievalQuestion, evaluate_retrieval};
pub use model_fit::ModelFit;
pub use ranking::{
    Chosen, FittedModel, PrecisionCost, RankingChoice, RankingEvaluation, RankingMetrics, RankingQuestion,
    RankingTables, SliceMetrics, evaluate_ranking,
};
pub use slice::Slice;
pub use summary::{RetrievalMetrics, ServingCost};
