use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use shortlist_types::{LogRecord, LogSeq};

use crate::log::commit::{Commit, CommitListener, OnCommit};
use crate::log::encoded_record::EncodedRecord;
use crate::log::space::SpaceGate;
use crate::log::wal_mover::WalMover;
use crate::log::write_queue::{Done, Submission, Work, WriteQueue};
use crate::{Appended, LogAppender, StoreError};

/// Takes new records into the state, in the order of the log.
pub type Apply = Box<dyn FnMut(&[(LogSeq, LogRecord)]) + Send>;

/// The one thread that appends while a server runs. All that wait share one synchronous
/// transaction (group commit); then the new records are applied; then each caller hears of it.
pub struct LogWriter {
    queue: Arc<WriteQueue>,
    space: Arc<SpaceGate>,
    commits: Arc<CommitListener>,
    thread: Option<JoinHandle<()>>,
}

impl LogWriter {
    /// Starts the thread. At most `queue_max` records wait for it; `apply` runs on it, with the
    /// new records of each transaction, in log order.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(mut appender: LogAppender, queue_max: usize, apply: Apply) -> Result<Self, StoreError> {
        let queue = Arc::new(WriteQueue::new(queue_max));
        let space = Arc::new(SpaceGate::new(appender.dir().to_owned()));
        let mover = appender.start_wal_mover()?;
        let commits = Arc::new(CommitListener::default());
        let (queue_of_life, space_of_life, commits_of_life) =
            (Arc::clone(&queue), Arc::clone(&space), Arc::clone(&commits));
        let mut life =
            Life { appender, mover, queue: queue_of_life, space: space_of_life, commits: commits_of_life, apply };
        let thread = thread::Builder::new().name("log-writer".to_owned()).spawn(move || life.run())?;
        Ok(Self { queue, space, commits, thread: Some(thread) })
    }

    /// Hands records over and returns at once; encoding them is the caller's work, so that it
    /// runs on many threads. `done` is called on the writer's thread, after the records are on
    /// disk and applied, with one answer per record; it must not block.
    ///
    /// # Errors
    /// [`StoreError::Busy`], [`StoreError::BatchTooLarge`], [`StoreError::Invalid`],
    /// [`StoreError::LogStopped`], [`StoreError::DiskFull`]: nothing was taken, and `done` is dropped
    /// without a call.
    pub fn submit(&self, records: Vec<LogRecord>, done: Done) -> Result<(), StoreError> {
        if self.space.is_full() {
            return Err(StoreError::DiskFull);
        }
        let encoded = records.iter().map(EncodedRecord::encode).collect::<Result<Vec<_>, _>>()?;
        self.queue.push(Submission { records, encoded, done })
    }

    /// Runs `task` on the writer's thread between two transactions, and waits for it. What records
    /// wait meanwhile is its length: keep it short.
    ///
    /// # Errors
    /// [`StoreError::Busy`], [`StoreError::LogStopped`]; what the task returns.
    pub fn run<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut LogAppender) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, outcome) = mpsc::channel();
        let task = move |appender: &mut LogAppender| drop(sender.send(task(appender)));
        self.queue.push_task(Box::new(task))?;
        // The sender is dropped unsent when the log stops, or the task panics.
        outcome.recv().map_err(|_| match self.queue.stopped() {
            Some(cause) => StoreError::LogStopped { cause },
            None => StoreError::WriterPanicked,
        })?
    }

    /// Lets somebody hear of each transaction from now on: the first who asks.
    pub fn on_commit(&self, on_commit: OnCommit) {
        self.commits.set(on_commit);
    }

    /// Records that wait for the writer.
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// The share of the queue that they take, from 0 to 1.
    pub fn fullness(&self) -> f64 {
        self.queue.waiting() as f64 / self.queue.records_max().max(1) as f64
    }

    /// Whether records are refused until there is space again.
    pub fn is_full(&self) -> bool {
        self.space.is_full()
    }

    /// Whether submissions can still succeed. Once false, only a restart helps.
    pub fn is_healthy(&self) -> bool {
        self.queue.stopped().is_none() && self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Writes what still waits, ends the thread and gives the lock of the log back.
    ///
    /// # Errors
    /// [`StoreError::LogStopped`] with what stopped the writer before.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.join()
    }

    fn join(&mut self) -> Result<(), StoreError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.queue.close();
        thread.join().map_err(|_| StoreError::WriterPanicked)?;
        self.queue.stopped().map_or(Ok(()), |cause| Err(StoreError::LogStopped { cause }))
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        if let Err(error) = self.join() {
            tracing::error!(%error, "the log writer ended with an error");
        }
    }
}

