use std::collections::{HashMap, HashSet};
use std::time::Instant;

use shortlist_embedding::TasteScratch;
use shortlist_features::{FeatureScratch, FeatureState};
use shortlist_store::{ServedCandidate, ServedRequest};
use shortlist_types::{Budget, InvalidInput, ItemIdx, Score, Timestamp, Unlimited};

use crate::answer::{Decided, Explanation, RecommendedItem, StageTiming};
use crate::config::portion;
use crate::feature_ranker::{feature_rows, named_contributions};
use crate::filters::{Excluded, Seen, Unavailable};
use crate::served::question_of;
use crate::sources::{Ann, Fresh, ItemToItem, Popular, Proposed};
use crate::{
    Answer, Candidate, CategoryIds, Degraded, FeatureRanker, Filter, Models, PipelineConfig, Ranker, RawCategories,
    RawRow, Request, RequestContext, ScoreKind, Scratch, Source, SourceHit, StageName,
};

/// The stages of a recommendation and the one way through them.
pub struct Pipeline {
    config: PipelineConfig,
    /// In the order in which they fill the candidate list, each with its share of it.
    sources: Vec<(Box<dyn Source>, f64)>,
    filters: Vec<Box<dyn Filter>>,
    ranker: Box<dyn Ranker>,
}

/// A request after the first stage.
pub struct Retrieved<'a> {
    /// What the stages read.
    pub context: RequestContext<'a>,
    /// In retrieval order: by the blend's score of the user's taste; those without a score follow in the
    /// order of their sources.
    pub candidates: Vec<Candidate>,
    degraded: Vec<Degraded>,
    timings: Vec<StageTiming>,
}

/// A candidate's place after the second stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranked {
    /// Position in [`Retrieved::candidates`].
    pub candidate: usize,
    /// The ranker's score, or 1 / (1 + rank) where retrieval order was the last word.
    pub score: Score,
    /// Whether the ranker gave the score.
    pub by_ranker: bool,
}

impl Pipeline {
    /// The pipeline of the `home` surface.
    pub fn new(config: PipelineConfig) -> Self {
        Self::with_ranker(config, Box::new(FeatureRanker))
    }

    /// The same pipeline with another second stage.
    pub fn with_ranker(config: PipelineConfig, ranker: Box<dyn Ranker>) -> Self {
        let PipelineConfig { item_to_item_share, popular_share, fresh_share, .. } = config;
        let ann_share = 1.0 - item_to_item_share - popular_share - fresh_share;
        let sources: Vec<(Box<dyn Source>, f64)> = vec![
            (Box::new(Ann { ef_search: config.ef_search }), ann_share),
            (Box::new(ItemToItem), item_to_item_share),
            (Box::new(Popular), popular_share),
            (Box::new(Fresh { days: config.fresh_days }), fresh_share),
        ];
        let filters: Vec<Box<dyn Filter>> = vec![Box::new(Unavailable), Box::new(Seen), Box::new(Excluded)];
        Self { config, sources, filters, ranker }
    }

    /// Answers a request from one state and one set of models; who owns the models names the bundle.
    ///
    /// **Cost**: a few hundred microseconds with 500 candidates; the stages' own docs say which.
    ///
    /// # Errors
    /// A request beyond its limits, or a `recent` event of an unknown type. A stage that fails is no
    /// error: the answer says what was degraded.
    pub fn recommend(
        &self,
        state: &FeatureState,
        models: Option<&Models>,
        request: &Request,
        now: Timestamp,
        budget: &dyn Budget,
        scratch: &mut Scratch,
    ) -> Result<Answer, InvalidInput> {
        let mut retrieved = self.retrieve(state, models, request, now, budget, scratch)?;
        let started = Instant::now();
        let mut ranked = self.rank(&mut retrieved, budget, scratch);
        retrieved.timed("ranking", started);
        let decided = request.keep.then(|| retrieved.decided(&ranked, request.k, scratch));
        ranked.truncate(request.k);
        let items = self.present(&retrieved, &ranked, request.explain, scratch);
        let score_kind = items.first().map_or(ScoreKind::Relative, RecommendedItem::score_kind);
        let (mut degraded, timings) = (std::mem::take(&mut retrieved.degraded), std::mem::take(&mut retrieved.timings));
        scratch.reuse(retrieved);
        degraded.sort_unstable();
        degraded.dedup();
        Ok(Answer { items, score_kind, bundle: None, log_seq: state.log_seq(), degraded, timings, decided })
    }

