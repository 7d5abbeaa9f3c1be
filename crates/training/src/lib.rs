//! From the log to a published bundle: replay, fit, evaluate as served, gate.
//!
//! The log is cut twice in time. Item embeddings are fitted on what came before T1; the ranker learns
//! from decisions between T1 and T2, where the first stage has never seen the outcome; both are
//! evaluated, through the pipeline that serves, on what came after T2. What is published is that
//! evaluated pair: newer events reach it by fold-in, not by a refit that nobody measured.

pub mod benchmark;
mod calibrate;
mod cold_start;
mod config;
mod decision;
mod error;
mod evaluation;
mod experiment_report;
mod first_stage;
mod fit_first_stage;
mod fit_ranker;
mod gate;
mod importance;
mod list_study;
mod progress;
mod ranker_config;
mod replay;
mod report;
pub mod retrieval;
mod row_collector;
mod rows;
mod served_rows;
mod settings;
mod skew;
mod split;
mod timeline;
mod train;
pub mod tuning;
mod validation_cases;

pub use cold_start::{ColdStartQuestion, ColdStartReport, NewItems, NewUsers, evaluate_cold_start};
pub use config::{RowSource, TrainingConfig};
pub use error::TrainingError;
pub use evaluation::evaluate_store;
pub use experiment_report::{ExperimentReport, MetricReport, VariantReport};
pub use gate::GateDecision;
pub use list_study::{ListQuestions, ListReport};
pub use progress::{NoProgress, Progress};
pub use ranker_config::RankerConfig;
pub use report::{Baseline, Comparison, GroupReport, Metrics, NdcgAt10, OutcomeCalibration, Report};
pub use settings::Settings;
pub use skew::{SkewDifference, SkewReport, audit_skew};
pub use train::{Promote, Trained, train};
