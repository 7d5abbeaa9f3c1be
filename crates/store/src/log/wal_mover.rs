use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

use crate::StoreError;
use crate::limits::{WAL_PAGES_MAX, WAL_PAGES_MOVED};

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

    /// To be called after each commit, on the writer's thread. What the thread cannot keep up with is
    /// finished here, so that the WAL begins anew and does not grow without end.
    pub(crate) fn after_commit(&self, writer: &Connection) {
        let pages = self.shared.pages.load(Ordering::Relaxed);
        if pages >= WAL_PAGES_MOVED {
            self.shared.state.lock().is_due = true;
            self.shared.changed.notify_one();
        }
        if pages >= WAL_PAGES_MAX {
            move_pages(writer);
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
            move_pages(connection);
            state = self.state.lock();
        }
    }
}

/// Waits for nobody. What cannot be moved stays in the WAL, where it is as safe: a failure loses nothing.
fn move_pages(connection: &Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the WAL was not moved into the database; the next time is soon");
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
