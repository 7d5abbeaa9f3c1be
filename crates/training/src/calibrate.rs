//! From scores to probabilities, by logged impressions: what was shown, and what came of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use shortlist_embedding::EncoderScratch;
use shortlist_evaluation::{Calibration, log_loss};
use shortlist_features::{FeatureScratch, FeatureState};
use shortlist_ranking::{Platt, RankingError, ScoringScratch};
use shortlist_recommender::{CategoryIds, Models, Pipeline, Request, Scratch};
use shortlist_store::LogReader;
use shortlist_types::{EventTypeIdx, ItemIdx, LogRecord, LogSeq, Timestamp, Unlimited, UserIdx};

use crate::replay::{Moment, replay_to_stops};
use crate::report::OutcomeCalibration;
use crate::rows::K;
use crate::timeline::{Step, StepKind};
use crate::{Progress, TrainingError};

/// Most pages that are scored: a million requests say nothing more about two numbers.
const PAGES_MAX: usize = 1_000;
/// Impressions that an outcome must have come of, and not come of, before a probability is made of it.
const EACH_MIN: usize = 50;
/// Bins of the expected calibration error.
const BINS: usize = 15;

/// Items that were shown together, with what came of each.
#[derive(Debug, PartialEq)]
struct Page {
    before: LogSeq,
    now: Timestamp,
    user: UserIdx,
    /// Each with its labels: wanted, then the other outcomes.
    shown: Vec<(ItemIdx, Vec<bool>)>,
}

/// What the ranker says of impressions, and what came of them.
#[derive(Debug, Default)]
pub(crate) struct Impressions {
    /// Per outcome, a score per impression.
    scores: Vec<Vec<f32>>,
    labels: Vec<Vec<bool>>,
}

/// The replay that impressions are scored in.
pub(crate) struct ImpressionReplay<'a> {
    pub(crate) log: &'a LogReader,
    pub(crate) pipeline: &'a Pipeline,
    /// With a ranker.
    pub(crate) models: &'a Models,
    /// The event types of the ranker's outcomes.
    pub(crate) outcomes: &'a [EventTypeIdx],
    pub(crate) seed: u64,
}

impl ImpressionReplay<'_> {
    /// Scores impressions of a slice as they would have been at their page's begin, from a state before the slice.
    pub(crate) fn run(
        &self,
        slice: &[Step],
        mut state: FeatureState,
        progress: &mut dyn Progress,
    ) -> Result<Impressions, TrainingError> {
        let mut pages = pages(slice, self.outcomes);
        pages.shuffle(&mut ChaCha8Rng::seed_from_u64(self.seed));
        pages.truncate(PAGES_MAX);
        pages.sort_by_key(|page| (page.before, page.user));
        let mut scored = Scored {
            replay: self,
            impressions: Impressions::of(1 + self.outcomes.len()),
            features: FeatureScratch::default(),
            ids: CategoryIds::default(),
            scoring: ScoringScratch::default(),
            scratch: Scratch::default(),
        };
        let Some(last) = slice.last().filter(|_| !pages.is_empty()) else { return Ok(scored.impressions) };
        progress.begin("scoring logged impressions", Some(pages.len() as u64));
        let stops: Vec<_> = pages.iter().map(|page| page.before).collect();
        let mut encoder = EncoderScratch::default();
        let mut follow = |state: &FeatureState, record: &LogRecord| self.models.follow(state, record, &mut encoder);
        self.models.meet_new_items(&state);
        replay_to_stops(self.log, &mut state, last.log_seq, &stops, &mut follow, &mut |moment, stop| {
            progress.at(stop as u64 + 1);
            scored.add(moment, &pages[stop])
        })?;
        let count = scored.impressions.labels.first().map_or(0, Vec::len);
        progress.end(&format!("{count} impressions on {} pages", pages.len()));
        Ok(scored.impressions)
    }
}

struct Scored<'a> {
    replay: &'a ImpressionReplay<'a>,
    impressions: Impressions,
    features: FeatureScratch,
    ids: CategoryIds,
    scoring: ScoringScratch,
    scratch: Scratch,
}

impl Scored<'_> {
    fn add(&mut self, moment: &Moment<'_>, page: &Page) -> Result<(), TrainingError> {
        let ImpressionReplay { pipeline, models, .. } = self.replay;
        let Some(ranker) = &models.ranker else { return Ok(()) };
        let Some(user) = moment.state.user_id(page.user) else { return Ok(()) };
        let request = Request { context: moment.context(), ..Request::of(user.clone(), K) };
        let retrieved =
            pipeline.retrieve(moment.state, Some(models), &request, page.now, &Unlimited, &mut self.scratch)?;
        // Nobody is ranked for of whom nothing is known.
        if retrieved.context.user.is_empty() {
            return Ok(());
        }
        let known: HashMap<ItemIdx, usize> = (0..).zip(&retrieved.candidates).map(|(i, c)| (c.item, i)).collect();
        let missed: Vec<ItemIdx> =
            page.shown.iter().map(|(item, _)| *item).filter(|item| !known.contains_key(item)).collect();
        retrieved.feature_rows(&missed, &mut self.features);
        retrieved.category_ids(&missed, &mut self.ids);
        let mut scores = Vec::new();
        ranker.score(&self.features.rows, &self.ids, &mut self.scoring, &mut scores)?;
        let outcomes = ranker.outcomes.len();
        let places = (known.len()..).zip(&missed).map(|(place, item)| (*item, place));
        let places: HashMap<ItemIdx, usize> = known.iter().map(|(item, place)| (*item, *place)).chain(places).collect();
        for (item, labels) in &page.shown {
            self.impressions.push(&scores[places[item] * outcomes..][..outcomes], labels);
        }
        Ok(())
    }
}

