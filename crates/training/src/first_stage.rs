use shortlist_embedding::{BlendConfig, EmbeddingError};
use shortlist_features::FeatureState;
use shortlist_ranking::TrainingRows;
use shortlist_recommender::{Models, Pipeline};
use shortlist_store::LogReader;

use crate::decision::training_decisions;
use crate::fit_first_stage::{fit_first_stage, interactions};
use crate::replay::replay;
use crate::retrieval::{Unkept, Validation, choose};
use crate::rows::{K, training_rows};
use crate::split::Split;
use crate::timeline::Timeline;
use crate::validation_cases::{COMPARED_ON_MAX, validation_cases};
use crate::{Progress, TrainingConfig, TrainingError};

/// What both stages are fitted from.
pub(crate) struct Setting<'a> {
    pub(crate) log: &'a LogReader,
    pub(crate) timeline: &'a Timeline,
    pub(crate) split: &'a Split,
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) config: &'a TrainingConfig,
    pub(crate) seed: u64,
}

/// The first stage, and the second one's rows made with it.
pub(crate) struct FirstStage {
    /// Without a ranker.
    pub(crate) models: Models,
    /// From decisions that the embeddings have not seen the outcome of.
    pub(crate) rows: TrainingRows,
    /// The fold at the begin of the evaluation.
    pub(crate) state: FeatureState,
}

