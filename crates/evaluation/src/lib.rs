//! Evaluation metrics: how good is a ranked list, how good are scores, and is a difference real;
//! and [`holdout`], which cuts the slice that hyper-parameters are chosen on.
//!
//! Floor 1, pure: values in, numbers out; no I/O, no clock, randomness by seed. Training judges
//! bundles with it, the `evaluate` commands report with it, and every convention that papers and
//! libraries differ on (ties, truncation, empty truth, clamping) is written at its function.
//!
//! A metric that is not defined for its input is `None` (nothing relevant for this user) or an
//! [`EvaluationError`] (the input itself cannot be judged): never NaN, and never a silent zero.

mod bootstrap;
mod calibration;
mod confusion;
mod coverage;
mod error;
mod experiment;
pub mod holdout;
mod lists;
mod novelty;
mod ranking;
mod scoring;

pub use bootstrap::{BOOTSTRAP_SAMPLES_MAX, Interval, bootstrap_difference, bootstrap_mean};
pub use calibration::{Calibration, CalibrationBin};
pub use confusion::Confusion;
pub use coverage::coverage;
pub use error::EvaluationError;
pub use experiment::{Effect, Sample, sample_ratio_p};
pub use lists::{intra_list_diversity, mean_of_known, miscalibration};
pub use novelty::novelty;
pub use ranking::{average_precision_at_k, hit_at_k, ndcg_at_k, precision_at_k, recall_at_k, reciprocal_rank};
pub use scoring::{PROBABILITY_MARGIN, auc, log_loss};
