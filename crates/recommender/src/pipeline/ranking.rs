//! The second stage: the ranker's order, and what its scores are.

use shortlist_types::{Budget, Score};

use super::Pipeline;
use crate::answer::RecommendedItem;
use crate::{Degraded, RankBy, Ranked, Retrieved, ScoreKind, Scratch, WANTED};

impl Pipeline {
    /// The second stage: the ranker's order, or retrieval order where it has nothing to say.
    pub fn rank(&self, retrieved: &mut Retrieved<'_>, budget: &dyn Budget, scratch: &mut Scratch) -> Vec<Ranked> {
        let context = &retrieved.context;
        // Nothing is known of the user: popularity is the honest order.
        let has_ranker = context.models.is_some_and(|models| models.ranker.is_some());
        if !has_ranker || context.user.is_empty() || self.config.rank_by == RankBy::Retrieval {
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
        if let (Some(value), Some(ranker)) = (&self.value, context.models.and_then(|models| models.ranker.as_ref())) {
            let Scratch { outcomes, scores, .. } = &mut *scratch;
            if !value.apply(ranker, outcomes, scores) {
                retrieved.degraded.push(Degraded::ValueUncalibrated);
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

    pub(super) fn score_kind(&self, items: &[RecommendedItem], degraded: &[Degraded]) -> ScoreKind {
        let is_wanted = |(outcome, _): &(String, f32)| outcome == WANTED;
        let probabilities = items.first().map(|item| item.probabilities.as_slice()).unwrap_or_default();
        let is_valued = self.value.is_some() && !degraded.contains(&Degraded::ValueUncalibrated);
        match (probabilities.is_empty(), is_valued) {
            (false, true) => ScoreKind::Value,
            (false, false) if probabilities.iter().any(is_wanted) => ScoreKind::Calibrated,
            _ => ScoreKind::Relative,
        }
    }
}

/// Candidates as retrieval left them; the score only says the place.
pub(super) fn retrieval_order(candidates: usize) -> Vec<Ranked> {
    let place = |candidate: usize| Score::parse(1.0 / (1.0 + candidate as f32)).unwrap_or(Score::ZERO);
    (0..candidates).map(|candidate| Ranked { candidate, score: place(candidate), by_ranker: false }).collect()
}
