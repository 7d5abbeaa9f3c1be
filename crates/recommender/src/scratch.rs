use std::time::Instant;

use shortlist_embedding::TasteScratch;
use shortlist_features::FeatureScratch;
use shortlist_ranking::ScoringScratch;
use shortlist_retrieval::SearchScratch;

use crate::{CategoryIds, Retrieved};

/// Buffers that one request uses and the next one reuses.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) taste: TasteScratch,
    pub(crate) search: SearchScratch,
    /// Feature rows of the candidates.
    pub(crate) features: FeatureScratch,
    /// Ids of the candidates' categories.
    pub(crate) categories: CategoryIds,
    /// Of a network's layers.
    pub(crate) scoring: ScoringScratch,
    /// Candidates x outcomes, as the model gave them.
    pub(crate) outcomes: Vec<f32>,
    /// One raw score per candidate.
    pub(crate) scores: Vec<f32>,
    /// When the ranker's features began, and when they were there.
    pub(crate) features_made: Option<(Instant, Instant)>,
}

impl Scratch {
    /// Takes the buffers of a request that is done.
    pub fn reuse(&mut self, done: Retrieved<'_>) {
        if let Some(taste) = done.context.taste {
            self.taste.reuse(taste);
        }
    }

    /// Where a ranker leaves its scores, one per candidate, in order.
    pub fn scores_mut(&mut self) -> &mut Vec<f32> {
        &mut self.scores
    }
}