impl Setting<'_> {
    /// Fits item embeddings on the records before T1, indexes them, and makes the ranker's rows from
    /// decisions between T1 and T2. No event from T1 on reaches the embeddings, so an item's own label
    /// cannot move its retrieval features.
    pub(crate) fn first_stage(
        &self,
        first: FeatureState,
        progress: &mut dyn Progress,
    ) -> Result<FirstStage, TrainingError> {
        let Self { log, timeline, split, config, seed, .. } = *self;
        let mut state = first;
        progress.begin("replaying the log", Some(split.search_until().0));
        replay(log, &mut state, split.search_until(), &mut |_, log_seq, _| {
            progress.at(log_seq.0);
            Ok(())
        })?;
        progress.end(&format!("{} users, {} items", state.users().len(), state.catalog().len()));
        let blend = self.choose_blend(&mut state, progress)?;
        let slice = timeline.between(split.ranker_from, split.evaluation_from);
        let decisions = training_decisions(slice, config.decisions_per_user, config.decisions_max, seed);
        if decisions.is_empty() {
            let what = "no user with a positive event";
            return Err(split.too_little(what, split.ranker_from_time, split.evaluation_from_time));
        }
        let models = fit_first_stage(&state, &interactions(&state)?, &blend, &config.index, seed, progress)?;
        let rows = training_rows(self, &mut state, &decisions, &models, progress)?;
        let positives = rows.labels().iter().filter(|label| **label).count();
        if positives == 0 || positives == rows.len() {
            let what = "no decision with both wanted and unwanted candidates";
            return Err(split.too_little(what, split.ranker_from_time, split.evaluation_from_time));
        }
        Ok(FirstStage { models, rows, state })
    }

    /// The models that do best on what users wanted just before T1; `state` comes at the begin of that
    /// slice and leaves at T1.
    fn choose_blend(
        &self,
        state: &mut FeatureState,
        progress: &mut dyn Progress,
    ) -> Result<BlendConfig, TrainingError> {
        let Self { log, timeline, split, config, seed, .. } = *self;
        let slice = timeline.between(split.search_from, split.ranker_from);
        let decisions = training_decisions(slice, 1, COMPARED_ON_MAX, seed);
        let early = interactions(state);
        let cases = validation_cases(log, state, split.embeddings_until(), &decisions, progress)?;
        // Where nobody had done anything yet, nothing is compared.
        let (early, cases) = match early {
            Err(TrainingError::Embedding(EmbeddingError::NoInteractions)) => {
                let nothing = |_| split.too_little("no positive event", split.log_from_time, split.ranker_from_time);
                (interactions(state).map_err(nothing)?, Vec::new())
            }
            early => (early?, cases),
        };
        let validation =
            Validation { interactions: &early, cases: &cases, k: K, is_like_the_test: true, data: "the log" };
        Ok(choose(validation, &config.retrieval, seed, &mut Unkept, progress)?.blend)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use shortlist_recommender::PipelineConfig;
    use shortlist_simulator::{MarketConfig, Marketplace};
    use shortlist_store::{Store, StoreError};
    use shortlist_types::{ItemIdx, LogRecord, LogSeq, Timestamp};

    use super::*;
    use crate::NoProgress;
    use crate::decision::Decision;

    struct Made {
        stage: FirstStage,
        decision: Decision,
    }

    fn market() -> Vec<LogRecord> {
        let end = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
        let config = MarketConfig { users: 60, items: 120, events: 12_000, ..MarketConfig::new(5, end) };
        Marketplace::generate(&config).unwrap().records
    }

    /// The first stage with the rows of one decision, drawn by `seed`; all its candidates are kept.
    fn make(records: &[LogRecord], seed: u64) -> Made {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_or_create(folder.path()).unwrap();
        let records = records.iter().cloned().map(Ok::<_, StoreError>);
        store.lock_log().unwrap().append_all(records, &mut |_| ()).unwrap();
        let log = store.reader().unwrap();
        let until = log.head().unwrap().log_seq;
        let first = FeatureState::new(Arc::default());
        let timeline = Timeline::read(&log, until, first.clone(), &mut NoProgress).unwrap();
        let config = TrainingConfig { negatives_per_decision: 5_000, decisions_max: 1, ..TrainingConfig::default() };
        let split = Split::of(&timeline, until, &config).unwrap();
        let slice = timeline.between(split.ranker_from, split.evaluation_from);
        let decision = training_decisions(slice, config.decisions_per_user, 1, seed).remove(0);
        let pipeline = Pipeline::new(PipelineConfig { candidates_share: 0.5, ..PipelineConfig::default() });
        let setting =
            Setting { log: &log, timeline: &timeline, split: &split, pipeline: &pipeline, config: &config, seed };
        Made { stage: setting.first_stage(first, &mut NoProgress).unwrap(), decision }
    }

    /// The same log, but what `user` did with `item` from `decision` on is no more than an impression.
    fn without_label(records: &[LogRecord], made: &Made, item: ItemIdx) -> Vec<LogRecord> {
        let state = &made.stage.state;
        let user = state.user_id(made.decision.user).unwrap();
        let item = &state.catalog().get(item).unwrap().id;
        let mut planted = records.to_vec();
        for (log_seq, record) in (1..).map(LogSeq).zip(&mut planted) {
            if let LogRecord::Event(event) = record
                && log_seq >= made.decision.before
                && (&event.user_id, &event.item_id) == (user, item)
            {
                (event.event_type, event.value) = ("impression".to_owned(), None);
            }
        }
        planted
    }

    #[test]
    fn an_items_own_label_cannot_move_what_the_ranker_reads() {
        let records = market();
        let seeds = (0..50).map(|seed| (seed, make(&records, seed)));
        let (seed, honest) = seeds.into_iter().find(|(_, made)| made.decision.wanted_later.len() > 3).unwrap();
        let mut labels_moved = 0;
        for item in &honest.decision.wanted_later {
            let planted = make(&without_label(&records, &honest, *item), seed);
            let (honest, planted) = (&honest.stage, &planted.stage);
            let joined = |stage: &FirstStage| stage.models.blend.joined_vectors().unwrap();
            assert_eq!(joined(honest), joined(planted));
            assert_eq!(honest.models.blend.item_to_item(), planted.models.blend.item_to_item());
            assert_eq!(honest.rows.numbers(), planted.rows.numbers());
            labels_moved += usize::from(honest.rows.labels() != planted.rows.labels());
        }
        assert!(labels_moved > 0, "no wanted item was a candidate: the test shows nothing");
    }
}
