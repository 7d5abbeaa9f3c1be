use shortlist_features::FeatureState;
use shortlist_store::LogReader;
use shortlist_types::{Attributes, LogRecord, LogSeq};

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

/// A moment of the log: the state just before a record, and that record, which is not applied yet.
pub(crate) struct Moment<'a> {
    pub(crate) state: &'a FeatureState,
    /// Of it a decision may read what the caller knew when it asked: who, when, and the context.
    pub(crate) next: &'a LogRecord,
}

impl Moment<'_> {
    /// What the caller of a request knew, of which the next record is the first trace.
    pub(crate) fn context(&self) -> Attributes {
        match self.next {
            LogRecord::Event(event) => event.context.clone(),
            _ => Attributes::default(),
        }
    }
}

/// Folds up to `until` and stops just before each position of `stops` (ascending): `visit` gets that moment
/// and the number of the stop. `follow` hears every record that was folded.
pub(crate) fn replay_to_stops(
    log: &LogReader,
    state: &mut FeatureState,
    until: LogSeq,
    stops: &[LogSeq],
    follow: &mut dyn FnMut(&FeatureState, &LogRecord),
    visit: &mut dyn FnMut(&Moment<'_>, usize) -> Result<(), TrainingError>,
) -> Result<(), TrainingError> {
    let mut reached = 0;
    log.read(state.log_seq(), until, &mut |log_seq, record: LogRecord| {
        while stops.get(reached) == Some(&log_seq) {
            visit(&Moment { state, next: &record }, reached)?;
            reached += 1;
        }
        state.apply(log_seq, &record)?;
        follow(state, &record);
        Ok(())
    })
}
