use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use shortlist_embedding::EncoderScratch;
use shortlist_features::{FeatureState, FoldError};
use shortlist_store::{Assignment, BundleId};
use shortlist_types::{Budget, InvalidInput, ItemIdx, LogRecord, LogSeq, RequestId, Timestamp, UserId, UserIdx};

use crate::breakers::Breakers;
use crate::dial::Dial;
use crate::experiments::Running;
use crate::given_space::GivenSpace;
use crate::models::MET_AT_ONCE;
use crate::pages::{Order, Pages};
use crate::pipeline::Budgets;
use crate::search::search;
use crate::similar::{Similar, similar};
use crate::watch::Watched;
use crate::{
    Answer, Bundle, DEFAULT_SURFACE, Deadline, Experiments, Pipeline, Request, Scratch, StageName, SurfaceConfig,
    Surfaces, VectorQuery, Watch,
};

/// Users that a bundle answers before it serves.
const WARM_USERS: usize = 64;
/// Longest pause between two of them: a server that is told to stop waits for the rest.
const WARM_PAUSE_MAX: Duration = Duration::from_millis(10);
/// How long that may take, of each: it holds the state, as a request does.
const WARM_TIME_MAX: Duration = Duration::from_millis(50);
/// Items that each gets.
const K_WARM: usize = 20;
/// How long a reader stands behind a waiting writer.
const WRITER_FIRST: Duration = Duration::from_millis(5);

/// Why a question got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecommendError {
    /// The request itself cannot be taken.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// The order that a page was to continue is not kept.
    #[error("request_id: no order is kept of {request_id:?}")]
    UnknownPage {
        /// The name that was given.
        request_id: String,
    },
    /// The item asked about is not in the catalogue.
    #[error("item_id: no item is called {item_id:?}")]
    UnknownItem {
        /// The name that was given.
        item_id: String,
    },
}

/// What requests see of the learned world: each at most one bundle, as a whole.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The bundle that serves, if there is one.
    pub bundle: Option<Arc<Bundle>>,
    /// Those that variants of experiments serve from.
    pub held: BTreeMap<BundleId, Arc<Bundle>>,
}

impl Snapshot {
    /// All bundles that serve somebody.
    pub fn bundles(&self) -> impl Iterator<Item = &Arc<Bundle>> {
        self.bundle.iter().chain(self.held.values())
    }
}

/// The service's heart, shared by all requests: the fold's state, the current bundle, the pipeline.
pub struct Recommender {
    state: RwLock<FeatureState>,
    snapshot: ArcSwap<Snapshot>,
    given: GivenSpace,
    /// By surface.
    pipelines: BTreeMap<String, Pipeline>,
    /// By surface.
    experiments: BTreeMap<String, Running>,
    pages: Mutex<Pages>,
    breakers: Breakers,
    dial: Dial,
    /// Buffers of requests that are done; as many as ever ran at once.
    scratch: Mutex<Vec<Scratch>>,
}

/// By what a request is answered.
pub(crate) struct Way<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) bundle: Option<&'a Bundle>,
    /// Which variant of an experiment that is.
    assignment: Option<Assignment>,
}

impl Recommender {
    /// A recommender over a state, without a bundle.
    ///
    /// # Errors
    /// A surface with a field out of range.
    pub fn new(state: FeatureState, surfaces: &Surfaces) -> Result<Self, InvalidInput> {
        let pipelines = surfaces.iter().map(|(name, config)| Ok((name.to_owned(), Pipeline::new(config.clone())?)));
        let pipelines = pipelines.collect::<Result<_, InvalidInput>>()?;
        let given = GivenSpace::of(&state);
        let (state, snapshot) = (RwLock::new(state), ArcSwap::default());
        let (experiments, pages, breakers, dial, scratch) = Default::default();
        Ok(Self { state, snapshot, given, pipelines, experiments, pages, breakers, dial, scratch })
    }

