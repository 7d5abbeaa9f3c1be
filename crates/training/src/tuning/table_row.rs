use serde::Serialize;

use super::best::best_first;
use super::{Measurement, Trial, TrialOutcome, TrialRecord};

/// A row of a study's table; the command line draws it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableRow {
    /// `defaults`, or `trial` and its number.
    pub name: String,
    /// Its parameters.
    pub trial: Trial,
    /// What was measured; none for a failed trial.
    pub measurement: Option<Measurement>,
    /// How long it took.
    pub seconds: f64,
    /// `best`, `ok`, or why it failed.
    pub status: String,
}

/// Finished trials, best first, then the failed ones in their order.
pub(super) fn table(records: &[TrialRecord]) -> Vec<TableRow> {
    let finished = best_first(records).into_iter().enumerate();
    let finished = finished.map(|(place, (record, _))| row(record, if place == 0 { "best" } else { "ok" }));
    let failed = records.iter().filter_map(|record| match &record.outcome {
        TrialOutcome::Finished(_) => None,
        TrialOutcome::Failed(reason) => Some(row(record, &format!("failed: {reason}"))),
    });
    finished.chain(failed).collect()
}

fn row(record: &TrialRecord, status: &str) -> TableRow {
    let name = if record.number == 0 { "defaults".to_owned() } else { format!("trial {}", record.number) };
    let measurement = record.measurement().copied();
    TableRow { name, trial: record.trial.clone(), measurement, seconds: record.seconds, status: status.to_owned() }
}
