use std::collections::BTreeMap;
use std::sync::Arc;

use shortlist_features::FeatureState;
use shortlist_import::Benchmark;
use shortlist_recommender::{Models, Pipeline, RecommendError, Request, Retrieved, Scratch};
use shortlist_types::limits::K_MAX;
use shortlist_types::{
    Attributes, Event, EventType, EventTypes, Item, LogRecord, LogSeq, Signal, Timestamp, Unlimited,
};

use crate::{Progress, TrainingError};

/// The only event type.
const INTERACTION: &str = "interaction";
/// Seconds between the catalogue and the first event, so that no item is fresh.
const AFTER_CATALOGUE: i64 = 365 * 86_400;

/// A service that has seen the training pairs of a benchmark and nothing else: its first stage is asked
/// as a server asks it.
pub(crate) struct ServedWorld<'a> {
    benchmark: &'a Benchmark,
    state: FeatureState,
    pipeline: Pipeline,
    now: Timestamp,
}

impl<'a> ServedWorld<'a> {
    /// Folds the catalogue and the training pairs, so that an item's number is its number in the
    /// benchmark and training items count as seen for good.
    ///
    /// # Errors
    /// More users or items than a log takes.
    pub(crate) fn new(benchmark: &'a Benchmark, progress: &mut dyn Progress) -> Result<Self, TrainingError> {
        let interaction =
            EventType { signal: Signal::Positive, weight: 1.0, marks_seen: true, seen_days: None, positive_at: None };
        let types = EventTypes::parse(BTreeMap::from([(INTERACTION.to_owned(), interaction)]))?;
        let mut state = FeatureState::new(Arc::new(types));
        let mut log_seq = LogSeq::default();
        let mut apply = |record: &LogRecord| {
            log_seq = log_seq.next();
            state.apply(log_seq, record)
        };
        progress.begin("folding the training pairs", Some(benchmark.train.len() as u64));
        for item_id in &benchmark.items {
            let item =
                Item { item_id: item_id.clone(), attributes: Attributes::default(), available: true, embedding: None };
            apply(&LogRecord::ItemPut { timestamp: Timestamp::EPOCH, item })?;
        }
        let begin = Timestamp::EPOCH.plus_seconds(AFTER_CATALOGUE);
        for (place, (user, item)) in (0..).zip(&benchmark.train) {
            apply(&LogRecord::Event(Event {
                event_id: None,
                user_id: benchmark.users[*user as usize].clone(),
                item_id: benchmark.items[*item as usize].clone(),
                event_type: INTERACTION.to_owned(),
                value: None,
                timestamp: begin,
                request_id: None,
                position: None,
                context: Attributes::default(),
            }))?;
            if place % 4_096 == 0 {
                progress.at(place);
            }
        }
        progress.end(&format!("{} users, {} items", benchmark.users.len(), benchmark.items.len()));
        let pipeline = Pipeline::default();
        Ok(Self { benchmark, state, pipeline, now: begin.plus_seconds(1) })
    }

    /// The first stage's answer for a user who wants `k` items.
    pub(crate) fn retrieve<'b>(
        &'b self,
        models: &'b Models,
        user: u32,
        k: usize,
        scratch: &mut Scratch,
    ) -> Result<Retrieved<'b>, RecommendError> {
        let request = Request::of(self.benchmark.users[user as usize].clone(), k.min(K_MAX));
        self.pipeline.retrieve(&self.state, Some(models), &request, self.now, &Unlimited, scratch)
    }
}