    /// The same recommender with these experiments. The bundles that their variants serve from are to be given to
    /// [`Self::hold`]; who would be served from one that is missing is not in the experiment.
    ///
    /// # Errors
    /// A surface with a field out of range.
    pub fn with_experiments(mut self, experiments: &Experiments) -> Result<Self, InvalidInput> {
        let running = experiments.iter().map(|(name, experiment)| Running::new(name, experiment));
        let by_surface = running.map(|running| running.map(|running| (running.surface().to_owned(), running)));
        self.experiments = by_surface.collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// The same recommender with another pipeline for a surface.
    #[must_use]
    pub fn with_pipeline(mut self, surface: &str, pipeline: Pipeline) -> Self {
        self.pipelines.insert(surface.to_owned(), pipeline);
        self
    }

    /// What the surface called `name` is made of.
    ///
    /// # Errors
    /// There is none; the error lists those that there are.
    pub fn surface(&self, name: &str) -> Result<&SurfaceConfig, InvalidInput> {
        self.pipeline(name).map(Pipeline::config)
    }

    /// The names of all surfaces.
    pub fn surfaces(&self) -> impl Iterator<Item = &str> {
        self.pipelines.keys().map(String::as_str)
    }

    fn pipeline(&self, surface: &str) -> Result<&Pipeline, InvalidInput> {
        self.pipelines.get(surface).ok_or_else(|| {
            let known: Vec<&str> = self.pipelines.keys().map(String::as_str).collect();
            InvalidInput::new("surface", format!("unknown surface {surface:?}; known are {}", known.join(", ")))
        })
    }

    /// Serves from `bundle` from the next request on; running requests finish with the old one.
    pub fn swap(&self, bundle: Option<Arc<Bundle>>) {
        let held = self.snapshot.load().held.clone();
        self.see(Snapshot { bundle, held });
    }

    /// Answers some users of `home` from a bundle that does not serve yet: its pages are mapped and its models in the
    /// caches before the first request that counts. It takes this share of a core, above 0 and at most 1: beside requests a
    /// small one, so that they do not wait, but pauses for 10 ms a list at most. How many it answered.
    ///
    /// **Cost**: that of some 64 recommendations, each of which ends after 50 ms.
    pub fn warm(&self, bundle: &Bundle, now: Timestamp, share: f64) -> usize {
        let Ok(pipeline) = self.pipeline(DEFAULT_SURFACE) else { return 0 };
        let users = self.read(|state| state.users().len());
        let mut answered = 0;
        for number in (0..users).step_by(users.div_ceil(WARM_USERS).max(1)) {
            let began = Instant::now();
            self.with_scratch(|scratch| {
                let state = self.guard();
                let user_id = u32::try_from(number).ok().and_then(|number| state.user_id(UserIdx(number)));
                let Some(user_id) = user_id else { return };
                let request = Request::of(user_id.clone(), K_WARM);
                let models = Some(&bundle.models);
                let deadline = Deadline::after(WARM_TIME_MAX);
                let budgets = Budgets { retrieval: &deadline, all: &deadline };
                let answer =
                    pipeline.recommend_watched(&state, models, &request, now, budgets, &Watch::default(), scratch);
                match answer {
                    Ok(_) => answered += 1,
                    Err(error) => tracing::warn!(%error, "a bundle could not be warmed"),
                }
            });
            let rest = (1.0 / share - 1.0).clamp(0.0, 1_000.0);
            std::thread::sleep(began.elapsed().mul_f64(rest).min(WARM_PAUSE_MAX));
        }
        answered
    }

    /// Keeps a bundle at hand for the variants that serve from it.
    pub fn hold(&self, bundle: Arc<Bundle>) {
        let mut snapshot = Snapshot::clone(&self.snapshot.load());
        snapshot.held.insert(bundle.id.clone(), bundle);
        self.see(snapshot);
    }

    /// Lets requests see these bundles from the next one on.
    ///
    /// Items that a bundle's training never met are placed by their attributes first, a few at a time, so that writers
    /// wait for no more than those.
    fn see(&self, snapshot: Snapshot) {
        for bundle in snapshot.bundles() {
            bundle.models.number_texts(&self.guard());
        }
        let spaces: Vec<_> = snapshot.bundles().filter_map(|bundle| bundle.models.space.as_ref()).collect();
        loop {
            let state = self.state.read();
            // The last ones and the swap under one guard: an item that is put later is placed as it comes.
            if spaces.iter().all(|space| space.meet(&state, MET_AT_ONCE)) {
                self.snapshot.store(Arc::new(snapshot.clone()));
                return;
            }
            drop(state);
            // New items by the thousand go into the index before there are too many to scan.
            spaces.iter().for_each(|space| space.keep_fast());
        }
    }

    /// What requests see now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Applies records that are durable, in log order.
    ///
    /// # Errors
    /// A record out of sequence; the records before it are applied.
    pub fn apply(&self, records: &[(LogSeq, LogRecord)]) -> Result<(), FoldError> {
        let mut state = self.state.write();
        let snapshot = self.snapshot.load();
        let mut scratch = EncoderScratch::default();
        records.iter().try_for_each(|(log_seq, record)| {
            state.apply(*log_seq, record)?;
            // A new item has a place among the others before its put is acknowledged.
            self.given.follow(&state, record);
            snapshot.bundles().for_each(|bundle| bundle.models.follow(&state, record, &mut scratch));
            Ok(())
        })
    }

    /// Forgets a user whose records were erased. Called on the log's writer thread, like
    /// [`Self::apply`], so that it stands in order with his later events.
    pub fn forget(&self, user_id: &UserId) {
        self.state.write().forget(user_id.as_str());
    }

    /// Reads the state under the guard that requests use: keep it short.
    pub fn read<R>(&self, read: impl FnOnce(&FeatureState) -> R) -> R {
        read(&self.guard())
    }

    /// Which k items should this user see now?
    ///
    /// # Errors
    /// [`RecommendError::Invalid`], an item or a page that is not there.
    pub fn recommend(&self, request: &Request, now: Timestamp, budget: &dyn Budget) -> Result<Answer, RecommendError> {
        self.answer(request, now, Budgets { retrieval: budget, all: budget }, &Watch::default())
    }

    /// How the request that comes next is to be worked on, by who waits for it; `waited` is how long it stood in the
    /// queue, `behind` whether others went before it.
    pub fn watch(&self, waited: Duration, behind: bool) -> Watch {
        let effort = if behind { self.dial.turn_behind(waited) } else { self.dial.turn(waited) };
        Watch::new(self.breakers.skipped(Instant::now()), effort)
    }

    /// Part of the usual work that requests do now: below 1 where the service is busy.
    pub fn effort(&self) -> f64 {
        self.dial.effort()
    }

    /// The same as [`Self::recommend`], for somebody who may answer from the watch before it is done.
    ///
    /// # Errors
    /// As [`Self::recommend`].
    pub fn recommend_watched(
        &self,
        request: &Request,
        now: Timestamp,
        deadline: Deadline,
        watch: &Watch,
    ) -> Result<Answer, RecommendError> {
        let snapshot = self.snapshot.load();
        let share = self.way(request, &snapshot)?.pipeline.config().retrieval_share;
        let all = Watched { deadline, watch };
        let answer = self.answer(request, now, Budgets { retrieval: &all.part(share), all: &all }, watch)?;
        // What came after its caller had left did not come back in time.
        if watch.was_left() {
            return Ok(answer);
        }
        for stage in self.breakers.came_back(watch.skipped()) {
            tracing::info!(%stage, "the stage comes back in time and is asked again");
        }
        Ok(answer)
    }

    /// Somebody answered without waiting for this stage; `true` if it is skipped from now on.
    pub fn left_behind(&self, stage: StageName) -> bool {
        let opens = self.breakers.left_behind(stage, Instant::now());
        if opens {
            tracing::error!(%stage, "the stage did not come back for three requests in a row and is left out for now");
        }
        opens
    }

    fn answer(
        &self,
        request: &Request,
        now: Timestamp,
        budgets: Budgets<'_>,
        watch: &Watch,
    ) -> Result<Answer, RecommendError> {
        let snapshot = self.snapshot.load();
        let Way { pipeline, bundle, assignment } = self.way(request, &snapshot)?;
        let order = request.page.as_ref().map(|page| self.order(request, &page.request_id)).transpose()?;
        let models = bundle.map(|bundle| &bundle.models);
        let bundle = bundle.map(|bundle| bundle.id.clone());
        watch.begin(bundle.clone(), assignment.clone());
        self.with_scratch(|scratch| {
            let state = self.guard();
            let mut answer = match &order {
                Some(order) => pipeline.page(&state, models, request, order.items.clone(), now, scratch)?,
                None => pipeline.recommend_watched(&state, models, request, now, budgets, watch, scratch)?,
            };
            if order.is_some() && answer.items.len() < request.k {
                // The order ends here: what could come next is asked for, and goes behind what was shown.
                let more = pipeline.recommend_watched(&state, models, request, now, budgets, watch, scratch)?;
                let known: HashSet<ItemIdx> = answer.order.iter().map(|(item, _)| *item).collect();
                let new = more.order.into_iter().filter(|(item, _)| !known.contains(item));
                let items = answer.order.into_iter().chain(new).collect();
                let page = pipeline.page(&state, models, request, items, now, scratch)?;
                answer = Answer { degraded: more.degraded, timings: more.timings, ..page };
            }
            drop(state);
            let name = request.page.as_ref().map(|page| &page.request_id).or(request.request_id.as_ref());
            let items = std::mem::take(&mut answer.order);
            if let Some(name) = name.filter(|_| !items.is_empty()) {
                let (user_id, surface) = (request.user_id.clone(), request.surface.clone());
                self.pages.lock().keep(name.clone(), Order { user_id, surface, items });
            }
            Ok(Answer { bundle, assignment, ..answer })
        })
    }

    /// How a request is answered: as its surface says, or as its user's variant does.
    pub(crate) fn way<'a>(&'a self, request: &Request, snapshot: &'a Snapshot) -> Result<Way<'a>, InvalidInput> {
        let pipeline = self.pipeline(&request.surface)?;
        let usual = Way { pipeline, bundle: snapshot.bundle.as_deref(), assignment: None };
        let running = self.experiments.get(&request.surface);
        let arm = running.zip(request.user_id.as_ref()).and_then(|(running, user_id)| running.arm(user_id));
        let Some(arm) = arm else { return Ok(usual) };
        let bundle = match arm.bundle.map(|id| snapshot.held.get(id)) {
            None => usual.bundle,
            Some(Some(held)) => Some(held.as_ref()),
            Some(None) => return Ok(usual),
        };
        Ok(Way { pipeline: arm.pipeline.unwrap_or(pipeline), bundle, assignment: Some(arm.assignment) })
    }

    /// The state, to read. Readers stand behind a waiting writer for a moment, as is fair; not for long, since a writer
    /// that waits for a reader which does not come back must not hold up all others.
    pub(crate) fn guard(&self) -> RwLockReadGuard<'_, FeatureState> {
        self.state.try_read_for(WRITER_FIRST).unwrap_or_else(|| self.state.read_recursive())
    }

