use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::GatewayError;
use crate::api_error::ApiError;
use crate::limits::REPLACED_MAX;
use crate::priority::Priority;
use crate::work_queue::WorkQueue;

/// Weight of one piece of work in the mean time of them. The first twenty weigh alike: the very first, before caches
/// and files are warm, says little about the next.
const WEIGHT: f64 = 0.05;

/// Threads that compute answers, beside the I/O threads of the runtime, from one [`WorkQueue`].
///
/// Work that does not come back can be left behind: another thread takes its place, and its own ends when it does.
pub(crate) struct Workers {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    ready: Condvar,
    threads: usize,
    /// Threads whose work was left behind and who were replaced.
    replaced: AtomicUsize,
    /// Mean time that work takes, the latest counting most.
    work_time: Mutex<MeanTime>,
}

#[derive(Default)]
struct MeanTime {
    mean: Duration,
    /// Pieces of work in it.
    count: u32,
}

#[derive(Default)]
struct Queue {
    work: WorkQueue<Box<dyn FnOnce() -> Ended + Send>>,
    closed: bool,
}

/// What a thread does after a piece of work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Nobody waited for it.
    Skipped,
    Done,
    /// Somebody else has taken the thread's place.
    LeftBehind,
}

/// Work that was handed in.
pub(crate) struct Pending<T> {
    answer: oneshot::Receiver<Result<T, ApiError>>,
    place: Place,
}

/// Where a piece of work is, and the means to leave it behind.
#[derive(Clone)]
pub(crate) struct Place {
    shared: Arc<Shared>,
    state: Arc<Mutex<WorkState>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WorkState {
    Waiting,
    Running,
    LeftBehind,
    Replaced,
    Done,
}

impl Workers {
    /// Starts `threads` threads, or one per core for 0.
    pub(crate) fn start(threads: usize) -> Result<Self, GatewayError> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if threads == 0 { cores() } else { threads };
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            ready: Condvar::new(),
            threads,
            replaced: AtomicUsize::new(0),
            work_time: Mutex::default(),
        });
        for number in 0..threads {
            Shared::spawn(&shared, &format!("worker-{number}")).map_err(GatewayError::Workers)?;
        }
        Ok(Self { shared })
    }

    /// Runs `work` when a thread is free and it is its turn. Work whose receiver is gone by
    /// then is skipped; a panic in it is [`ApiError::Internal`] for its caller and for nobody else.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        priority: Priority,
        work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
    ) -> Pending<T> {
        let (sender, answer) = oneshot::channel();
        let span = tracing::Span::current();
        let place = Place { shared: Arc::clone(&self.shared), state: Arc::new(Mutex::new(WorkState::Waiting)) };
        let own = place.clone();
        let work = move || {
            if sender.is_closed() || !own.begin() {
                return Ended::Skipped;
            }
            let result = span.in_scope(|| catch_unwind(AssertUnwindSafe(work))).unwrap_or_else(|panic| {
                let message = panic.downcast_ref::<&str>().copied().map(str::to_owned);
                let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
                span.in_scope(|| tracing::error!(message, "the work of a request panicked"));
                Err(ApiError::Internal)
            });
            // The caller may have left meanwhile; then nobody needs the answer.
            drop(sender.send(result));
            own.end()
        };
        self.shared.queue.lock().work.push(priority, Box::new(work), Instant::now());
        self.shared.ready.notify_one();
        Pending { answer, place }
    }

    /// About how long work that is handed in now will wait for a thread, if nothing comes that goes before it.
    pub(crate) fn expected_wait(&self, priority: Priority) -> Duration {
        let waiting = self.shared.queue.lock().work.ahead_of(priority);
        let per_thread = waiting as f64 / self.shared.threads.max(1) as f64;
        self.shared.work_time.lock().mean.mul_f64(per_thread)
    }

    /// Work that waits for a thread.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.queue.lock().work.len()
    }
}

