mod ranking;
mod replayed;
mod retrieval;

use std::sync::Arc;
use std::time::Instant;

use shortlist_features::FeatureState;
use shortlist_types::{Budget, InvalidInput, ItemIdx, RequestId, Score, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

use self::ranking::retrieval_order;
pub(crate) use self::retrieval::Neighbours;
use crate::answer::{RecommendedItem, StageTiming};
use crate::filters::{Asked, Excluded, Safety, Seen, Standing, Unavailable};
use crate::rerank::{Arranged, ListPlan, Placed, Reranker};
use crate::retrieved::Orders;
use crate::sources::{Ann, Fresh, Given, ItemToItem, Pinned, Popular, Trending, TrendingAlike};
use crate::surface::ValueModel;
use crate::{
    Answer, Degraded, Expression, FeatureRanker, Filter, FilterConfig, Models, Ranked, Ranker, RecommendError, Request,
    RequestContext, Retrieved, Scratch, Source, SourceConfig, SourceKind, StageName, SurfaceConfig, Watch,
};

/// The stages of a recommendation and the one way through them.
pub struct Pipeline {
    config: SurfaceConfig,
    value: Option<ValueModel>,
    /// In the order in which they fill the candidate list, each with its share of it.
    sources: Vec<(Box<dyn Source>, f64)>,
    filters: Vec<Box<dyn Filter>>,
    ranker: Box<dyn Ranker>,
    reranker: Option<Arc<Reranker>>,
}

/// What a request's stages may use.
#[derive(Clone, Copy)]
pub(crate) struct Budgets<'a> {
    /// All sources together.
    pub(crate) retrieval: &'a dyn Budget,
    /// Everything.
    pub(crate) all: &'a dyn Budget,
}

impl Default for Pipeline {
    /// That of `home`, as it is shipped.
    fn default() -> Self {
        Self::of(SurfaceConfig::home(), None, None, None)
    }
}

/// A source, and the share of the candidates that it may take.
fn source(kind: SourceKind, config: &SourceConfig) -> (Box<dyn Source>, f64) {
    let source: Box<dyn Source> = match kind {
        // What the caller proposes is what he wants judged: it goes first, whatever its share.
        SourceKind::Given => return (Box::new(Given), 1.0),
        SourceKind::Ann => Box::new(Ann { effort: config.effort() }),
        SourceKind::ItemToItem => Box::new(ItemToItem),
        SourceKind::Trending => Box::new(Trending),
        SourceKind::TrendingAlike => Box::new(TrendingAlike { attribute: config.attribute().to_owned() }),
        SourceKind::Popular => Box::new(Popular),
        SourceKind::Fresh => Box::new(Fresh { days: config.days() }),
    };
    (source, config.share)
}

impl Pipeline {
    /// The pipeline of a surface.
    ///
    /// # Errors
    /// A field of it out of range.
    pub fn new(config: SurfaceConfig) -> Result<Self, InvalidInput> {
        config.check()?;
        let (standing, value) = (config.filters.expression()?, ValueModel::parse(&config.value)?);
        let reranker = Reranker::parse(&config.rerank)?.map(Arc::new);
        Ok(Self::of(config, standing, value, reranker))
    }

    fn of(
        config: SurfaceConfig,
        standing: Option<Expression>,
        value: Option<ValueModel>,
        reranker: Option<Arc<Reranker>>,
    ) -> Self {
        let pinned = reranker.iter().filter(|_| !config.rerank.pins.is_empty());
        let pinned = pinned.map(|reranker| (Box::new(Pinned(Arc::clone(reranker))) as Box<dyn Source>, 1.0));
        let sources = pinned.chain(config.sources.iter().map(|(kind, config)| source(*kind, config))).collect();
        let FilterConfig { seen, safety, .. } = &config.filters;
        let mut filters: Vec<Box<dyn Filter>> = vec![Box::new(Unavailable), Box::new(Excluded)];
        if *seen {
            filters.push(Box::new(Seen));
        }
        if !safety.is_empty() {
            filters.push(Box::new(Safety { most: safety.clone() }));
        }
        filters.extend(standing.map(|expression| Box::new(Standing(expression)) as Box<dyn Filter>));
        filters.push(Box::new(Asked));
        Self { config, value, sources, filters, ranker: Box::new(FeatureRanker), reranker }
    }

    /// The same pipeline with another second stage.
    #[must_use]
    pub fn with_ranker(self, ranker: Box<dyn Ranker>) -> Self {
        Self { ranker, ..self }
    }

