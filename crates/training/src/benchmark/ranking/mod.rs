//! `evaluate ranking`: the second stage's models on the tables with which click models are compared.
//!
//! The way: encoders fitted on the training table -> a network fitted on it, stopped by the validation
//! table -> the form that serves -> metrics on the test table.

mod encoding;
mod evaluate;
mod metrics;
mod recipe;
#[cfg(test)]
mod tests;

pub use evaluate::{Chosen, FittedModel, RankingEvaluation, RankingQuestion, RankingTables, evaluate_ranking};
pub use metrics::{PrecisionCost, RankingMetrics, SliceMetrics};
pub use recipe::RankingChoice;