impl Drop for Workers {
    /// What waits is still done; then the threads end.
    fn drop(&mut self) {
        self.shared.queue.lock().closed = true;
        self.shared.ready.notify_all();
    }
}

impl Shared {
    fn spawn(shared: &Arc<Self>, name: &str) -> std::io::Result<()> {
        let own = Arc::clone(shared);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || own.work()).map(drop)
    }

    fn work(&self) {
        while let Some(work) = self.next() {
            let started = Instant::now();
            match work() {
                Ended::Skipped => {}
                Ended::Done => self.work_time.lock().add(started.elapsed()),
                Ended::LeftBehind => {
                    self.replaced.fetch_sub(1, Ordering::Relaxed);
                    return;
                }
            }
        }
    }

    fn next(&self) -> Option<Box<dyn FnOnce() -> Ended + Send>> {
        let mut queue = self.queue.lock();
        loop {
            if let Some(work) = queue.work.pop(Instant::now()) {
                return Some(work);
            }
            if queue.closed {
                return None;
            }
            self.ready.wait(&mut queue);
        }
    }
}

impl MeanTime {
    fn add(&mut self, elapsed: Duration) {
        self.count = self.count.saturating_add(1);
        let weight = WEIGHT.max(1.0 / f64::from(self.count));
        self.mean = self.mean.mul_f64(1.0 - weight) + elapsed.mul_f64(weight);
    }
}

impl Place {
    fn begin(&self) -> bool {
        let mut state = self.state.lock();
        let waits = *state == WorkState::Waiting;
        if waits {
            *state = WorkState::Running;
        }
        waits
    }

    fn end(&self) -> Ended {
        match std::mem::replace(&mut *self.state.lock(), WorkState::Done) {
            WorkState::Replaced => Ended::LeftBehind,
            WorkState::Waiting | WorkState::Running | WorkState::LeftBehind | WorkState::Done => Ended::Done,
        }
    }

