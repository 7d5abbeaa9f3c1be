use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex, MutexGuard};
use rusqlite::Connection;

use crate::StoreError;
use crate::limits::{WAL_PAGES_MAX, WAL_PAGES_MOVED, WAL_PAGES_WAIT};

/// Moves what the WAL holds into the database beside the writer. SQLite would do it inside a commit, and
/// whoever waits for that one would wait for the writing of a thousand pages.
#[derive(Debug)]
pub(crate) struct WalMover {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Pages in the WAL after the last commit.
    pages: Arc<AtomicI32>,
    /// Held while pages are moved: of two who try at once, SQLite sends one away with nothing done.
    moving: Mutex<()>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_due: bool,
    closed: bool,
}

impl WalMover {
    /// Takes the work from `writer`; `own` is a second connection to the same log.
    pub(crate) fn start(writer: &mut Connection, own: Connection) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared::default());
        let pages = Arc::clone(&shared.pages);
        // In place of the checkpoint that SQLite makes by itself.
        writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count: i32| {
            pages.store(count, Ordering::Relaxed);
            Ok(())
        }))?;
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("wal-mover".to_owned()).spawn(move || theirs.run(&own))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// To be called after each commit, on the writer's thread. What comes while pages are moved is left over
    /// each time: from [`WAL_PAGES_MAX`] on this moves the little that is left when the thread is done, and
    /// the WAL begins anew.
    pub(crate) fn after_commit(&self, writer: &Connection) {
        let pages = self.shared.pages.load(Ordering::Relaxed);
        if pages >= WAL_PAGES_WAIT {
            self.shared.move_pages(writer, &self.shared.moving.lock());
        } else if pages >= WAL_PAGES_MAX {
            if let Some(alone) = self.shared.moving.try_lock() {
                self.shared.move_pages(writer, &alone);
            }
        } else if pages >= WAL_PAGES_MOVED {
            self.shared.state.lock().is_due = true;
            self.shared.changed.notify_one();
        }
    }
}

impl Shared {
    fn run(&self, connection: &Connection) {
        let mut state = self.state.lock();
        loop {
            while !state.is_due {
                if state.closed {
                    return;
                }
                self.changed.wait(&mut state);
            }
            state.is_due = false;
            drop(state);
            self.move_pages(connection, &self.moving.lock());
            state = self.state.lock();
        }
    }

    /// Waits for no reader; the caller keeps the other mover away. What cannot be moved stays in the WAL, where it is as safe: a failure loses
    /// nothing.
    fn move_pages(&self, connection: &Connection, _alone: &MutexGuard<'_, ()>) {
        if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            tracing::warn!(%error, "the WAL was not moved into the database; the next time is soon");
        }
    }
}

impl Drop for WalMover {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::Store;
    use crate::testing::event;

    #[test]
    fn a_writer_waits_for_a_slow_move_and_the_wal_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_or_create(dir.path()).unwrap();
        let mut appender = store.lock_log().unwrap();
        let mover = appender.start_wal_mover().unwrap();
        let mut n = 0;
        let mut append = |appender: &mut crate::LogAppender| {
            let records: Vec<_> = (n..n + 5_000).map(event).collect();
            n += 5_000;
            appender.append(&records).unwrap();
        };
        const SLOW: Duration = Duration::from_millis(200);
        thread::scope(|scope| {
            let (locked, is_locked) = mpsc::channel();
            let (full, is_full) = mpsc::channel();
            let shared = &mover.shared;
            scope.spawn(move || {
                let _slow = shared.moving.lock();
                locked.send(()).unwrap();
                is_full.recv().unwrap();
                thread::sleep(SLOW);
            });
            is_locked.recv().unwrap();
            // Below that it does not wait, or this would not end.
            while shared.pages.load(Ordering::Relaxed) < WAL_PAGES_WAIT {
                mover.after_commit(appender.connection());
                append(&mut appender);
            }
            let begun = Instant::now();
            full.send(()).unwrap();
            mover.after_commit(appender.connection());
            assert!(begun.elapsed() >= SLOW);
        });
        // All was moved, so the next commit begins the WAL anew.
        append(&mut appender);
        let pages = mover.shared.pages.load(Ordering::Relaxed);
        assert!(pages < WAL_PAGES_MAX, "{pages} pages");
    }
}
