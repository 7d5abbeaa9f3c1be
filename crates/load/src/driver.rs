use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::connections::Connections;
use crate::limits::{IN_FLIGHT_MAX, SLICES_MAX};
use crate::tally::{histogram, record};
use crate::{Asks, Kind, LoadError, Manners, Outcome, Planned, Protocol, Schedule, Tally, Target};

/// What is sent, to whom.
#[derive(Clone)]
pub struct Traffic {
    /// The server.
    pub target: Target,
    /// What leaves when.
    pub schedule: Schedule,
    /// What is planned before this is sent but not counted: caches and connections fill.
    pub warm_up: Duration,
    /// How callers behave.
    pub manners: Manners,
    /// What requests say.
    pub asks: Asks,
}

/// What a load has shown so far.
#[derive(Debug)]
pub struct Seen<'a> {
    /// Since the first request should have left.
    pub elapsed: Duration,
    /// All kinds together.
    pub whole: &'a Tally,
    /// The part of the load that has just ended.
    pub slice: &'a Slice,
    /// Requests that wait for an answer.
    pub in_flight: u32,
}

/// What came in one part of a load.
#[derive(Debug, Clone)]
pub struct Slice {
    /// When it ended, from the start.
    pub end: Duration,
    /// How long it was.
    pub length: Duration,
    /// What was answered, refused and failed in it.
    pub tally: Tally,
}

/// What a load has shown.
#[derive(Debug)]
pub struct Load {
    /// By kind, in the order of the schedule.
    pub kinds: Vec<(Kind, Tally)>,
    /// Part by part.
    pub slices: Vec<Slice>,
    /// How late requests left, in microseconds: the driver's own fault, which counts in all times.
    delays: Histogram<u64>,
}

impl Load {
    /// All kinds together.
    pub fn whole(&self) -> Tally {
        let mut whole = Tally::default();
        self.kinds.iter().for_each(|(_, tally)| whole.merge(tally));
        whole
    }

    /// The tally of one kind; empty if there was none.
    pub fn of(&self, kind: Kind) -> Tally {
        self.kinds.iter().find(|(one, _)| *one == kind).map(|(_, tally)| tally.clone()).unwrap_or_default()
    }

    /// So many of a hundred requests left at most so many milliseconds late.
    pub fn delay_percentile_ms(&self, percentile: f64) -> f64 {
        self.delays.value_at_percentile(percentile) as f64 / 1e3
    }
}

/// Sends planned requests and counts what becomes of them.
#[derive(Debug)]
pub struct Driver {
    runtime: Runtime,
}

/// What requests report to, whichever thread they end on.
struct Counts {
    kinds: Vec<(Kind, Tally)>,
    slice: Tally,
    delays: Histogram<u64>,
}

impl Driver {
    /// A driver with so many threads that send and read: the rest of the machine may be the server's.
    ///
    /// # Errors
    /// The system gives no threads.
    pub fn new(threads: usize) -> Result<Self, LoadError> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Ok(Self { runtime: builder.worker_threads(threads.max(1)).enable_all().build()? })
    }

    /// Waits for something else beside the load.
    pub fn block_on<R>(&self, future: impl Future<Output = R>) -> R {
        self.runtime.block_on(future)
    }

    /// The ids of the list of one user: whether the target answers at all, and what its catalogue holds.
    ///
    /// # Errors
    /// It does not, and why.
    pub fn probe(
        &self,
        target: &Target,
        asks: &Asks,
        protocol: Protocol,
        user: usize,
    ) -> Result<Vec<String>, LoadError> {
        self.block_on(async {
            let kinds = [Kind::recommend(protocol)];
            Connections::open(target.clone(), asks.clone(), &kinds).await?.probe(protocol, user).await
        })
    }

    /// Sends everything at its time and waits for the last answer; tells how it goes, part by part.
    ///
    /// # Errors
    /// No connection could be opened at the start.
    pub fn run(&self, traffic: &Traffic, tell: &mut dyn FnMut(Seen<'_>)) -> Result<Load, LoadError> {
        self.run_until(traffic, tell, &|| false)
    }

    /// The same, but nothing more is sent once there is `enough`.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_until(
        &self,
        traffic: &Traffic,
        tell: &mut dyn FnMut(Seen<'_>),
        enough: &dyn Fn() -> bool,
    ) -> Result<Load, LoadError> {
        let Traffic { target, schedule, warm_up, manners, asks } = traffic.clone();
        let connections = self.block_on(Connections::open(target, asks, schedule.kinds()))?;
        let mut parts = Parts::new(&schedule, tell);
        let (connections, counts) = (Arc::new(connections), Arc::clone(&parts.counts));
        let places = Arc::new(Semaphore::new(IN_FLIGHT_MAX as usize));
        let start = parts.start;
        for (number, planned) in schedule.take_while(|_| !enough()).enumerate() {
            let intended = start + planned.at;
            parts.sleep_until(intended, &places);
            let count = Count { planned, intended, counted: planned.at >= warm_up, counts: Arc::clone(&counts) };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                count.end(Outcome::Failed(format!("not sent: {IN_FLIGHT_MAX} requests wait for an answer")));
                continue;
            };
            let connections = Arc::clone(&connections);
            self.runtime.spawn(async move {
                count.begin();
                let outcome = connections.ask(number, planned, manners).await;
                count.end(outcome);
                drop(place);
            });
        }
        while places.available_permits() < IN_FLIGHT_MAX as usize {
            let next = parts.next.min(Instant::now() + Duration::from_millis(1));
            parts.sleep_until(next, &places);
        }
        Ok(parts.into_load())
    }
}