/// What the writer's thread owns.
struct Life {
    // Before the appender: the last connection that is closed empties the WAL.
    mover: WalMover,
    appender: LogAppender,
    queue: Arc<WriteQueue>,
    space: Arc<SpaceGate>,
    commits: Arc<CommitListener>,
    apply: Apply,
}

impl Life {
    fn run(&mut self) {
        while let Some(work) = self.queue.take_work() {
            let outcome = match work {
                Work::Group(group) => self.write(group),
                Work::Task(task) => {
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| task(&mut self.appender))) {
                        tracing::error!(message = message_of(panic.as_ref()), "a task on the log panicked");
                    }
                    self.appender.stopped().map_or(Ok(()), Err)
                }
            };
            self.mover.after_commit(self.appender.connection());
            if let Err(cause) = outcome {
                self.stop(&cause);
                break;
            }
        }
        // The lock is kept until the owner lets go: nobody else may append beside a server that still runs.
        self.queue.wait_until_closed();
    }

    fn stop(&self, cause: &Arc<StoreError>) {
        tracing::error!(error = %cause, "the log takes no more records until a restart");
        for waiting in self.queue.stop(Arc::clone(cause)) {
            answer(waiting.done, Err(StoreError::LogStopped { cause: Arc::clone(cause) }));
        }
    }

    /// Commits, applies and answers one group; an error is what stops the writer.
    fn write(&mut self, group: Vec<Submission>) -> Result<(), Arc<StoreError>> {
        let started = Instant::now();
        match self.appender.append_encoded(&mut group.iter().flat_map(|one| &one.encoded)) {
            Ok(appended) => {
                let records = appended.iter().filter(|one| matches!(one, Appended::New(_))).count();
                self.commits.tell(Commit { records, elapsed: started.elapsed() });
                self.acknowledge(group, appended)
            }
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, submissions = group.len(), "a group of submissions was refused");
                let is_full = matches!(error, StoreError::DiskFull);
                if is_full {
                    self.space.close();
                }
                let refusal = || if is_full { StoreError::DiskFull } else { StoreError::DatabaseBusy };
                group.into_iter().for_each(|one| answer(one.done, Err(refusal())));
                Ok(())
            }
            Err(error) => {
                let cause = Arc::new(error);
                for one in group {
                    answer(one.done, Err(StoreError::LogStopped { cause: Arc::clone(&cause) }));
                }
                Err(cause)
            }
        }
    }

    /// Applies what is new and tells every caller.
    fn acknowledge(&mut self, group: Vec<Submission>, appended: Vec<Appended>) -> Result<(), Arc<StoreError>> {
        let mut appended = appended.into_iter();
        let mut fresh = Vec::new();
        let mut answers = Vec::with_capacity(group.len());
        for one in group {
            let outcomes: Vec<_> = appended.by_ref().take(one.records.len()).collect();
            fresh.extend(one.records.into_iter().zip(&outcomes).filter_map(|(record, outcome)| match outcome {
                Appended::New(log_seq) => Some((*log_seq, record)),
                Appended::Duplicate => None,
            }));
            answers.push((one.done, outcomes));
        }
        let apply = &mut self.apply;
        let applied = if fresh.is_empty() { Ok(()) } else { catch_unwind(AssertUnwindSafe(|| apply(&fresh))) };
        // Also after a panic: the records are on disk, and saying otherwise would invite a second copy.
        for (done, outcomes) in answers {
            answer(done, Ok(outcomes));
        }
        applied.map_err(|panic| {
            let up_to = self.appender.head().log_seq;
            Arc::new(StoreError::ApplyPanicked { up_to, message: message_of(panic.as_ref()) })
        })
    }
}

