use std::time::Instant;

use shortlist_features::FeatureScratch;
use shortlist_store::ServedCandidate;
use shortlist_types::{ItemId, ItemIdx, Score, Unlimited};

use crate::answer::{Decided, Explanation, StageTiming};
use crate::feature_ranker::feature_rows;
use crate::rerank::{Arranged, Placed};
use crate::sources::Proposed;
use crate::{
    Candidate, CategoryEncoders, CategoryIds, Contributions, Degraded, Fate, FittedRanker, RequestContext, Scratch,
    SourceHit, StageName, WhyNot,
};

/// A request after the first stage.
pub struct Retrieved<'a> {
    /// What the stages read.
    pub context: RequestContext<'a>,
    /// In retrieval order: by the blend's score of the user's taste; those without a score follow in the
    /// order of their sources.
    pub candidates: Vec<Candidate>,
    /// What each source said, in the pipeline's order.
    pub(crate) proposals: Vec<(StageName, Proposed)>,
    pub(crate) degraded: Vec<Degraded>,
    pub(crate) timings: Vec<StageTiming>,
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

/// The orders of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Orders<'a> {
    /// The ranker's.
    pub(crate) by_rank: &'a [Ranked],
    /// The same after the surface's rules.
    pub(crate) shown: &'a [Ranked],
    /// How many of it are shown.
    pub(crate) k: usize,
}

impl Orders<'_> {
    /// The rules that kept an item from the list, by its place in the ranker's order: the caps that it would have broken,
    /// or, if it ranked high enough, what moved others into the list from behind it.
    fn moved_by(self, order_rank: usize, arranged: &Arranged) -> Vec<String> {
        if let Some(caps) = arranged.held_back.get(&order_rank) {
            return vec![format!("held back by {caps}")];
        }
        if order_rank >= self.k {
            return Vec::new();
        }
        let ahead = arranged.placed.iter().filter(|placed| placed.from > order_rank);
        let mut rules: Vec<String> = ahead.flat_map(|placed| placed.moved_by.iter().cloned()).collect();
        rules.sort();
        rules.dedup();
        rules.into_iter().map(|rule| format!("behind what was {rule}")).collect()
    }
}