    /// Nobody waits for the work any more. If it runs, another thread takes the place of its own, as long as there are
    /// not too many of those.
    pub(crate) fn leave(&self) {
        let mut state = self.state.lock();
        if *state != WorkState::Running {
            return;
        }
        *state = WorkState::LeftBehind;
        let replaced = &self.shared.replaced;
        let taken =
            replaced.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < REPLACED_MAX).then_some(n + 1));
        let Ok(number) = taken else {
            tracing::error!(REPLACED_MAX, "too much work does not come back: no thread takes its place");
            return;
        };
        match Shared::spawn(&self.shared, &format!("worker-again-{number}")) {
            Ok(()) => *state = WorkState::Replaced,
            Err(error) => {
                tracing::error!(%error, "no thread takes the place of one that does not come back");
                replaced.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

impl<T> Pending<T> {
    /// What to wait for, and what to leave behind if it does not come.
    pub(crate) fn parts(self) -> (oneshot::Receiver<Result<T, ApiError>>, Place) {
        (self.answer, self.place)
    }

    /// What to wait for.
    pub(crate) fn answer(self) -> oneshot::Receiver<Result<T, ApiError>> {
        self.answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_panic_is_the_callers_error_and_the_threads_go_on() {
        let workers = Workers::start(1).unwrap();
        let broken = workers.run::<()>(Priority::High, || panic!("a bad day"));
        assert_eq!(broken.answer().blocking_recv().unwrap(), Err(ApiError::Internal));
        assert_eq!(workers.run(Priority::High, || Ok(7)).answer().blocking_recv().unwrap(), Ok(7));
    }

    /// Work that lasts until it is released, and that it has begun.
    fn stuck(workers: &Workers) -> (Pending<()>, mpsc::Sender<()>) {
        let (release, gate) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel();
        let pending = workers.run(Priority::High, move || {
            begun.send(()).unwrap();
            let _ = gate.recv();
            Ok(())
        });
        has_begun.recv().unwrap();
        (pending, release)
    }

    #[test]
    fn work_whose_caller_left_is_skipped() {
        let workers = Workers::start(1).unwrap();
        let (first, release) = stuck(&workers);
        let (ran, has_run) = mpsc::channel();
        drop(workers.run(Priority::High, move || {
            ran.send(()).unwrap();
            Ok(())
        }));
        assert_eq!(workers.waiting(), 1);
        release.send(()).unwrap();
        first.answer().blocking_recv().unwrap().unwrap();
        workers.run(Priority::High, || Ok(())).answer().blocking_recv().unwrap().unwrap();
        assert!(has_run.try_recv().is_err());
    }

    #[test]
    fn high_priority_goes_first_and_sees_nothing_of_what_is_low() {
        let workers = Workers::start(1).unwrap();
        let slow = workers.run(Priority::High, || {
            std::thread::sleep(Duration::from_millis(2));
            Ok(())
        });
        slow.answer().blocking_recv().unwrap().unwrap();
        let (_, release) = stuck(&workers);
        let (ran, order) = mpsc::channel();
        let note = |priority| {
            let ran = ran.clone();
            workers.run(priority, move || {
                ran.send(priority).unwrap();
                Ok(())
            })
        };
        let pending = [Priority::Low, Priority::Low, Priority::High].map(note);
        let waits = [Priority::High, Priority::Low].map(|priority| workers.expected_wait(priority));
        assert!(waits[0] >= Duration::from_millis(2) && waits[1] == 3 * waits[0], "{waits:?}");
        release.send(()).unwrap();
        for pending in pending {
            pending.answer().blocking_recv().unwrap().unwrap();
        }
        assert_eq!(order.try_iter().collect::<Vec<_>>(), [Priority::High, Priority::Low, Priority::Low]);
    }

    #[test]
    fn the_first_piece_of_work_is_one_of_twenty_and_later_the_latest_count_most() {
        let (mut time, ms) = (MeanTime::default(), Duration::from_millis);
        time.add(ms(100));
        assert_eq!(time.mean, ms(100));
        for _ in 1..20 {
            time.add(ms(2));
        }
        assert!((ms(6)..ms(8)).contains(&time.mean), "{:?}", time.mean);
        for _ in 0..60 {
            time.add(ms(50));
        }
        assert!((ms(47)..ms(50)).contains(&time.mean), "{:?}", time.mean);
    }

    #[test]
    fn work_that_does_not_come_back_is_replaced_a_few_times_at_most() {
        let workers = Workers::start(1).unwrap();
        let mut held = Vec::new();
        for _ in 0..REPLACED_MAX {
            let (pending, release) = stuck(&workers);
            let (answer, place) = pending.parts();
            place.leave();
            place.leave();
            held.push((answer, release));
            assert_eq!(
                workers.run(Priority::High, || Ok(7)).answer().blocking_recv().unwrap(),
                Ok(7),
                "nobody took the place"
            );
        }
        let (pending, release) = stuck(&workers);
        let (last, place) = pending.parts();
        place.leave();
        let waits = workers.run(Priority::High, || Ok(8));
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!((workers.waiting(), workers.shared.replaced.load(Ordering::Relaxed)), (1, REPLACED_MAX));
        // What comes back at last is heard by whoever still listens, and its thread ends.
        release.send(()).unwrap();
        last.blocking_recv().unwrap().unwrap();
        assert_eq!(waits.answer().blocking_recv().unwrap(), Ok(8));
        for (answer, release) in held {
            release.send(()).unwrap();
            answer.blocking_recv().unwrap().unwrap();
        }
        let end = Instant::now() + Duration::from_secs(20);
        while workers.shared.replaced.load(Ordering::Relaxed) > 0 && Instant::now() < end {
            std::thread::yield_now();
        }
        assert_eq!(workers.shared.replaced.load(Ordering::Relaxed), 0);
        assert_eq!(workers.run(Priority::High, || Ok(9)).answer().blocking_recv().unwrap(), Ok(9));
    }
}