impl Impressions {
    fn of(outcomes: usize) -> Self {
        Self { scores: vec![Vec::new(); outcomes], labels: vec![Vec::new(); outcomes] }
    }

    fn push(&mut self, scores: &[f32], labels: &[bool]) {
        self.scores.iter_mut().zip(scores).for_each(|(to, score)| to.push(*score));
        self.labels.iter_mut().zip(labels).for_each(|(to, label)| to.push(*label));
    }

    /// Calibrates each outcome of which there are enough impressions with and without it; the others stay
    /// relative.
    pub(crate) fn calibrate(&self, models: &mut Models) -> Result<(), RankingError> {
        let Some(ranker) = &mut models.ranker else { return Ok(()) };
        for (outcome, (scores, labels)) in self.scores.iter().zip(&self.labels).enumerate() {
            let positives = labels.iter().filter(|label| **label).count();
            if positives.min(labels.len() - positives) < EACH_MIN {
                let name = ranker.outcomes[outcome].name.as_str();
                tracing::info!(outcome = name, positives, impressions = labels.len(), "too few to calibrate by");
                continue;
            }
            let log_odds: Vec<f32> = scores.iter().map(|score| ranker.log_odds(outcome, *score)).collect();
            ranker.outcomes[outcome].calibration = Some(Platt::fit(&log_odds, labels)?);
        }
        Ok(())
    }

    /// Whether the ranker's probabilities came true, per calibrated outcome.
    pub(crate) fn judge(&self, models: &Models) -> Result<BTreeMap<String, OutcomeCalibration>, TrainingError> {
        let mut judged = BTreeMap::new();
        let Some(ranker) = &models.ranker else { return Ok(judged) };
        for (place, (scores, labels)) in self.scores.iter().zip(&self.labels).enumerate() {
            let told = scores.iter().filter_map(|score| ranker.probability(place, *score).map(f64::from));
            let told: Vec<f64> = told.collect();
            if told.is_empty() {
                continue;
            }
            let Calibration { predicted, observed, error, .. } = Calibration::of(&told, labels, BINS)?;
            let log_loss = log_loss(&told, labels)?;
            let of_outcome =
                OutcomeCalibration { impressions: labels.len(), predicted, observed, expected_error: error, log_loss };
            judged.insert(ranker.outcomes[place].name.clone(), of_outcome);
        }
        Ok(judged)
    }
}

/// The pages of a slice on which something was shown. What a user did with an item came of the last time that it
/// was shown to him before.
fn pages(slice: &[Step], outcomes: &[EventTypeIdx]) -> Vec<Page> {
    let mut pages: Vec<Page> = Vec::new();
    let mut open: HashMap<UserIdx, usize> = HashMap::new();
    let mut latest: HashMap<(UserIdx, ItemIdx), (usize, usize)> = HashMap::new();
    for step in slice {
        if step.page_start {
            open.insert(step.user, pages.len());
            pages.push(Page { before: step.log_seq, now: step.time, user: step.user, shown: Vec::new() });
        }
        // What goes on from a page before the slice was not decided in it.
        let Some(&page) = open.get(&step.user) else { continue };
        if step.kind == StepKind::Impression {
            let place = pages[page].shown.len();
            pages[page].shown.push((step.item, vec![false; 1 + outcomes.len()]));
            latest.insert((step.user, step.item), (page, place));
            continue;
        }
        let Some(&(page, place)) = latest.get(&(step.user, step.item)) else { continue };
        let labels = &mut pages[page].shown[place].1;
        labels[0] |= step.kind == StepKind::Positive;
        if let Some((_, done)) = step.done() {
            labels[1..].iter_mut().zip(outcomes).for_each(|(label, outcome)| *label |= *outcome == done);
        }
    }
    for page in &mut pages {
        let mut met = HashSet::new();
        // Shown twice on one page, an item counts as it was shown last: there its outcomes are.
        page.shown.reverse();
        page.shown.retain(|(item, _)| met.insert(*item));
        page.shown.reverse();
    }
    pages.retain(|page| !page.shown.is_empty());
    pages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(log_seq: u64, item: u32, kind: StepKind, page_start: bool) -> Step {
        let (time, done) = (Timestamp::EPOCH, kind != StepKind::Impression);
        let event_type = EventTypeIdx(u8::from(kind == StepKind::Negative));
        let (user, item) = (UserIdx(0), ItemIdx(item));
        Step { log_seq: LogSeq(log_seq), user, item, time, kind, event_type, says_its_type: done, page_start }
    }

    #[test]
    fn what_was_done_came_of_the_last_impression_before() {
        use StepKind::{Impression, Negative, Positive};
        let steps = [
            step(1, 9, Positive, false),
            step(2, 1, Impression, true),
            step(3, 2, Impression, false),
            step(4, 3, Positive, false),
            step(5, 1, Impression, true),
            step(6, 1, Impression, false),
            step(7, 1, Positive, false),
            step(8, 2, Negative, false),
        ];
        let found = pages(&steps, &[EventTypeIdx(1)]);
        let shown: Vec<_> = found.iter().map(|page| (page.before.0, page.shown.clone())).collect();
        let item = |item: u32, wanted: bool, hidden: bool| (ItemIdx(item), vec![wanted, hidden]);
        assert_eq!(shown, [(2, vec![item(1, false, false), item(2, false, true)]), (5, vec![item(1, true, false)])]);
    }
}