/// One request on its way.
struct Count {
    planned: Planned,
    intended: Instant,
    counted: bool,
    counts: Arc<Mutex<Counts>>,
}

impl Count {
    /// It leaves now.
    fn begin(&self) {
        record(&mut lock(&self.counts).delays, self.intended.elapsed());
    }

    fn end(self, outcome: Outcome) {
        let latency = self.intended.elapsed();
        let mut counts = lock(&self.counts);
        if self.counted {
            counts.slice.add(outcome.clone(), latency);
            if let Some((_, tally)) = counts.kinds.iter_mut().find(|(kind, _)| *kind == self.planned.kind) {
                tally.add(outcome, latency);
            }
        }
    }
}

/// The load part by part, and the sender's clock.
struct Parts<'a> {
    counts: Arc<Mutex<Counts>>,
    slices: Vec<Slice>,
    whole: Tally,
    start: Instant,
    length: Duration,
    /// When the part that runs ends.
    next: Instant,
    tell: &'a mut dyn FnMut(Seen<'_>),
}

impl<'a> Parts<'a> {
    fn new(schedule: &Schedule, tell: &'a mut dyn FnMut(Seen<'_>)) -> Self {
        let kinds = schedule.kinds().iter().map(|kind| (*kind, Tally::default())).collect();
        let counts = Counts { kinds, slice: Tally::default(), delays: histogram() };
        let length = (schedule.duration() / SLICES_MAX).max(Duration::from_secs(1));
        let start = Instant::now();
        let (slices, whole, next) = (Vec::new(), Tally::default(), start + length);
        Self { counts: Arc::new(Mutex::new(counts)), slices, whole, start, length, next, tell }
    }

    /// The thread's own sleep: the runtime's timer counts in whole milliseconds. Parts that end meanwhile are told.
    fn sleep_until(&mut self, until: Instant, places: &Semaphore) {
        while self.next <= until {
            std::thread::sleep(self.next.saturating_duration_since(Instant::now()));
            self.end_slice(self.next, places);
        }
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
    }

    fn end_slice(&mut self, end: Instant, places: &Semaphore) {
        let tally = std::mem::take(&mut lock(&self.counts).slice);
        self.whole.merge(&tally);
        let length = self.length.saturating_sub(self.next.saturating_duration_since(end));
        let slice = Slice { end: end - self.start, length, tally };
        let in_flight = IN_FLIGHT_MAX - u32::try_from(places.available_permits()).unwrap_or(IN_FLIGHT_MAX);
        (self.tell)(Seen { elapsed: slice.end, whole: &self.whole, slice: &slice, in_flight });
        self.slices.push(slice);
        self.next = end + self.length;
    }

    /// Everything has been answered.
    fn into_load(mut self) -> Load {
        let left = !lock(&self.counts).slice.is_empty();
        if left {
            self.end_slice(Instant::now().min(self.next), &Semaphore::new(IN_FLIGHT_MAX as usize));
        }
        let counts = lock(&self.counts);
        Load { kinds: counts.kinds.clone(), slices: self.slices, delays: counts.delays.clone() }
    }
}

/// Whatever a thread that panicked left: numbers that are whole.
fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}
