use std::collections::HashSet;

use shortlist_retrieval::{Allowed, SearchParams, SearchScratch};
use shortlist_types::{ItemIdx, Timestamp, Unlimited};

use crate::pipeline::Neighbours;
use crate::{RecommendError, Recommender, Request, Scratch};

/// Exact neighbours that are found beyond those that are compared: what filters take away of them.
const SPARE: usize = 2_000;

impl Recommender {
    /// The share of the true nearest eligible items that the neighbour search finds for a request, as it is asked and
    /// searched for now; none where there is nothing to compare: no user vector, no neighbour source, or filters that
    /// leave fewer items than were asked for.
    ///
    /// **Cost**: a scan of all vectors, 60 ms at a million of 64 dimensions; the state is held for as long as a usual
    /// search takes, and not during the scan. Off the hot path.
    ///
    /// # Errors
    /// As [`Self::recommend`].
    pub fn ann_recall(&self, request: &Request, now: Timestamp) -> Result<Option<f64>, RecommendError> {
        let snapshot = self.snapshot();
        let way = self.way(request, &snapshot)?;
        let Some(models) = way.bundle.map(|bundle| &bundle.models) else { return Ok(None) };
        let Some(space) = &models.space else { return Ok(None) };
        let mut scratch = Scratch::default();
        let neighbours = way.pipeline.neighbours(&self.guard(), models, request, now, &mut scratch)?;
        let Some(Neighbours { query, found, quota }) = neighbours else { return Ok(None) };
        let params = SearchParams::exact(quota + SPARE);
        let nearest = space.search(&query, params, Allowed::All, &Unlimited, &mut SearchScratch::default());
        let Ok(nearest) = nearest else { return Ok(None) };
        let state = self.guard();
        let context = way.pipeline.context(&state, Some(models), request, now, &mut scratch)?;
        let truth = nearest.neighbors.iter().map(|neighbour| neighbour.item);
        let truth = truth.filter(|item| context.is_eligible(*item));
        let truth: Vec<ItemIdx> = truth.take(quota).collect();
        let found: HashSet<ItemIdx> = found.into_iter().collect();
        if truth.len() < quota {
            return Ok(None);
        }
        Ok(Some(truth.iter().filter(|item| found.contains(item)).count() as f64 / quota as f64))
    }
}
