use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use shortlist_features::FeatureState;
use shortlist_store::LogReader;
use shortlist_types::{Event, EventTypes, ItemIdx, LogRecord, LogSeq, Outcome, Timestamp, UserIdx};

use crate::replay::replay;
use crate::{Progress, TrainingError};

/// What planning needs of one event: who did what when, and whether a page began with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    pub(crate) log_seq: LogSeq,
    pub(crate) user: UserIdx,
    pub(crate) item: ItemIdx,
    pub(crate) time: Timestamp,
    pub(crate) kind: StepKind,
    /// Whether this event is the first of a page: its request differs from that of the user's event
    /// before, or it has none. A decision may stand only here, because in the middle of a page the
    /// impressions already tell what the list was.
    pub(crate) page_start: bool,
}

/// What an event said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepKind {
    Positive,
    Negative,
    Impression,
}

/// All events of the log in order, without their texts. 40 bytes per event.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timeline {
    pub(crate) steps: Vec<Step>,
}

impl Timeline {
    /// Reads the log up to `until`.
    pub(crate) fn read(
        log: &LogReader,
        until: LogSeq,
        event_types: &Arc<EventTypes>,
        progress: &mut dyn Progress,
    ) -> Result<Self, TrainingError> {
        let mut timeline = Self::default();
        let mut pages: HashMap<UserIdx, Option<u64>> = HashMap::new();
        let mut state = FeatureState::new(Arc::clone(event_types));
        progress.begin("reading the log", Some(until.0));
        replay(log, &mut state, until, &mut |state, log_seq, record| {
            if let LogRecord::Event(event) = record {
                timeline.steps.extend(step(state, log_seq, event, &mut pages));
            }
            progress.at(log_seq.0);
            Ok(())
        })?;
        progress.end(&format!("{} events", timeline.steps.len()));
        Ok(timeline)
    }

    /// The steps from log position `from` up to, and without, `until`.
    pub(crate) fn between(&self, from: LogSeq, until: LogSeq) -> &[Step] {
        let start = self.steps.partition_point(|step| step.log_seq < from);
        let end = self.steps.partition_point(|step| step.log_seq < until);
        &self.steps[start..end.max(start)]
    }
}

/// The step of an event that was applied just now; none if its type is not in the config.
fn step(
    state: &FeatureState,
    log_seq: LogSeq,
    event: &Event,
    pages: &mut HashMap<UserIdx, Option<u64>>,
) -> Option<Step> {
    let types = state.event_types();
    let kind = match types.get(types.find(&event.event_type)?).outcome(event.value) {
        Outcome::Positive(_) => StepKind::Positive,
        Outcome::Negative(_) => StepKind::Negative,
        Outcome::Impression => StepKind::Impression,
    };
    let user = state.user_index(event.user_id.as_str())?;
    let item = state.catalog().find(event.item_id.as_str())?;
    let page = event.request_id.as_ref().map(|id| {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        hasher.finish()
    });
    let before = pages.insert(user, page);
    let page_start = page.is_none() || before != Some(page);
    Some(Step { log_seq, user, item, time: event.timestamp, kind, page_start })
}