    /// The first stage: the user's vector, the sources, and their merge.
    ///
    /// # Errors
    /// As [`Self::recommend`].
    pub fn retrieve<'a>(
        &'a self,
        state: &'a FeatureState,
        models: Option<&'a Models>,
        request: &Request,
        now: Timestamp,
        budget: &dyn Budget,
        scratch: &mut Scratch,
    ) -> Result<Retrieved<'a>, InvalidInput> {
        request.check()?;
        let started = Instant::now();
        let context = RequestContext::gather(state, models, &self.filters, request, now, &mut scratch.taste)?;
        let mut retrieved = Retrieved { context, candidates: Vec::new(), degraded: Vec::new(), timings: Vec::new() };
        retrieved.timed("user_vector", started);
        if models.is_none() {
            retrieved.degraded.push(Degraded::NoBundle);
        }
        let total = self.config.candidates(state.catalog().len(), request.k);
        let mut proposals = Vec::with_capacity(self.sources.len());
        for (source, _) in &self.sources {
            let started = Instant::now();
            let proposed = source.propose(&retrieved.context, total, budget, scratch);
            retrieved.timed(source.name().0, started);
            retrieved.degraded.extend(proposed.degraded);
            proposals.push((source.name(), proposed));
        }
        let started = Instant::now();
        let items = self.share_out(&proposals, total);
        retrieved.candidates = in_retrieval_order(retrieved.score(items, &proposals));
        retrieved.timed("merge", started);
        Ok(retrieved)
    }

    /// Chooses at most `total` of the proposed items: every source first fills its own share, what is left
    /// over goes to the sources in order. They come in the order of the sources.
    fn share_out(&self, proposals: &[(StageName, Proposed)], total: usize) -> Vec<ItemIdx> {
        let mut chosen: HashSet<ItemIdx> = HashSet::with_capacity(total);
        let mut take = |most: usize, proposed: &Proposed| {
            let end = (chosen.len() + most).min(total);
            for item in &proposed.items {
                if chosen.len() >= end {
                    break;
                }
                chosen.insert(*item);
            }
        };
        for ((_, proposed), (_, share)) in proposals.iter().zip(&self.sources) {
            take(portion(total, *share), proposed);
        }
        for (_, proposed) in proposals {
            take(total, proposed);
        }
        let all = proposals.iter().flat_map(|(_, proposed)| proposed.items.iter().copied());
        all.filter(|item| chosen.remove(item)).collect()
    }

    /// What the ranker would read of `candidates` at `now`, from the scores that the first stage gave them
    /// then: bit for bit what [`Answer::decided`] kept, if state, models, request and time are the same.
    ///
    /// # Errors
    /// As [`Self::recommend`].
    pub fn features_of(
        &self,
        state: &FeatureState,
        models: &Models,
        served: &ServedRequest,
        scratch: &mut Scratch,
    ) -> Result<Vec<f32>, InvalidInput> {
        let (models, request) = (Some(models), question_of(served));
        let context = RequestContext::gather(state, models, &self.filters, &request, served.now, &mut scratch.taste)?;
        let candidates = served.candidates.iter().map(|candidate| {
            let score = candidate.retrieval_score.map(Score::parse).transpose();
            score.map(|retrieval_score| Candidate { item: candidate.item, sources: Vec::new(), retrieval_score })
        });
        let candidates = candidates.collect::<Result<Vec<_>, _>>()?;
        let mut features = FeatureScratch::default();
        feature_rows(&context, &candidates, &[], &Unlimited, &mut features);
        Ok(features.rows)
    }

    /// What the shown items of a served request have of each category, read from the state that served; none of an
    /// item that the state does not know.
    ///
    /// # Errors
    /// As [`Self::recommend`].
    pub fn raw_categories_of(
        &self,
        state: &FeatureState,
        served: &ServedRequest,
        items: &[ItemIdx],
        raw: &mut RawCategories,
    ) -> Result<Vec<Option<RawRow>>, InvalidInput> {
        let request = question_of(served);
        let scratch = &mut TasteScratch::default();
        let context = RequestContext::gather(state, None, &self.filters, &request, served.now, scratch)?;
        Ok(items.iter().map(|item| raw.read(&context, *item)).collect())
    }

    /// The second stage: the ranker's order, or retrieval order where it has nothing to say.
    pub fn rank(&self, retrieved: &mut Retrieved<'_>, budget: &dyn Budget, scratch: &mut Scratch) -> Vec<Ranked> {
        let context = &retrieved.context;
        // Nothing is known of the user: popularity is the honest order.
        if context.models.is_none_or(|models| models.ranker.is_none()) || context.user.is_empty() {
            return retrieval_order(retrieved.candidates.len());
        }
        let candidates = &retrieved.candidates;
        let outcome = self.ranker.score(context, candidates, budget, scratch);
        let expected = candidates.len();
        match outcome {
            Ok(()) if scratch.scores.len() == expected => {}
            Ok(()) => {
                let got = scratch.scores.len();
                tracing::error!(ranker = %self.ranker.name(), expected, got, "the ranker gave the wrong number of scores");
                retrieved.degraded.push(Degraded::RankerFailed);
                return retrieval_order(expected);
            }
            Err(crate::StageError::Timeout) => {
                retrieved.degraded.push(Degraded::RankerTimeout);
                return retrieval_order(expected);
            }
            Err(error) => {
                tracing::error!(ranker = %self.ranker.name(), %error, "the ranker failed");
                retrieved.degraded.push(Degraded::RankerFailed);
                return retrieval_order(expected);
            }
        }
        let mut ranked = Vec::with_capacity(expected);
        let mut refused = Vec::new();
        for (candidate, score) in scratch.scores.iter().enumerate() {
            match Score::parse(*score) {
                Ok(score) => ranked.push(Ranked { candidate, score, by_ranker: true }),
                Err(_) => refused.push(candidate),
            }
        }
        ranked.sort_by(|a, b| {
            let item = |ranked: &Ranked| candidates[ranked.candidate].item;
            b.score.cmp(&a.score).then_with(|| item(a).cmp(&item(b)))
        });
        if ranked.is_empty() && !refused.is_empty() {
            retrieved.degraded.push(Degraded::RankerNotFinite);
            return retrieval_order(expected);
        }
        if !refused.is_empty() {
            retrieved.degraded.push(Degraded::RankerNotFinite);
            let last = ranked.last().map_or(Score::ZERO, |ranked| ranked.score);
            ranked.extend(refused.into_iter().map(|candidate| Ranked { candidate, score: last, by_ranker: false }));
        }
        ranked
    }

    fn present(
        &self,
        retrieved: &Retrieved<'_>,
        ranked: &[Ranked],
        explain: bool,
        scratch: &Scratch,
    ) -> Vec<RecommendedItem> {
        let catalog = retrieved.context.state.catalog();
        let in_order = ranked.iter().enumerate();
        let items = in_order.filter_map(|(rank, ranked)| {
            let candidate = &retrieved.candidates[ranked.candidate];
            let item_id = catalog.get(candidate.item)?.id.clone();
            let explanation = explain.then(|| retrieved.explain(ranked, scratch));
            Some(RecommendedItem {
                item_id,
                score: ranked.score,
                rank,
                probabilities: retrieved.probabilities(ranked, scratch),
                sources: candidate.sources.clone(),
                explanation,
            })
        });
        items.collect()
    }
}

