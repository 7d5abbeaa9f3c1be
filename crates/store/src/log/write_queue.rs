use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, MutexGuard};
use shortlist_types::LogRecord;

use crate::limits::{GROUP_RECORDS_MAX, QUEUE_BYTES_MAX, TASKS_MAX};
use crate::log::encoded_record::EncodedRecord;
use crate::{Appended, LogAppender, StoreError};

/// Called once when the records of a submission are on disk and applied, or refused.
pub type Done = Box<dyn FnOnce(Result<Vec<Appended>, StoreError>) + Send>;

/// Work on the log between two transactions of records.
pub(crate) type Task = Box<dyn FnOnce(&mut LogAppender) + Send>;

/// What the writer does next.
pub(crate) enum Work {
    /// One transaction.
    Group(Vec<Submission>),
    /// One task.
    Task(Task),
}

/// Records that one caller wants in the log.
pub(crate) struct Submission {
    pub(crate) records: Vec<LogRecord>,
    pub(crate) encoded: Vec<EncodedRecord>,
    pub(crate) done: Done,
}

impl Submission {
    /// What it takes of the queue; an empty one still takes a place.
    fn size(&self) -> usize {
        self.records.len().max(1)
    }

    fn bytes(&self) -> usize {
        self.encoded.iter().map(|record| record.payload.len()).sum()
    }
}

/// What waits for the writer, bounded in records and in bytes.
pub(crate) struct WriteQueue {
    state: Mutex<State>,
    changed: Condvar,
    records_max: usize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Submission>,
    tasks: VecDeque<Task>,
    /// Whether the last work was a task: submissions come in between.
    did_task: bool,
    records: usize,
    bytes: usize,
    closed: bool,
    stopped: Option<Arc<StoreError>>,
}

impl WriteQueue {
    pub(crate) fn new(records_max: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), records_max }
    }

    /// Puts a submission at the end, or refuses it at once.
    pub(crate) fn push(&self, submission: Submission) -> Result<(), StoreError> {
        let (size, bytes) = (submission.size(), submission.bytes());
        if size > self.records_max || bytes > QUEUE_BYTES_MAX {
            return Err(StoreError::BatchTooLarge { records: size, bytes });
        }
        let mut state = self.state.lock();
        if let Some(cause) = &state.stopped {
            return Err(StoreError::LogStopped { cause: Arc::clone(cause) });
        }
        if state.records + size > self.records_max || state.bytes + bytes > QUEUE_BYTES_MAX {
            return Err(StoreError::Busy { waiting: state.records, limit: self.records_max });
        }
        state.records += size;
        state.bytes += bytes;
        state.waiting.push_back(submission);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Puts a task behind the others, or refuses it at once.
    pub(crate) fn push_task(&self, task: Task) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        if let Some(cause) = &state.stopped {
            return Err(StoreError::LogStopped { cause: Arc::clone(cause) });
        }
        if state.tasks.len() >= TASKS_MAX {
            return Err(StoreError::Busy { waiting: state.tasks.len(), limit: TASKS_MAX });
        }
        state.tasks.push_back(task);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for work; none when the queue is closed and drained. Tasks and transactions take turns.
    pub(crate) fn take_work(&self) -> Option<Work> {
        let mut state = self.state.lock();
        while state.waiting.is_empty() && state.tasks.is_empty() {
            if state.closed {
                return None;
            }
            self.changed.wait(&mut state);
        }
        let is_turn = state.waiting.is_empty() || !state.did_task;
        state.did_task = false;
        if is_turn && let Some(task) = state.tasks.pop_front() {
            state.did_task = true;
            return Some(Work::Task(task));
        }
        Some(Work::Group(take_up_to(&mut state, GROUP_RECORDS_MAX)))
    }

    /// Refuses from now on; returns what waited.
    pub(crate) fn stop(&self, cause: Arc<StoreError>) -> Vec<Submission> {
        let mut state = self.state.lock();
        state.stopped = Some(cause);
        state.tasks.clear();
        take_up_to(&mut state, usize::MAX)
    }

    /// Records that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().records
    }

    /// As many may.
    pub(crate) fn records_max(&self) -> usize {
        self.records_max
    }

    pub(crate) fn stopped(&self) -> Option<Arc<StoreError>> {
        self.state.lock().stopped.clone()
    }

    /// Lets the writer end when it has drained the queue.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }

    pub(crate) fn wait_until_closed(&self) {
        let mut state = self.state.lock();
        while !state.closed {
            self.changed.wait(&mut state);
        }
    }
}