    /// The order that a page continues: of the same user, on the same surface.
    fn order(&self, request: &Request, of: &RequestId) -> Result<Arc<Order>, RecommendError> {
        let unknown = || RecommendError::UnknownPage { request_id: of.to_string() };
        let order = self.pages.lock().find(of).ok_or_else(unknown)?;
        let is_same = order.user_id == request.user_id && order.surface == request.surface;
        if is_same { Ok(order) } else { Err(unknown()) }
    }

    /// Which k items are most like this one?
    ///
    /// # Errors
    /// A bad k, or an item that is not in the catalogue.
    pub fn similar(&self, item_id: &str, k: usize, budget: &dyn Budget) -> Result<Similar, RecommendError> {
        let snapshot = self.snapshot.load();
        self.with_scratch(|scratch| {
            let bundle = snapshot.bundle.as_ref();
            let models = bundle.map(|bundle| &bundle.models);
            let answer = similar(&self.guard(), models, item_id, k, budget, scratch)?;
            Ok(Similar { bundle: bundle.map(|bundle| bundle.id.clone()), ..answer })
        })
    }

    /// Which items' own embeddings are nearest to this vector?
    ///
    /// # Errors
    /// A bad k, or a vector of other dimensions than the embeddings.
    pub fn search(&self, query: &VectorQuery, budget: &dyn Budget) -> Result<Similar, RecommendError> {
        self.with_scratch(|scratch| search(&self.guard(), &self.given, query, budget, scratch))
    }

    /// Freezes what was placed lately into the indexes, where there is enough of it, so that searches stay fast.
    /// Whoever owns the threads calls this now and then; it takes one of them.
    pub fn keep_fast(&self) {
        self.given.keep_fast();
        self.snapshot().bundles().filter_map(|bundle| bundle.models.space.as_ref()).for_each(|space| space.keep_fast());
    }

    fn with_scratch<R>(&self, work: impl FnOnce(&mut Scratch) -> R) -> R {
        let mut scratch = self.scratch.lock().pop().unwrap_or_default();
        let result = work(&mut scratch);
        self.scratch.lock().push(scratch);
        result
    }
}
