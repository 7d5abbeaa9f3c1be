use std::collections::{BTreeMap, HashMap};

use shortlist_features::FeatureState;
use shortlist_ranking::TrainingRows;
use shortlist_recommender::{CategoryEncoders, DEFAULT_SURFACE, RawRow};
use shortlist_store::{ServedReader, ServedRequest};
use shortlist_types::{ItemIdx, LogRecord, LogSeq, Outcome, RequestId};

use crate::first_stage::Setting;
use crate::replay::replay;
use crate::row_collector::RowCollector;
use crate::{Progress, TrainingError};

/// Most that an item counts that was unlikely to be shown: one lucky draw must not outweigh a thousand rows.
const WEIGHT_MAX: f32 = 10.0;

/// Makes the ranker's rows from what was really shown in its slice: the served log's features, joined by
/// `request_id` with what came of it. `state` leaves at the end of the slice.
///
/// A row is an item that was shown, its features bit for bit as the ranker read them then; its label is whether
/// an event with that request's name wanted it before the slice ended; its weight is 1 / propensity. Candidates
/// that were not shown make no row: nobody said anything about them. Nor does a request that no event names:
/// perhaps it was never shown.
pub(crate) fn served_rows(
    setting: &Setting<'_>,
    served: Option<ServedReader>,
    state: &mut FeatureState,
    progress: &mut dyn Progress,
) -> Result<(TrainingRows, CategoryEncoders), TrainingError> {
    let served = served.ok_or(TrainingError::NothingServed)?;
    let mut join = Join {
        setting,
        rows: RowCollector::new(setting)?,
        left_out: LeftOut::default(),
        lists: Vec::new(),
        by_request: HashMap::new(),
        by_state: BTreeMap::new(),
    };
    let slice = setting.split.ranker_from.0..setting.split.evaluation_from.0;
    // A request stands in the log before the record that came next.
    let in_slice = |state: &LogSeq| slice.contains(&state.next().0);
    progress.begin("reading what was served", None);
    // The latest are kept where there are too many.
    for (log_seq, _) in served.states()?.into_iter().rev().filter(|(state, _)| in_slice(state)) {
        if join.lists.len() >= setting.config.decisions_max {
            break;
        }
        for request in served.of_state(log_seq)? {
            join.take(request);
        }
    }
    progress.end(&format!("{} requests", join.lists.len()));
    progress.begin("joining outcomes", Some(setting.split.ranker_until().0));
    join.read_texts(state)?;
    replay(setting.log, state, setting.split.ranker_until(), &mut |state, log_seq, record| {
        progress.at(log_seq.0);
        join.hear(state, record);
        join.read_texts(state)
    })?;
    let (rows, encoders) = join.rows()?;
    progress.end(&format!("{} rows from {} requests", rows.len(), rows.groups().count()));
    Ok((rows, encoders))
}

/// Requests of the slice that make no rows, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Their ranker read other features than the config names.
    pub other_features: u64,
    /// No ranker was asked.
    pub unranked: u64,
    /// No event carries their name.
    pub without_outcome: u64,
}

/// What one request showed.
struct ShownList {
    items: Vec<ItemIdx>,
    weights: Vec<f32>,
    /// Row-major.
    features: Vec<f32>,
    /// Items x outcomes.
    labels: Vec<bool>,
    /// What each item has of the categories, read from the state that served.
    texts: Vec<Option<RawRow>>,
    is_named: bool,
}

struct Join<'a> {
    setting: &'a Setting<'a>,
    rows: RowCollector<'a>,
    lists: Vec<ShownList>,
    /// Requests whose texts are to be read from the state at this position.
    by_state: BTreeMap<LogSeq, Vec<(ServedRequest, usize)>>,
    by_request: HashMap<RequestId, usize>,
    left_out: LeftOut,
}

impl Join<'_> {
    fn take(&mut self, request: ServedRequest) {
        let setting = self.setting;
        let width = setting.features.width();
        // Rankers are fitted for `home`.
        if request.features.is_empty() || request.surface != DEFAULT_SURFACE {
            self.left_out.unranked += 1;
            return;
        }
        if request.feature_schema != setting.features.fingerprint()
            || request.features.len() != request.candidates.len() * width
        {
            self.left_out.other_features += 1;
            return;
        }
        if self.lists.len() >= setting.config.decisions_max {
            return;
        }
        let mut list = ShownList {
            items: vec![],
            weights: vec![],
            features: vec![],
            labels: vec![],
            texts: vec![],
            is_named: false,
        };
        for (candidate, row) in request.candidates.iter().zip(request.features.chunks_exact(width)) {
            if candidate.position.is_some() {
                list.items.push(candidate.item);
                list.weights.push((1.0 / candidate.propensity.max(f32::MIN_POSITIVE)).min(WEIGHT_MAX));
                list.features.extend_from_slice(row);
                list.labels.extend(std::iter::repeat_n(false, 1 + setting.outcomes.len()));
                list.texts.push(None);
            }
        }
        self.by_request.insert(request.request_id.clone(), self.lists.len());
        if !setting.categories.is_empty() {
            self.by_state.entry(request.log_seq).or_default().push((request, self.lists.len()));
        }
        self.lists.push(list);
    }

    /// Reads the texts of the requests that `state` served.
    fn read_texts(&mut self, state: &FeatureState) -> Result<(), TrainingError> {
        for (request, list) in self.by_state.remove(&state.log_seq()).unwrap_or_default() {
            let list = &mut self.lists[list];
            let raw = &mut self.rows.raw;
            list.texts = self.setting.pipeline.raw_categories_of(state, &request, &list.items, raw)?;
        }
        Ok(())
    }

    /// Notes what an event says of a list.
    fn hear(&mut self, state: &FeatureState, record: &LogRecord) {
        let LogRecord::Event(event) = record else { return };
        let named = event.request_id.as_ref().and_then(|id| self.by_request.get(id));
        let Some(list) = named.and_then(|list| self.lists.get_mut(*list)) else { return };
        list.is_named = true;
        let item = state.catalog().find(event.item_id.as_str());
        let Some(position) = list.items.iter().position(|shown| Some(*shown) == item) else { return };
        let outcomes = self.setting.outcomes;
        let labels = &mut list.labels[position * (1 + outcomes.len())..][..1 + outcomes.len()];
        let types = state.event_types();
        let Some(event_type) = types.find(&event.event_type) else { return };
        let kind = types.get(event_type);
        labels[0] |= matches!(kind.outcome(event.value), Outcome::Positive(_));
        if kind.happened(event.value) {
            labels[1..].iter_mut().zip(outcomes).for_each(|(label, outcome)| *label |= *outcome == event_type);
        }
    }

    fn rows(self) -> Result<(TrainingRows, CategoryEncoders), TrainingError> {
        let Self { setting, mut rows, lists, mut left_out, .. } = self;
        let (width, heads) = (setting.features.width(), 1 + setting.outcomes.len());
        for list in lists {
            if !list.is_named {
                left_out.without_outcome += 1;
                continue;
            }
            rows.begin_group();
            let labels = list.labels.chunks_exact(heads).zip(list.texts);
            for ((row, weight), (labels, raw)) in list.features.chunks_exact(width).zip(&list.weights).zip(labels) {
                rows.push(row, raw, labels, *weight)?;
            }
        }
        if rows.len() == 0 {
            let (from, until) = (setting.split.ranker_from_time, setting.split.evaluation_from_time);
            return Err(TrainingError::NothingServedToLearnFrom { from, until, left_out });
        }
        rows.finish()
    }
}
