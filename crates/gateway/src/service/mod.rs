//! The service itself, without a word of HTTP or gRPC.
//!
//! Every request takes a place first ([`Service::admit`]): one semaphore below both protocols, and
//! no queue before it. CPU work runs on the workers; the I/O thread waits for it until the deadline.

mod catalog;
mod erasure;
mod lists;
mod observed;
mod questions;
mod rows;
mod writes;

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::counter;
use shortlist_recommender::{DurableState, Recommender};
use shortlist_store::{LogWriter, ServedLog, Store};
use shortlist_types::EventTypes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::api::{NO_BUNDLE, Readiness};
use crate::api_error::ApiError;
use crate::call::{Call, Patience};
use crate::limits::{ERASURES_MAX, LOW_PLACES_SHARE_MAX, LOW_WAIT_SHARE_MAX, WAIT_SHARE_MAX};
use crate::metric::SHED;
use crate::priority::Priority;
use crate::recall_probe::RecallProbe;
use crate::received::Received;
use crate::stand_back::behind;
use crate::trace::{self, Traces};
use crate::workers::Workers;
use crate::{GatewayConfig, GatewayError, TelemetryConfig};
use observed::{BundleAge, SurfaceNames};

pub(crate) use rows::{Row, Rows};

/// What a service is made of. The writer's `apply` must feed the same recommender, so that what is
/// acknowledged is seen by the next question.
#[derive(Clone)]
pub struct Parts {
    /// Answers questions.
    pub recommender: Arc<Recommender>,
    /// Takes writes.
    pub writer: Arc<LogWriter>,
    /// Where the recommender's state lasts.
    pub state: DurableState,
    /// Keeps a share of the requests, if any are to be kept.
    pub served: Option<Arc<ServedLog>>,
}

/// Answers questions from a [`Recommender`] and hands writes to a [`LogWriter`].
pub struct Service {
    parts: Parts,
    event_types: Arc<EventTypes>,
    /// What the state was made by.
    state_schema: Arc<str>,
    /// What is counted by surface.
    surfaces: SurfaceNames,
    bundle_age: BundleAge,
    places: Arc<Semaphore>,
    places_max: usize,
    /// Of these, how many may be taken when a request of low priority comes.
    low_places_max: usize,
    workers: Workers,
    /// Erases users, one after the other.
    eraser: Workers,
    erasures: Arc<Semaphore>,
    /// Does what administrators ask for, one after the other.
    administrator: Workers,
    /// Looks now and then whether the neighbour search finds what there is.
    probe: Option<Arc<RecallProbe>>,
    traces: Traces,
    default_timeout: Duration,
    /// Longest expected wait for a thread that a request is admitted to, by its priority.
    wait_max: Duration,
    low_wait_max: Duration,
    shutdown_delay: Duration,
    idle_timeout: Duration,
    /// Whether it is.
    leaving: watch::Sender<bool>,
}

impl Service {
    /// A service over a loaded state.
    ///
    /// # Errors
    /// The system gives no threads.
    pub fn new(parts: Parts, config: &GatewayConfig) -> Result<Self, GatewayError> {
        observed::count_commits(&parts.writer);
        let event_types = Arc::new(parts.recommender.read(|state| state.event_types().clone()));
        Ok(Self {
            state_schema: parts.state.schema().into(),
            probe: RecallProbe::start(Arc::clone(&parts.recommender), config.recall_probe_every)?.map(Arc::new),
            surfaces: SurfaceNames::of(&parts.recommender),
            bundle_age: BundleAge::default(),
            parts,
            event_types,
            places: Arc::new(Semaphore::new(config.concurrency_max)),
            places_max: config.concurrency_max,
            low_places_max: (config.concurrency_max as f64 * LOW_PLACES_SHARE_MAX).ceil() as usize,
            workers: Workers::start(config.threads)?,
            eraser: Workers::start(1)?,
            erasures: Arc::new(Semaphore::new(ERASURES_MAX)),
            administrator: Workers::start(1)?,
            traces: Traces::default(),
            default_timeout: config.default_timeout(),
            wait_max: config.default_timeout().mul_f64(WAIT_SHARE_MAX),
            low_wait_max: config.default_timeout().mul_f64(LOW_WAIT_SHARE_MAX),
            shutdown_delay: config.shutdown_delay(),
            idle_timeout: config.idle_timeout(),
            leaving: watch::Sender::new(false),
        })
    }

    /// The same service, which traces what `config` says.
    #[must_use]
    pub fn with_telemetry(self, config: &TelemetryConfig) -> Self {
        Self { traces: Traces::new(config), ..self }
    }

    /// Which requests are traced.
    pub(crate) fn traces(&self) -> &Traces {
        &self.traces
    }

