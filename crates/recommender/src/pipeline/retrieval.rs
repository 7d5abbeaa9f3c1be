//! The first stage: sources, and the merge of what they propose.

use std::collections::HashSet;
use std::time::Instant;

use foldhash::fast::FixedState;
use shortlist_features::FeatureState;
use shortlist_types::{Budget, ItemIdx, Timestamp, Unlimited};

use super::Pipeline;
use super::ranking::retrieval_order;
use crate::answer::StageTiming;
use crate::sources::{PINNED, Proposed};
use crate::surface::portion;
use crate::{
    Answer, Candidate, Degraded, Models, RecommendError, Request, Retrieved, Scratch, Source, SourceKind, StageName,
    Watch,
};

/// What a neighbour search looked for, and what it found.
pub(crate) struct Neighbours {
    pub(crate) query: Vec<f32>,
    pub(crate) found: Vec<ItemIdx>,
    /// Items that it looked for.
    pub(crate) quota: usize,
}

impl Pipeline {
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
    ) -> Result<Retrieved<'a>, RecommendError> {
        self.retrieve_watched(state, models, request, now, budget, &Watch::default(), scratch)
    }

    #[allow(clippy::too_many_arguments)] // as above
    pub(super) fn retrieve_watched<'a>(
        &'a self,
        state: &'a FeatureState,
        models: Option<&'a Models>,
        request: &Request,
        now: Timestamp,
        budget: &dyn Budget,
        watch: &Watch,
        scratch: &mut Scratch,
    ) -> Result<Retrieved<'a>, RecommendError> {
        request.check()?;
        let started = Instant::now();
        let mut context = self.context(state, models, request, now, scratch)?;
        context.effort = watch.effort();
        let (candidates, proposals, degraded, timings) = Default::default();
        let mut retrieved = Retrieved { context, candidates, proposals, degraded, timings };
        retrieved.timed("user_vector", started);
        if models.is_none() {
            retrieved.degraded.push(Degraded::NoBundle);
        }
        if watch.effort() < 1.0 {
            retrieved.degraded.push(Degraded::Brownout);
        }
        watch.publish(|| self.popular(&mut retrieved, request.k));
        let usual = self.config.candidates(state.catalog().len(), request.reach());
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a part of it
        let total = ((usual as f64 * watch.effort()) as usize).max(request.reach());
        let mut proposals = Vec::with_capacity(self.sources.len());
        for (source, _) in &self.sources {
            let name = source.name();
            if watch.skips(name) {
                retrieved.degraded.push(Degraded::SourceSkipped);
                proposals.push((name, Proposed::default()));
                continue;
            }
            let started = Instant::now();
            watch.enter(Some(name));
            let proposed = source.propose(&retrieved.context, total, budget, scratch);
            let (elapsed, items) = (started.elapsed(), Some(proposed.items.len()));
            retrieved.timings.push(StageTiming { stage: name, started, elapsed, proposed: items });
            retrieved.degraded.extend(proposed.degraded);
            proposals.push((name, proposed));
        }
        watch.enter(None);
        let started = Instant::now();
        let items = self.share_out(&proposals, total);
        retrieved.candidates = in_retrieval_order(retrieved.score(&items));
        retrieved.proposals = proposals;
        retrieved.timed("merge", started);
        Ok(retrieved)
    }

    /// What the neighbour search of a request looks for and finds; none if it has none.
    pub(crate) fn neighbours(
        &self,
        state: &FeatureState,
        models: &Models,
        request: &Request,
        now: Timestamp,
        scratch: &mut Scratch,
    ) -> Result<Option<Neighbours>, RecommendError> {
        let is_ann = |source: &&(Box<dyn Source>, f64)| source.0.name().0 == SourceKind::Ann.name();
        let Some((ann, _)) = self.sources.iter().find(is_ann) else { return Ok(None) };
        let context = self.context(state, Some(models), request, now, scratch)?;
        let query = context.taste.as_ref().and_then(|taste| taste.query.as_ref());
        let Some(query) = query.map(|query| query.as_slice().to_vec()) else { return Ok(None) };
        let quota = self.config.candidates(state.catalog().len(), request.reach());
        let found = ann.propose(&context, quota, &Unlimited, scratch).items;
        Ok(Some(Neighbours { query, found, quota }))
    }

    /// The eligible items of the popularity board: what there is to say before any source came back.
    fn popular(&self, retrieved: &mut Retrieved<'_>, k: usize) -> Answer {
        let context = &retrieved.context;
        let board = context.state.popular().filter(|item| context.is_eligible(*item)).take(k);
        let candidate = |item| Candidate { item, retrieval_score: None };
        retrieved.candidates = board.map(candidate).collect();
        let answer = self.early(retrieved, &retrieval_order(retrieved.candidates.len()), Degraded::SourceTimeout);
        retrieved.candidates.clear();
        answer
    }

    /// Chooses at most `total` of the proposed items: every source first fills its own share, what is left
    /// over goes to the sources in order. They come in the order of the sources, pins last.
    fn share_out(&self, proposals: &[(StageName, Proposed)], total: usize) -> Vec<ItemIdx> {
        let mut chosen: HashSet<ItemIdx, FixedState> = HashSet::with_capacity_and_hasher(total, FixedState::default());
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
        // A pin has its place anyway: where order is all that is known, it must not lead those that earned theirs.
        let (pinned, others): (Vec<_>, Vec<_>) = proposals.iter().partition(|(name, _)| *name == PINNED);
        let all = others.into_iter().chain(pinned).flat_map(|(_, proposed)| proposed.items.iter().copied());
        all.filter(|item| chosen.remove(item)).collect()
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