    /// The same pipeline with a source more, which may take this share.
    #[must_use]
    pub fn with_source(mut self, source: Box<dyn Source>, share: f64) -> Self {
        self.sources.push((source, share));
        self
    }

    /// Its surface.
    pub fn config(&self) -> &SurfaceConfig {
        &self.config
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
    ) -> Result<Answer, RecommendError> {
        let budgets = Budgets { retrieval: budget, all: budget };
        self.recommend_watched(state, models, request, now, budgets, &Watch::default(), scratch)
    }

    /// The same, while somebody watches who may answer before it is done.
    #[allow(clippy::too_many_arguments)] // what a request reads, what it may use, and who looks on
    pub(crate) fn recommend_watched(
        &self,
        state: &FeatureState,
        models: Option<&Models>,
        request: &Request,
        now: Timestamp,
        budgets: Budgets<'_>,
        watch: &Watch,
        scratch: &mut Scratch,
    ) -> Result<Answer, RecommendError> {
        let mut retrieved = self.retrieve_watched(state, models, request, now, budgets.retrieval, watch, scratch)?;
        watch.publish(|| {
            let mut order = retrieval_order(retrieved.candidates.len());
            self.rerank(&retrieved, &mut order, ListPlan { diversity: false, ..ListPlan::first(request.k) });
            order.truncate(request.k);
            self.early(&retrieved, &order, Degraded::RankerTimeout)
        });
        let mut started = Instant::now();
        scratch.features_made = None;
        watch.enter(Some(self.ranker.name()));
        let mut ranked = if watch.skips(self.ranker.name()) {
            retrieved.degraded.push(Degraded::RankerSkipped);
            retrieval_order(retrieved.candidates.len())
        } else {
            self.rank(&mut retrieved, budgets.all, scratch)
        };
        watch.enter(None);
        if let Some((began, made)) = scratch.features_made {
            let elapsed = made.duration_since(began);
            let stage = StageName("features");
            retrieved.timings.push(StageTiming { stage, started: began, elapsed, proposed: None });
            started = made;
        }
        retrieved.timed("ranking", started);
        let started = Instant::now();
        let asks = !request.why_not.is_empty();
        // A page continues an order that was drawn before.
        let seed = request.request_id.as_ref().filter(|_| request.page.is_none()).map(seed_of);
        let plan = ListPlan { seed, explain: request.explain || asks, ..ListPlan::first(request.k) };
        let by_rank = if asks { ranked.clone() } else { Vec::new() };
        let arranged = self.rerank(&retrieved, &mut ranked, plan);
        if self.reranker.is_some() {
            retrieved.timed("rerank", started);
        }
        let orders = Orders { by_rank: &by_rank, shown: &ranked, k: request.k };
        let why_not = request.why_not.iter().map(|item_id| retrieved.why_not(item_id, orders, &arranged)).collect();
        let decided = request.keep.then(|| retrieved.decided(&ranked, &arranged.placed, request.k, scratch));
        let order = ranked.iter().map(|ranked| (retrieved.candidates[ranked.candidate].item, ranked.score)).collect();
        ranked.truncate(request.k);
        let items = self.present(&retrieved, &ranked, request.explain.then_some(&arranged.placed), scratch);
        let score_kind = self.score_kind(&items, &retrieved.degraded);
        let (mut degraded, timings) = (std::mem::take(&mut retrieved.degraded), std::mem::take(&mut retrieved.timings));
        scratch.reuse(retrieved);
        degraded.sort_unstable();
        degraded.dedup();
        let log_seq = state.log_seq();
        Ok(Answer { items, score_kind, order, log_seq, degraded, timings, why_not, decided, ..Answer::default() })
    }

    /// Gives the planned places of the order to the items that the surface's rules want there; the others keep
    /// their order behind them. Returns who stands there now, and why; nothing without rules.
    fn rerank(&self, retrieved: &Retrieved<'_>, ranked: &mut Vec<Ranked>, plan: ListPlan) -> Arranged {
        let Some(reranker) = &self.reranker else { return Arranged::default() };
        let item = |ranked: &Ranked| (retrieved.candidates[ranked.candidate].item, ranked.score.get());
        let order: Vec<_> = ranked.iter().map(item).collect();
        let arranged = reranker.arrange(&retrieved.context, &order, plan);
        *ranked = first_placed(std::mem::take(ranked), &arranged.placed);
        arranged
    }

