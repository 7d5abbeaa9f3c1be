//! Rankers: from a row of features per candidate to a log-odds of the wished outcome.
//!
//! Floor 1: pure computation, no clock, no I/O. Encoders turn raw values into [`TrainingRows`]; a
//! [`Fit`] learns from them, by one of five kinds of networks, and becomes a [`RankingModel`], which
//! scores all candidates of a request in one batch. [`LogisticRegression`] over numbers alone is fitted
//! exactly, by Newton steps.
//!
//! The same rows give the same bits on any number of threads, and a candidate gets the same bits in
//! any batch.

mod adam;
mod calibration;
mod dense;
mod encoders;
mod error;
mod fit;
mod lanes;
mod logistic_config;
mod logistic_loss;
mod logistic_regression;
mod loss;
mod network;
mod network_config;
mod newton;
mod probability;
mod row_schema;
mod serving;
mod simd;
mod standardization;
mod training_rows;

pub use calibration::Platt;
pub use encoders::{HISTORY_IDS, Hashing, PairHistory, Quantiles, StandardScale, UNKNOWN, Vocabulary};
pub use error::RankingError;
pub use fit::{Epoch, Fit, FitConfig};
pub use logistic_config::LogisticConfig;
pub use logistic_regression::LogisticRegression;
pub use loss::Loss;
pub use network_config::{ModelKind, NetworkConfig};
pub use newton::Iteration;
pub use probability::probability;
pub use row_schema::{CATEGORY_IDS_MAX, Category, FEATURES_MAX, HEADS_MAX, RowSchema};
pub use serving::{Candidates, Ids, ModelManifest, ModelTensor, Precision, RankingModel, ScoringScratch};
pub use simd::Simd;
pub use standardization::Standardization;
pub use training_rows::{ROWS_MAX, Row, TrainingRows, WEIGHT_MAX, WEIGHT_MIN};