    /// Whether traffic should come here, and why not.
    pub fn readiness(&self) -> Readiness {
        let mut reasons = Vec::new();
        let writer = &self.parts.writer;
        let ingest = match (writer.is_healthy(), writer.is_full()) {
            (false, _) => "off",
            (true, true) => "disk_full",
            (true, false) => "on",
        };
        if ingest == "off" {
            reasons.push("ingest_off");
        }
        if *self.leaving.borrow() {
            reasons.push("shutting_down");
        }
        let bundle = self.parts.recommender.snapshot().bundle.as_ref().map(|bundle| bundle.id.to_string());
        Readiness {
            ready: reasons.is_empty(),
            bundle: bundle.unwrap_or_else(|| NO_BUNDLE.to_owned()),
            log_seq: self.log_seq(),
            ingest,
            reasons,
        }
    }

    /// From now on [`Self::readiness`] sends traffic elsewhere; what comes is still served.
    pub(crate) fn leave(&self) {
        self.leaving.send_replace(true);
    }

    /// Whether it is leaving.
    pub(crate) fn leaving(&self) -> watch::Receiver<bool> {
        self.leaving.subscribe()
    }

    /// For how long it goes on after that.
    pub(crate) fn shutdown_delay(&self) -> Duration {
        self.shutdown_delay
    }

    /// How long a connection may be idle.
    pub(crate) fn idle_timeout(&self) -> Duration {
        self.idle_timeout
    }

    /// Requests that were to be kept in the served log and were not.
    pub(crate) fn served_dropped(&self) -> u64 {
        self.parts.served.as_ref().map_or(0, |served| served.dropped())
    }

    /// Where everything lasts.
    pub(crate) fn store(&self) -> &Store {
        self.parts.state.store()
    }

    /// Records that wait for the log.
    pub(crate) fn log_waiting(&self) -> usize {
        self.parts.writer.waiting()
    }

    /// Requests and exposures that wait for the served log.
    pub(crate) fn served_waiting(&self) -> usize {
        self.parts.served.as_ref().map_or(0, |served| served.waiting())
    }

    /// Seconds since the bundle that serves was first published.
    pub(crate) fn bundle_age_seconds(&self) -> Option<f64> {
        let bundle = self.parts.recommender.snapshot().bundle.as_ref().map(|bundle| bundle.id.clone())?;
        self.bundle_age.seconds(&bundle, &self.store().registry(), Received::new().now)
    }

    fn log_seq(&self) -> u64 {
        self.parts.recommender.read(|state| state.log_seq().0)
    }

    /// Requests that wait for a thread.
    pub(crate) fn waiting(&self) -> usize {
        self.workers.waiting()
    }

    /// Requests that were admitted and are not done.
    pub(crate) fn admitted(&self) -> usize {
        self.places_max.saturating_sub(self.places.available_permits())
    }

    /// Part of the usual work that a request does now.
    pub(crate) fn effort(&self) -> f64 {
        self.parts.recommender.effort()
    }

    /// Gives a request its place, or refuses it at once: when all places are taken, or when its turn would come too
    /// late. One of low priority gets only what those of high priority leave over.
    pub(crate) fn admit(
        &self,
        received: Received,
        timeout: Option<Duration>,
        priority: Priority,
    ) -> Result<Call, ApiError> {
        let Some(place) = self.place(priority) else {
            counter!(SHED, "priority" => priority.name()).increment(1);
            return Err(ApiError::Overloaded);
        };
        Ok(Call { received, timeout, priority, _place: place })
    }

    fn place(&self, priority: Priority) -> Option<OwnedSemaphorePermit> {
        let (wait_max, places_max) = match priority {
            Priority::High => (self.wait_max, self.places_max),
            Priority::Low => (self.low_wait_max, self.low_places_max),
        };
        if self.workers.expected_wait(priority) > wait_max || self.admitted() >= places_max {
            return None;
        }
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Runs `work` on the workers and waits for it as long as the caller does. The work owns the
    /// call: the place is taken for as long as it runs.
    async fn work<T: Send + 'static>(
        &self,
        call: Call,
        patience: Patience,
        work: impl FnOnce(Call) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let (trace, handed_over) = (trace::current(), Instant::now());
        let traced = move |call: Call| {
            let Some(trace) = trace else { return work(call) };
            let began = Instant::now();
            trace.part("queue", handed_over, began.duration_since(handed_over), Vec::new());
            let outcome = work(call);
            trace.part("work", began, began.elapsed(), Vec::new());
            outcome
        };
        patience.wait(self.workers.run(call.priority, move || traced(call)).answer()).await?
    }

    /// Runs what an administrator asked for. To load a bundle and check it takes a second and more, and the registry may be
    /// held by a backup: nobody who asks for items waits for it.
    pub(crate) async fn administer<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let work = || {
            behind(work).unwrap_or_else(|error| {
                tracing::error!(%error, "what an administrator asked for has no thread");
                Err(ApiError::Internal)
            })
        };
        self.administrator.run(Priority::High, work).answer().await.map_err(|_| ApiError::Internal)?
    }

    /// Runs work that belongs to an admitted request but needs no deadline of its own, such as
    /// parsing a large body.
    pub(crate) async fn offload<T: Send + 'static>(
        &self,
        priority: Priority,
        work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.workers.run(priority, work).answer().await.map_err(|_| ApiError::Internal)?
    }
}
