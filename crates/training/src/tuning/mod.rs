//! Hyper-parameter search: which settings of a model are best on validation, within a budget.
//!
//! A [`Study`] proposes a [`Trial`] of its [`SearchSpace`], the caller fits a model with it and says
//! what it is worth, and so on until the budget is used up. It knows no model, reads no clock and
//! touches no file: all come in as arguments. The next trial is a pure function of space, seed and
//! results so far, so a study that was killed and resumed from its [`Journal`] makes the very trials
//! that it would have made.
//!
//! Only validation may be looked at here: the best of many is flattered by the choice, and its
//! interval does not know of it. What is reported is measured once more, on the test slice.

mod best;
mod cholesky;
mod domain;
mod error;
mod journal;
mod journal_header;
mod json_journal;
mod kernel;
mod measurement;
mod objective;
mod parameter;
mod resume;
mod search_space;
mod strategy;
mod study;
mod study_config;
mod surrogate;
mod table_row;
mod trial;
mod trial_record;

pub use best::{Best, Ended};
pub use domain::Domain;
pub use error::TuningError;
pub use journal::{Journal, NoJournal};
pub use json_journal::JsonJournal;
pub use measurement::Measurement;
pub use objective::Objective;
pub use parameter::Parameter;
pub use search_space::SearchSpace;
pub use study::{Study, Surroundings};
pub use study_config::StudyConfig;
pub use table_row::TableRow;
pub use trial::Trial;
pub use trial_record::{TrialOutcome, TrialRecord};

#[cfg(test)]
mod tests;