/// Tells one caller; a panic in his callback is his own and does not take the others' writer down.
fn answer(done: Done, result: Result<Vec<Appended>, StoreError>) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| done(result))) {
        tracing::error!(message = message_of(panic.as_ref()), "a callback of the log writer panicked");
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc::{self, Receiver};
    use std::time::Duration;

    use super::*;
    use crate::Store;
    use crate::testing::{event, named_event};

    const SOON: Duration = Duration::from_secs(20);

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_or_create(dir.path()).unwrap();
        (dir, store)
    }

    fn submit(writer: &LogWriter, records: Vec<LogRecord>) -> Receiver<Result<Vec<Appended>, StoreError>> {
        let (sender, receiver) = mpsc::channel();
        writer.submit(records, Box::new(move |result| sender.send(result).unwrap())).unwrap();
        receiver
    }

    #[test]
    fn each_record_is_applied_once_in_log_order_and_before_its_caller_hears_of_it() {
        let (_dir, store) = store();
        let applied = Arc::new(AtomicU64::new(0));
        let theirs = Arc::clone(&applied);
        let apply: Apply = Box::new(move |records| {
            for (log_seq, _) in records {
                assert_eq!(theirs.swap(log_seq.0, Ordering::SeqCst) + 1, log_seq.0);
            }
        });
        let writer = LogWriter::start(store.lock_log().unwrap(), 10_000, apply).unwrap();
        std::thread::scope(|scope| {
            for caller in 0..8_u32 {
                let (writer, applied) = (&writer, Arc::clone(&applied));
                scope.spawn(move || {
                    for i in 0..50 {
                        let applied = Arc::clone(&applied);
                        let (sender, receiver) = mpsc::channel();
                        // Every name is sent by two callers.
                        let records = vec![event(i), named_event(caller / 2 * 1_000 + i)];
                        let done = move |result: Result<Vec<Appended>, StoreError>| {
                            for outcome in result.unwrap() {
                                if let Appended::New(log_seq) = outcome {
                                    assert!(applied.load(Ordering::SeqCst) >= log_seq.0, "told before applied");
                                }
                            }
                            sender.send(()).unwrap();
                        };
                        writer.submit(records, Box::new(done)).unwrap();
                        receiver.recv_timeout(SOON).unwrap();
                    }
                });
            }
        });
        assert!(writer.is_healthy());
        writer.close().unwrap();
        assert_eq!(applied.load(Ordering::SeqCst), 8 * 50 + 4 * 50);
        assert_eq!(store.reader().unwrap().head().unwrap().log_seq.0, 600);
    }

    #[test]
    fn each_transaction_is_told_before_its_callers_hear_of_it() {
        let (_dir, store) = store();
        let writer = LogWriter::start(store.lock_log().unwrap(), 100, Box::new(|_| ())).unwrap();
        let (told, commits) = mpsc::channel();
        writer.on_commit(Box::new(move |commit| told.send(commit).unwrap()));
        writer.on_commit(Box::new(|_| panic!("the first who asks is told")));
        // The last one is sent twice: a transaction that adds nothing is one, too.
        for (records, new) in [(vec![event(1), event(2)], 2), (vec![named_event(3)], 1), (vec![named_event(3)], 0)] {
            submit(&writer, records).recv_timeout(SOON).unwrap().unwrap();
            let commit = commits.try_recv().unwrap();
            assert_eq!(commit.records, new);
            assert!(commit.elapsed > Duration::ZERO && commit.elapsed < SOON);
        }
        assert_eq!(writer.waiting(), 0);
        writer.close().unwrap();
    }

    #[test]
    fn a_full_queue_is_busy_and_close_drains_what_was_taken() {
        let (_dir, store) = store();
        let (release, gate) = mpsc::channel::<()>();
        let (entered, has_entered) = mpsc::channel();
        let apply: Apply = Box::new(move |_| {
            entered.send(()).unwrap();
            gate.recv().unwrap();
        });
        let writer = LogWriter::start(store.lock_log().unwrap(), 3, apply).unwrap();
        // Dropped before the writer, so that a failure here does not wait for itself.
        let release = release;
        let first = submit(&writer, vec![event(1)]);
        has_entered.recv_timeout(SOON).unwrap();
        let waiting = [submit(&writer, vec![event(2), event(3)]), submit(&writer, vec![event(4)])];
        assert_eq!(writer.waiting(), 3);
        let refused = writer.submit(vec![event(5)], Box::new(|_| panic!("never called")));
        assert!(matches!(refused, Err(StoreError::Busy { waiting: 3, limit: 3 })));
        release.send(()).unwrap();
        release.send(()).unwrap();
        writer.close().unwrap();
        for answer in [first].into_iter().chain(waiting) {
            answer.recv_timeout(SOON).unwrap().unwrap();
        }
        assert_eq!(store.lock_log().unwrap().head().log_seq.0, 4);
    }

    #[test]
    fn a_panic_in_apply_is_kept_the_event_is_on_disk_and_nothing_follows() {
        let (_dir, store) = store();
        let writer = LogWriter::start(store.lock_log().unwrap(), 10, Box::new(|_| panic!("a bad day"))).unwrap();
        let answer = submit(&writer, vec![event(1)]).recv_timeout(SOON).unwrap();
        assert_eq!(answer.unwrap(), [Appended::New(LogSeq(1))]);
        while writer.is_healthy() {
            std::thread::yield_now();
        }
        let error = writer.submit(vec![event(2)], Box::new(|_| ())).unwrap_err();
        assert!(error.to_string().contains("panicked: a bad day"), "{error}");
        assert!(matches!(store.lock_log(), Err(StoreError::Locked { .. })), "a stopped writer keeps the lock");
        assert!(matches!(writer.close(), Err(StoreError::LogStopped { .. })));
        assert_eq!(store.lock_log().unwrap().head().log_seq.0, 1);
    }

    #[test]
    fn a_panic_in_one_callback_leaves_the_others_their_writer() {
        let (_dir, store) = store();
        let writer = LogWriter::start(store.lock_log().unwrap(), 10, Box::new(|_| ())).unwrap();
        writer.submit(vec![event(1)], Box::new(|_| panic!("not mine"))).unwrap();
        submit(&writer, vec![event(2)]).recv_timeout(SOON).unwrap().unwrap();
        writer.close().unwrap();
    }

    #[test]
    fn a_failing_database_refuses_the_group_and_all_that_follows() {
        let (_dir, store) = store();
        let writer = LogWriter::start(store.lock_log().unwrap(), 10, Box::new(|_| ())).unwrap();
        let database = rusqlite::Connection::open(store.dir().join("shortlist.db")).unwrap();
        database.execute_batch("ALTER TABLE log RENAME TO lost").unwrap();
        let answer = submit(&writer, vec![event(1)]).recv_timeout(SOON).unwrap();
        assert!(matches!(answer, Err(StoreError::LogStopped { .. })));
        while writer.is_healthy() {
            std::thread::yield_now();
        }
        assert!(matches!(writer.submit(vec![event(2)], Box::new(|_| ())), Err(StoreError::LogStopped { .. })));
    }

    #[test]
    fn an_invalid_record_is_refused_alone_and_at_once() {
        let (_dir, store) = store();
        let writer = LogWriter::start(store.lock_log().unwrap(), 10, Box::new(|_| ())).unwrap();
        let LogRecord::Event(mut bad) = event(1) else { unreachable!() };
        bad.value = Some(f32::NAN);
        let refused = writer.submit(vec![LogRecord::Event(bad)], Box::new(|_| ()));
        assert!(matches!(refused, Err(StoreError::Invalid(_))));
        submit(&writer, vec![event(2)]).recv_timeout(SOON).unwrap().unwrap();
    }
}