fn take_up_to(state: &mut MutexGuard<'_, State>, records_max: usize) -> Vec<Submission> {
    let (mut group, mut records) = (Vec::new(), 0_usize);
    while let Some(submission) = state.waiting.front() {
        let (size, bytes) = (submission.size(), submission.bytes());
        if !group.is_empty() && records.saturating_add(size) > records_max {
            break;
        }
        records += size;
        state.records -= size;
        state.bytes -= bytes;
        group.extend(state.waiting.pop_front());
    }
    group
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::event;

    fn submission(records: usize) -> Submission {
        let records = vec![event(1); records];
        let encoded = records.iter().map(|record| EncodedRecord::encode(record).unwrap()).collect();
        Submission { records, encoded, done: Box::new(|_| ()) }
    }

    fn group(queue: &WriteQueue) -> usize {
        match queue.take_work() {
            Some(Work::Group(group)) => group.len(),
            _ => panic!("expected a group"),
        }
    }

    #[test]
    fn tasks_and_transactions_take_turns() {
        let queue = WriteQueue::new(10);
        for _ in 0..3 {
            queue.push_task(Box::new(|_| ())).unwrap();
        }
        queue.push(submission(1)).unwrap();
        assert!(matches!(queue.take_work(), Some(Work::Task(_))));
        queue.push(submission(1)).unwrap();
        assert_eq!(group(&queue), 2);
        assert!(matches!(queue.take_work(), Some(Work::Task(_))));
        assert!(matches!(queue.take_work(), Some(Work::Task(_))));
        for _ in 0..TASKS_MAX {
            queue.push_task(Box::new(|_| ())).unwrap();
        }
        assert!(matches!(queue.push_task(Box::new(|_| ())), Err(StoreError::Busy { limit: TASKS_MAX, .. })));
    }

    #[test]
    fn what_does_not_fit_is_busy_and_what_never_fits_is_too_large() {
        let queue = WriteQueue::new(10);
        queue.push(submission(6)).unwrap();
        queue.push(submission(0)).unwrap();
        let error = queue.push(submission(4)).unwrap_err();
        assert!(matches!(error, StoreError::Busy { waiting: 7, limit: 10 }), "{error}");
        assert!(matches!(queue.push(submission(11)), Err(StoreError::BatchTooLarge { records: 11, .. })));
        assert_eq!(group(&queue), 2);
        queue.push(submission(10)).unwrap();
    }

    #[test]
    fn a_group_is_bounded_but_never_empty() {
        let queue = WriteQueue::new(10 * GROUP_RECORDS_MAX);
        for records in [GROUP_RECORDS_MAX + 1, GROUP_RECORDS_MAX - 1, 1, 1] {
            queue.push(submission(records)).unwrap();
        }
        assert_eq!(group(&queue), 1);
        assert_eq!(group(&queue), 2);
        assert_eq!(group(&queue), 1);
        queue.close();
        assert!(queue.take_work().is_none());
    }

    #[test]
    fn a_closed_queue_is_drained_first() {
        let queue = WriteQueue::new(10);
        queue.push(submission(1)).unwrap();
        queue.close();
        assert_eq!(group(&queue), 1);
        assert!(queue.take_work().is_none());
    }
}