impl Retrieved<'_> {
    /// Makes candidates of the chosen items, in their order.
    pub(crate) fn score(&self, items: &[ItemIdx]) -> Vec<Candidate> {
        // In two steps: the fetches of all vectors overlap.
        let places = items.iter().map(|item| self.context.models.and_then(|models| models.vector(*item)));
        let vectors: Vec<_> = places.collect();
        let scored = items.iter().zip(&vectors).map(|(item, vector)| {
            let known = self.context.models.zip(self.context.taste.as_ref());
            let retrieval_score = known.and_then(|(models, taste)| models.score(taste, *item, vector.as_deref()));
            Candidate { item: *item, retrieval_score }
        });
        scored.collect()
    }

    /// The sources that proposed an item, in the pipeline's order.
    ///
    /// **Cost**: a look through all proposals; for the items that are shown.
    pub fn sources_of(&self, item: ItemIdx) -> Vec<SourceHit> {
        let hit = |(source, proposed): &(StageName, Proposed)| {
            let rank = proposed.items.iter().position(|proposed| *proposed == item)?;
            Some(SourceHit { source: *source, rank, score: proposed.scores.get(rank).copied() })
        };
        self.proposals.iter().filter_map(hit).collect()
    }

    /// What the first stage's models score an item by, retrieved or not; none if none of them knows it.
    pub fn retrieval_score(&self, item: ItemIdx) -> Option<Score> {
        let (models, taste) = self.context.models.zip(self.context.taste.as_ref())?;
        models.score(taste, item, models.vector(item).as_deref())
    }

    /// How likely each calibrated outcome of a ranked item is.
    pub(crate) fn probabilities(&self, ranked: &Ranked, scratch: &Scratch) -> Vec<(String, f32)> {
        let ranker = self.context.models.and_then(|models| models.ranker.as_ref());
        let Some(ranker) = ranker.filter(|_| ranked.by_ranker) else { return Vec::new() };
        let count = ranker.outcomes.len();
        let scores = scratch.outcomes.chunks_exact(count).nth(ranked.candidate).unwrap_or_default();
        let named = ranker.outcomes.iter().zip(scores).enumerate();
        named
            .filter_map(|(place, (outcome, score))| Some((outcome.name.clone(), ranker.probability(place, *score)?)))
            .collect()
    }

    /// What the order `ranked`, of which the first `k` are shown as they were `placed`, was decided by.
    pub(crate) fn decided(&self, ranked: &[Ranked], placed: &[Placed], k: usize, scratch: &Scratch) -> Decided {
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
                candidate.position = Some(place);
                // Without rules nothing is drawn: what is shown would always be.
                candidate.propensity = placed.get(place as usize).map_or(1.0, |placed| placed.propensity);
            }
        }
        let feature_schema = self.context.models.map_or(0, |models| models.features.fingerprint());
        Decided { candidates, feature_schema, features }
    }

    /// What became of an item in this request.
    pub(crate) fn why_not(&self, item_id: &ItemId, orders: Orders<'_>, arranged: &Arranged) -> WhyNot {
        let known = self.context.state.catalog().find(item_id.as_str());
        let fate = known.map_or(Fate::Unknown, |item| {
            let place_in =
                |order: &[Ranked]| order.iter().position(|ranked| self.candidates[ranked.candidate].item == item);
            match (place_in(orders.shown), self.context.dropped_by(item)) {
                (Some(rank), _) if rank < orders.k => Fate::Shown { rank },
                (Some(rank), _) => {
                    let order_rank = place_in(orders.by_rank).unwrap_or(rank);
                    let score = orders.shown[rank].score;
                    Fate::Behind { rank, score, order_rank, moved_by: orders.moved_by(order_rank, arranged) }
                }
                (None, Some(filter)) => Fate::Filtered(filter),
                (None, None) if self.sources_of(item).is_empty() => Fate::NotProposed,
                (None, None) => Fate::NotChosen,
            }
        });
        WhyNot { item_id: item_id.clone(), fate }
    }

    pub(crate) fn explain(&self, ranked: &Ranked, placed: Placed, scratch: &Scratch) -> Explanation {
        let candidate = &self.candidates[ranked.candidate];
        let told = self.contributions(ranked, scratch);
        let base_score = match &told {
            Some(Contributions::Exact { base, .. }) => Some(*base),
            Some(Contributions::Ablation(_)) | None => None,
        };
        Explanation {
            retrieval_score: candidate.retrieval_score,
            retrieval_rank: ranked.candidate,
            order_rank: placed.from,
            base_score,
            contributions: told.map(|told| self.named(told)).unwrap_or_default(),
            moved_by: placed.moved_by,
            propensity: placed.propensity,
        }
    }

    /// What each of the ranker's inputs did for a score that it gave.
    fn contributions(&self, ranked: &Ranked, scratch: &Scratch) -> Option<Contributions> {
        let models = self.context.models.filter(|_| ranked.by_ranker)?;
        let ranker = models.ranker.as_ref()?;
        let row = scratch.features.rows.chunks_exact(models.features.width()).nth(ranked.candidate)?;
        let has_ids = ranker.categories().is_some();
        let ids = if has_ids { scratch.categories.of_candidate(ranked.candidate) } else { Vec::new() };
        ranker.contributions(row, &ids).ok()
    }

    /// The same by name, the largest first.
    fn named(&self, told: Contributions) -> Vec<(String, f32)> {
        let Some(models) = self.context.models else { return Vec::new() };
        let encoders = models.ranker.as_ref().and_then(FittedRanker::categories);
        let categories = encoders.map(CategoryEncoders::categories).unwrap_or_default();
        let names = models.features.names().map(str::to_owned).chain(categories.into_iter().map(|one| one.name));
        let (Contributions::Exact { parts, .. } | Contributions::Ablation(parts)) = told;
        let mut named: Vec<_> = names.zip(parts).collect();
        named.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then_with(|| a.0.cmp(&b.0)));
        named
    }

    /// Makes the feature row of every candidate and of `others`, eligible items that retrieval did
    /// not return, as the ranker would read them.
    ///
    /// **Shapes**: (candidates + others) x [`shortlist_features::FeatureSchema::width`], row-major.
    pub fn feature_rows(&self, others: &[ItemIdx], scratch: &mut FeatureScratch) {
        let others = self.score(others);
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

    pub(crate) fn timed(&mut self, stage: &'static str, started: Instant) {
        let elapsed = started.elapsed();
        self.timings.push(StageTiming { stage: StageName(stage), started, elapsed, proposed: None });
    }
}