impl Retrieved<'_> {
    /// Makes candidates of the chosen items, in their order.
    fn score(&self, items: Vec<ItemIdx>, proposals: &[(StageName, Proposed)]) -> Vec<Candidate> {
        let positions: HashMap<ItemIdx, usize> = items.iter().enumerate().map(|(i, item)| (*item, i)).collect();
        let mut candidates: Vec<Candidate> = items
            .into_iter()
            .map(|item| {
                let retrieval_score = self.retrieval_score(item);
                Candidate { item, sources: Vec::new(), retrieval_score }
            })
            .collect();
        for (source, proposed) in proposals {
            for (rank, item) in proposed.items.iter().enumerate() {
                if let Some(position) = positions.get(item) {
                    candidates[*position].sources.push(SourceHit { source: *source, rank });
                }
            }
        }
        candidates
    }

    /// What the first stage's models score an item by, retrieved or not; none if none of them knows it.
    pub fn retrieval_score(&self, item: ItemIdx) -> Option<Score> {
        let (models, taste) = self.context.models.zip(self.context.taste.as_ref())?;
        models.score(taste, item)
    }

    /// How likely each calibrated outcome of a ranked item is.
    fn probabilities(&self, ranked: &Ranked, scratch: &Scratch) -> Vec<(String, f32)> {
        let ranker = self.context.models.and_then(|models| models.ranker.as_ref());
        let Some(ranker) = ranker.filter(|_| ranked.by_ranker) else { return Vec::new() };
        let count = ranker.outcomes.len();
        let scores = scratch.outcomes.chunks_exact(count).nth(ranked.candidate).unwrap_or_default();
        let named = ranker.outcomes.iter().zip(scores).enumerate();
        named
            .filter_map(|(place, (outcome, score))| Some((outcome.name.clone(), ranker.probability(place, *score)?)))
            .collect()
    }

    /// What the order `ranked`, of which the first `k` are shown, was decided by.
    fn decided(&self, ranked: &[Ranked], k: usize, scratch: &Scratch) -> Decided {
        let by_ranker = ranked.iter().any(|ranked| ranked.by_ranker);
        let features = if by_ranker { scratch.features.rows.clone() } else { Vec::new() };
        let mut candidates: Vec<_> = self
            .candidates
            .iter()
            .map(|candidate| ServedCandidate {
                item: candidate.item,
                retrieval_score: candidate.retrieval_score.map(Score::get),
                score: 0.0,
                position: None,
                propensity: 0.0,
            })
            .collect();
        for (place, ranked) in (0..).zip(ranked) {
            let candidate = &mut candidates[ranked.candidate];
            candidate.score = ranked.score.get();
            if (place as usize) < k {
                // Nothing is drawn at random: what is shown would always be.
                (candidate.position, candidate.propensity) = (Some(place), 1.0);
            }
        }
        let feature_schema = self.context.models.map_or(0, |models| models.features.fingerprint());
        Decided { candidates, feature_schema, features }
    }

    fn explain(&self, ranked: &Ranked, scratch: &Scratch) -> Explanation {
        let candidate = &self.candidates[ranked.candidate];
        let ranker = self.context.models.and_then(|models| models.ranker.as_ref());
        let schema = self.context.models.map(|models| &models.features).filter(|_| ranked.by_ranker);
        let named = schema.zip(ranker).and_then(|(schema, ranker)| {
            let row = scratch.features.rows.chunks_exact(schema.width()).nth(ranked.candidate)?;
            Some(named_contributions(schema, &ranker.contributions(row)?))
        });
        Explanation {
            retrieval_score: candidate.retrieval_score,
            retrieval_rank: ranked.candidate,
            contributions: named.unwrap_or_default(),
        }
    }

    /// Makes the feature row of every candidate and of `others`, eligible items that retrieval did
    /// not return, as the ranker would read them.
    ///
    /// **Shapes**: (candidates + others) x [`shortlist_features::FeatureSchema::width`], row-major.
    pub fn feature_rows(&self, others: &[ItemIdx], scratch: &mut FeatureScratch) {
        let others = self.score(others.to_vec(), &[]);
        feature_rows(&self.context, &self.candidates, &others, &Unlimited, scratch);
    }

    /// Writes the ids of the ranker's categories of every candidate and of `others`, in the order of
    /// [`Self::feature_rows`].
    pub fn category_ids(&self, others: &[ItemIdx], to: &mut CategoryIds) {
        let ranker = self.context.models.and_then(|models| models.ranker.as_ref());
        if let Some(encoders) = ranker.and_then(|ranker| ranker.categories()) {
            let candidates = self.candidates.iter().map(|candidate| candidate.item);
            encoders.encode(&self.context, candidates.chain(others.iter().copied()), to);
        }
    }

    fn timed(&mut self, stage: &'static str, started: Instant) {
        self.timings.push(StageTiming { stage: StageName(stage), elapsed: started.elapsed() });
    }
}

/// By the first stage's score; candidates without one keep the order of their sources.
fn in_retrieval_order(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.sort_by(|a, b| {
        let ties = a.retrieval_score.and(b.retrieval_score).map(|_| a.item.cmp(&b.item));
        b.retrieval_score.cmp(&a.retrieval_score).then(ties.unwrap_or(std::cmp::Ordering::Equal))
    });
    candidates
}

/// Candidates as retrieval left them; the score only says the place.
fn retrieval_order(candidates: usize) -> Vec<Ranked> {
    let place = |candidate: usize| Score::parse(1.0 / (1.0 + candidate as f32)).unwrap_or(Score::ZERO);
    (0..candidates).map(|candidate| Ranked { candidate, score: place(candidate), by_ranker: false }).collect()
}
