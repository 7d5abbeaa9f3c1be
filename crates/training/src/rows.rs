use std::collections::HashSet;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortlist_embedding::EncoderScratch;
use shortlist_features::{FeatureScratch, FeatureState};
use shortlist_ranking::TrainingRows;
use shortlist_recommender::{CategoryEncoders, Models, Request, Scratch};
use shortlist_types::{ItemIdx, LogRecord, Unlimited};

use crate::decision::Decision;
use crate::first_stage::Setting;
use crate::replay::{Moment, replay_to_stops};
use crate::row_collector::RowCollector;
use crate::{Progress, TrainingError};

/// The answer length that decisions and evaluation ask for.
pub(crate) const K: usize = 10;

/// Makes the ranker's rows by replaying its slice: at each decision, the candidates that retrieval
/// really returns, labelled by what the user wanted later and what else he did, and a few items at random. Features come
/// from the pipeline, over the state just before the decision.
///
/// Negatives are a sample; each carries the inverse of its share as weight, so that the ranker learns
/// from the candidate list as it is and not from what was kept of it. What the user wanted later
/// though retrieval missed it makes no row: all such rows would be positive, all with a low score,
/// and would teach the ranker to prefer low scores among candidates.
pub(crate) fn training_rows(
    setting: &Setting<'_>,
    state: &mut FeatureState,
    decisions: &[Decision],
    models: &Models,
    progress: &mut dyn Progress,
) -> Result<(TrainingRows, CategoryEncoders), TrainingError> {
    progress.begin("making training rows", Some(decisions.len() as u64));
    let mut maker = RowMaker {
        setting,
        models,
        random: ChaCha8Rng::seed_from_u64(setting.seed),
        rows: RowCollector::new(setting)?,
        buffer: FeatureScratch::default(),
        scratch: Scratch::default(),
    };
    let stops: Vec<_> = decisions.iter().map(|decision| decision.before).collect();
    let mut encoder = EncoderScratch::default();
    let mut follow = |state: &FeatureState, record: &LogRecord| models.follow(state, record, &mut encoder);
    models.meet_new_items(state);
    replay_to_stops(setting.log, state, setting.split.ranker_until(), &stops, &mut follow, &mut |moment, stop| {
        progress.at(stop as u64 + 1);
        maker.add(moment, &decisions[stop])
    })?;
    progress.end(&format!("{} rows from {} decisions", maker.rows.len(), decisions.len()));
    maker.rows.finish()
}

struct RowMaker<'a> {
    setting: &'a Setting<'a>,
    models: &'a Models,
    random: ChaCha8Rng,
    rows: RowCollector<'a>,
    buffer: FeatureScratch,
    scratch: Scratch,
}

impl RowMaker<'_> {
    fn add(&mut self, moment: &Moment<'_>, decision: &Decision) -> Result<(), TrainingError> {
        let state = moment.state;
        let Some(user) = state.user_id(decision.user) else { return Ok(()) };
        let request = Request { context: moment.context(), ..Request::of(user.clone(), K) };
        let retrieved = self.setting.pipeline.retrieve(
            state,
            Some(self.models),
            &request,
            decision.now,
            &Unlimited,
            &mut self.scratch,
        )?;
        let candidates: Vec<ItemIdx> = retrieved.candidates.iter().map(|candidate| candidate.item).collect();
        let is_eligible = |item: &ItemIdx| retrieved.context.is_eligible(*item);
        let mut known: HashSet<ItemIdx> = candidates.iter().copied().collect();
        let catalogue = u32::try_from(state.catalog().len()).unwrap_or(u32::MAX);
        let others: Vec<ItemIdx> = (0..self.setting.config.random_per_decision)
            .map(|_| ItemIdx(self.random.random_range(0..catalogue.max(1))))
            .filter(|item| is_eligible(item) && !decision.wanted_later.contains(item) && known.insert(*item))
            .collect();
        retrieved.feature_rows(&others, &mut self.buffer);

        let labels: Vec<Vec<bool>> = candidates
            .iter()
            .chain(&others)
            .map(|item| decision.labels(*item, self.setting.outcomes).collect())
            .collect();
        let mut negatives: Vec<usize> = (0..candidates.len()).filter(|i| !labels[*i].contains(&true)).collect();
        let all = negatives.len();
        negatives.shuffle(&mut self.random);
        negatives.truncate(self.setting.config.negatives_per_decision);
        negatives.sort_unstable();
        let weight = all as f32 / negatives.len().max(1) as f32;
        self.rows.begin_group();
        let kept: HashSet<usize> = negatives.into_iter().collect();
        for (i, item) in candidates.iter().chain(&others).enumerate() {
            let is_negative = i < candidates.len() && !labels[i].contains(&true);
            if is_negative && !kept.contains(&i) {
                continue;
            }
            let width = self.models.features.width();
            let weight = if is_negative { weight } else { 1.0 };
            let raw = self.rows.raw.read(&retrieved.context, *item);
            self.rows.push(&self.buffer.rows[i * width..(i + 1) * width], raw, &labels[i], weight)?;
        }
        Ok(())
    }
}