    /// The first `k` of the ranker's order as they are shown: under the surface's rules, with nothing drawn at random.
    pub fn list(&self, retrieved: &Retrieved<'_>, ranked: &[Ranked], k: usize) -> Vec<Ranked> {
        let mut list = ranked.to_vec();
        self.rerank(retrieved, &mut list, ListPlan::first(k));
        list.truncate(k);
        list
    }

    /// What could be answered before a stage came back.
    fn early(&self, retrieved: &Retrieved<'_>, order: &[Ranked], reason: Degraded) -> Answer {
        let mut degraded: Vec<_> = retrieved.degraded.iter().copied().chain([reason]).collect();
        degraded.sort_unstable();
        degraded.dedup();
        let items = self.present(retrieved, order, None, &Scratch::default());
        let log_seq = retrieved.context.state.log_seq();
        Answer { items, degraded, log_seq, timings: retrieved.timings.clone(), ..Answer::default() }
    }

    /// What the stages read of a request.
    pub(crate) fn context<'a>(
        &'a self,
        state: &'a FeatureState,
        models: Option<&'a Models>,
        request: &Request,
        now: Timestamp,
        scratch: &mut Scratch,
    ) -> Result<RequestContext<'a>, RecommendError> {
        RequestContext::gather(state, models, self.config.about, &self.filters, request, now, &mut scratch.taste)
    }

    /// A page of an order that was decided before, with that order: what may no longer be shown leaves it from the
    /// page on, so that the next page begins where this one ends.
    ///
    /// # Errors
    /// As [`Self::recommend`].
    pub(crate) fn page(
        &self,
        state: &FeatureState,
        models: Option<&Models>,
        request: &Request,
        mut order: Vec<(ItemIdx, Score)>,
        now: Timestamp,
        scratch: &mut Scratch,
    ) -> Result<Answer, RecommendError> {
        request.check()?;
        let context = self.context(state, models, request, now, scratch)?;
        let offset = request.page.as_ref().map_or(0, |page| page.offset).min(order.len());
        let mut left: Vec<_> = order.drain(offset..).filter(|(item, _)| context.is_eligible(*item)).collect();
        if let Some(reranker) = &self.reranker {
            let scored: Vec<_> = left.iter().map(|(item, score)| (*item, score.get())).collect();
            let plan = ListPlan { offset, ..ListPlan::first(request.k) };
            left = first_placed(left, &reranker.arrange(&context, &scored, plan).placed);
        }
        order.extend(left);
        let items = order.iter().enumerate().skip(offset).take(request.k).filter_map(|(rank, (item, score))| {
            let item_id = state.catalog().get(*item)?.id.clone();
            let (probabilities, sources) = Default::default();
            Some(RecommendedItem { item_id, score: *score, rank, probabilities, sources, explanation: None })
        });
        Ok(Answer { items: items.collect(), order, log_seq: state.log_seq(), ..Answer::default() })
    }

    fn present(
        &self,
        retrieved: &Retrieved<'_>,
        ranked: &[Ranked],
        explain: Option<&Vec<Placed>>,
        scratch: &Scratch,
    ) -> Vec<RecommendedItem> {
        let catalog = retrieved.context.state.catalog();
        let in_order = ranked.iter().enumerate();
        let items = in_order.filter_map(|(rank, ranked)| {
            let candidate = &retrieved.candidates[ranked.candidate];
            let item_id = catalog.get(candidate.item)?.id.clone();
            let explanation = explain.map(|placed| {
                let as_ranked = Placed { from: rank, moved_by: Vec::new(), propensity: 1.0 };
                let placed = placed.get(rank).cloned().unwrap_or(as_ranked);
                retrieved.explain(ranked, placed, scratch)
            });
            Some(RecommendedItem {
                item_id,
                score: ranked.score,
                rank,
                probabilities: retrieved.probabilities(ranked, scratch),
                sources: retrieved.sources_of(candidate.item),
                explanation,
            })
        });
        items.collect()
    }
}

/// What is drawn for a request depends on its name alone.
fn seed_of(request_id: &RequestId) -> u64 {
    xxh3_64(request_id.as_str().as_bytes())
}

/// An order whose first places are given to some of it; the others keep theirs behind them.
fn first_placed<T>(order: Vec<T>, placed: &[Placed]) -> Vec<T> {
    let mut left: Vec<Option<T>> = order.into_iter().map(Some).collect();
    let mut arranged: Vec<T> = placed.iter().filter_map(|placed| left[placed.from].take()).collect();
    arranged.extend(left.into_iter().flatten());
    arranged
}
