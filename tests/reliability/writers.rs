//! Threads that submit events to a log in this process, and what became of them.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use shortlist_store::{LogWriter, StoreError};

use super::events::event;

/// What callers of a log were told.
#[derive(Default)]
pub struct Told {
    pub sent: Mutex<HashSet<String>>,
    pub acknowledged: Mutex<HashSet<String>>,
    pub stop: AtomicBool,
}

impl Told {
    /// Submits batch after batch, until it is told to stop or the log stops.
    pub fn write(&self, writer: &LogWriter, name: &str, batch: usize) {
        for n in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let ids: Vec<_> = (0..batch).map(|i| format!("{name}-{n}-{i}")).collect();
            match self.submit(writer, &ids) {
                Ok(()) => {}
                Err(StoreError::LogStopped { .. }) => return,
                Err(StoreError::DiskFull) => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Submits events of these ids and waits for the answer.
    pub fn submit(&self, writer: &LogWriter, ids: &[String]) -> Result<(), StoreError> {
        self.sent.lock().unwrap().extend(ids.iter().cloned());
        let records = ids.iter().map(|id| event(id)).collect();
        let (sender, answer) = mpsc::channel();
        writer.submit(records, Box::new(move |result| drop(sender.send(result))))?;
        answer.recv().expect("every submission is answered")?;
        self.acknowledged.lock().unwrap().extend(ids.iter().cloned());
        Ok(())
    }

    pub fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    pub fn snapshot(&self) -> HashSet<String> {
        self.acknowledged.lock().unwrap().clone()
    }

    pub fn assert_only_what_was_sent(&self, found: &HashSet<String>) {
        let sent = self.sent.lock().unwrap();
        let phantoms: Vec<_> = found.difference(&sent).take(3).collect();
        assert!(phantoms.is_empty(), "never sent: {phantoms:?}");
    }
}

/// What was acknowledged is there.
pub fn assert_none_lost(acknowledged: &HashSet<String>, found: &HashSet<String>, context: &str) {
    let lost: Vec<_> = acknowledged.difference(found).collect();
    let some = lost.iter().take(3).collect::<Vec<_>>();
    assert!(lost.is_empty(), "{context}: {} acknowledged and lost, such as {some:?}", lost.len());
}
