use serde::{Deserialize, Serialize};

use super::{Measurement, Trial};

/// A trial that was made: one line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialRecord {
    /// Which trial, from 0; 0 is the defaults.
    pub number: usize,
    /// Its parameters.
    pub trial: Trial,
    /// How long it took.
    pub seconds: f64,
    /// What came of it.
    pub outcome: TrialOutcome,
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialOutcome {
    /// It was measured.
    Finished(Measurement),
    /// It could not be measured, for this reason; it is never chosen, and not made again.
    Failed(String),
}

impl TrialRecord {
    /// What was measured; none for a failed trial.
    pub fn measurement(&self) -> Option<&Measurement> {
        match &self.outcome {
            TrialOutcome::Finished(measurement) => Some(measurement),
            TrialOutcome::Failed(_) => None,
        }
    }
}
