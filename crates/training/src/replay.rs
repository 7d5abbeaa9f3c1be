use shortlist_features::FeatureState;
use shortlist_store::LogReader;
use shortlist_types::{LogRecord, LogSeq};

use crate::TrainingError;

/// Folds the records after `state`'s position up to `until`, and calls `visit` after each.
pub(crate) fn replay(
    log: &LogReader,
    state: &mut FeatureState,
    until: LogSeq,
    visit: &mut dyn FnMut(&FeatureState, LogSeq, &LogRecord) -> Result<(), TrainingError>,
) -> Result<(), TrainingError> {
    log.read(state.log_seq(), until, &mut |log_seq, record: LogRecord| {
        state.apply(log_seq, &record)?;
        visit(state, log_seq, &record)
    })
}

/// Folds up to `until` and stops just before each position of `stops` (ascending): `visit` gets the
/// state as it was at that moment, and the number of the stop. `follow` hears every record that was
/// folded.
pub(crate) fn replay_to_stops(
    log: &LogReader,
    state: &mut FeatureState,
    until: LogSeq,
    stops: &[LogSeq],
    follow: &mut dyn FnMut(&FeatureState, &LogRecord),
    visit: &mut dyn FnMut(&FeatureState, usize) -> Result<(), TrainingError>,
) -> Result<(), TrainingError> {
    let mut next = 0;
    let mut visit_stops = |state: &FeatureState| {
        while stops.get(next).is_some_and(|stop| *stop == state.log_seq().next()) {
            visit(state, next)?;
            next += 1;
        }
        Ok::<_, TrainingError>(())
    };
    visit_stops(state)?;
    replay(log, state, until, &mut |state, _, record| {
        follow(state, record);
        visit_stops(state)
    })
}
