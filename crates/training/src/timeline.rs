use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use shortlist_features::FeatureState;
use shortlist_store::LogReader;
use shortlist_types::{Event, EventTypeIdx, ItemIdx, LogRecord, LogSeq, Outcome, Timestamp, UserIdx};

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
    pub(crate) event_type: EventTypeIdx,
    /// [`shortlist_types::EventType::happened`].
    pub(crate) says_its_type: bool,
    /// Whether this event is the first of a page. A decision may stand only here, because in the middle
    /// of a page the impressions already tell what the list was. An event that names its request begins
    /// a page if none of the user's latest pages is that request; one that names none, if his event
    /// before was no impression.
    pub(crate) page_start: bool,
}

impl Step {
    /// What the user did with which item, if he did something.
    pub(crate) fn done(&self) -> Option<(ItemIdx, EventTypeIdx)> {
        self.says_its_type.then_some((self.item, self.event_type))
    }
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
    /// Reads the log from the state that it begins with, up to `until`.
    pub(crate) fn read(
        log: &LogReader,
        until: LogSeq,
        first: FeatureState,
        progress: &mut dyn Progress,
    ) -> Result<Self, TrainingError> {
        let mut timeline = Self::default();
        let mut pages: HashMap<UserIdx, Pages> = HashMap::new();
        let mut state = first;
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
fn step(state: &FeatureState, log_seq: LogSeq, event: &Event, pages: &mut HashMap<UserIdx, Pages>) -> Option<Step> {
    let types = state.event_types();
    let event_type = types.find(&event.event_type)?;
    let says_its_type = types.get(event_type).happened(event.value);
    let kind = match types.get(event_type).outcome(event.value) {
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
    let page_start = pages.entry(user).or_default().begins(page, kind);
    Some(Step { log_seq, user, item, time: event.timestamp, kind, event_type, says_its_type, page_start })
}

/// The pages that a user saw last, by hash of their request.
#[derive(Debug, Default)]
struct Pages {
    latest: VecDeque<u64>,
    after_impression: bool,
}

/// Pages of a user among which a late event may still belong.
const PAGES_KEPT: usize = 8;

impl Pages {
    /// Whether an event of this page and kind begins a page.
    fn begins(&mut self, page: Option<u64>, kind: StepKind) -> bool {
        let after_impression = std::mem::replace(&mut self.after_impression, kind == StepKind::Impression);
        let Some(page) = page else { return !after_impression };
        if self.latest.contains(&page) {
            return false;
        }
        if self.latest.len() >= PAGES_KEPT {
            self.latest.pop_front();
        }
        self.latest.push_back(page);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use StepKind::{Impression, Positive};

    #[test]
    fn a_late_event_of_an_older_page_begins_none() {
        let mut pages = Pages::default();
        let begins = [(1, Impression), (1, Impression), (2, Impression), (1, Positive), (2, Positive), (3, Impression)]
            .map(|(page, kind)| pages.begins(Some(page), kind));
        assert_eq!(begins, [true, false, true, false, false, true]);
    }

    #[test]
    fn without_a_request_a_page_goes_on_after_its_impressions() {
        let mut pages = Pages::default();
        let begins =
            [Positive, Positive, Impression, Impression, Positive, Positive].map(|kind| pages.begins(None, kind));
        assert_eq!(begins, [true, true, true, false, false, true]);
    }
}
