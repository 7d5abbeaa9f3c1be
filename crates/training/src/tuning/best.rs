use serde::Serialize;

use super::{Measurement, Trial, TrialRecord};

/// The trial that a study chose.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Best {
    /// Which trial, from 0; 0 is the defaults.
    pub number: usize,
    /// Its parameters.
    pub trial: Trial,
    /// What it was worth on validation. Flattered by the choice: report the test slice instead.
    pub measurement: Measurement,
    /// How many trials it was chosen from, with those that failed.
    pub trials: usize,
    /// Why there were no more.
    pub ended: Ended,
}

/// Why a study made no more trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// `trials_max` were made.
    Trials,
    /// `seconds_max` were spent.
    Seconds,
    /// Nothing new was found in the space: it is small, and every trial was made.
    Space,
}

/// The finished trials, best first; the earlier of equals before the later.
pub(super) fn best_first(records: &[TrialRecord]) -> Vec<(&TrialRecord, &Measurement)> {
    let finished = records.iter().filter_map(|record| Some((record, record.measurement()?)));
    let mut finished: Vec<_> = finished.collect();
    finished.sort_by(|(_, a), (_, b)| b.mean.total_cmp(&a.mean));
    finished
}
