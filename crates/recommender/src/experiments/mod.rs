//! Experiments: users are split at random, by their name alone, between variants of a surface. Who was shown which is
//! kept in the served log; `shortlist experiment report` says what it did to what they did afterwards.

mod experiment;
mod experiment_file;
mod running;

pub use experiment::{Experiment, Experiments, Variant};
pub use experiment_file::ExperimentFiles;
pub(crate) use running::Running;
