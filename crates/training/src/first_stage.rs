use shortlist_embedding::{BlendConfig, EmbeddingError};
use shortlist_features::{FeatureSchema, FeatureState};
use shortlist_ranking::TrainingRows;
use shortlist_recommender::{CategoryEncoders, CategorySchema, Models, Pipeline};
use shortlist_store::{LogReader, Store};
use shortlist_types::EventTypeIdx;

use crate::decision::{Draw, training_decisions};
use crate::fit_first_stage::{fit_first_stage, interactions};
use crate::replay::replay;
use crate::retrieval::{Unkept, Validation, choose};
use crate::rows::{K, training_rows};
use crate::served_rows::served_rows;
use crate::split::Split;
use crate::timeline::Timeline;
use crate::validation_cases::{COMPARED_ON_MAX, validation_cases};
use crate::{Progress, RowSource, TrainingConfig, TrainingError};

/// What both stages are fitted from.
pub(crate) struct Setting<'a> {
    pub(crate) store: &'a Store,
    pub(crate) log: &'a LogReader,
    pub(crate) timeline: &'a Timeline,
    pub(crate) split: &'a Split,
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) features: &'a FeatureSchema,
    pub(crate) categories: &'a CategorySchema,
    /// The event types that the ranker tells apart beside what is wanted.
    pub(crate) outcomes: &'a [EventTypeIdx],
    pub(crate) config: &'a TrainingConfig,
    pub(crate) seed: u64,
}

/// The first stage, and the second one's rows made with it.
pub(crate) struct FirstStage {
    /// Without a ranker.
    pub(crate) models: Models,
    /// From decisions that the embeddings have not seen the outcome of.
    pub(crate) rows: TrainingRows,
    /// How the rows' categories were encoded.
    pub(crate) categories: CategoryEncoders,
    /// The fold at the begin of the ranker's slice.
    pub(crate) at_ranker_from: FeatureState,
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
        let (per_user, max, label_days) = (config.decisions_per_user, config.decisions_max, config.label_days);
        let decisions = training_decisions(slice, Draw { per_user, max, label_days, seed });
        if decisions.is_empty() {
            let what = "no user with a positive event";
            return Err(split.too_little(what, split.ranker_from_time, split.evaluation_from_time));
        }
        let mut models = fit_first_stage(&state, &interactions(&state)?, &blend, &config.index, seed, progress)?;
        models.features = self.features.clone();
        let at_ranker_from = state.clone();
        let (rows, categories) = match config.rows {
            RowSource::Replayed => training_rows(self, &mut state, &decisions, &models, progress)?,
            RowSource::Served => served_rows(self, self.store.served()?, &mut state, progress)?,
        };
        for (head, name) in config.ranker.heads().into_iter().enumerate() {
            let labels = rows.labels().iter().skip(head).step_by(rows.heads());
            let positives = labels.filter(|label| **label).count();
            if positives > 0 && positives < rows.len() {
                continue;
            }
            let (from, until) = (split.ranker_from_time, split.evaluation_from_time);
            let what = "no decision with both wanted and unwanted candidates";
            return Err(match head {
                0 => split.too_little(what, from, until),
                _ => TrainingError::OneSidedOutcome { outcome: name, positives, rows: rows.len(), from, until },
            });
        }
        Ok(FirstStage { models, rows, categories, at_ranker_from, state })
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
        let decisions = training_decisions(slice, Draw { per_user: 1, max: COMPARED_ON_MAX, label_days: None, seed });
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
#[path = "first_stage_tests.rs"]
mod tests;
