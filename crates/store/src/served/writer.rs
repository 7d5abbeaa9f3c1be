use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use crate::limits::{SERVED_QUEUE_MAX, SERVED_TOGETHER_MAX};
use crate::served::{ServedRequest, create};
use crate::{Store, StoreConfig, StoreError};

/// How many of the oldest rows make room at once: one of so many.
const ROOM_SHARE: i64 = 16;

/// Keeps requests in the served log, on a thread of its own. It never makes a request wait: what comes while
/// the queue is full is dropped and counted.
#[derive(Debug)]
pub struct ServedLog {
    queue: Option<SyncSender<Work>>,
    thread: Option<JoinHandle<()>>,
    dropped: Arc<AtomicU64>,
    erasures: u64,
    share: f64,
}

enum Work {
    Keep(Box<ServedRequest>),
    /// Dropped when all that came before is written.
    Flush(SyncSender<()>),
}

impl ServedLog {
    /// Starts the thread. To be called before the state is folded that will serve.
    ///
    /// # Errors
    /// A file of another program or of a newer version in its place; the disk.
    pub fn start(store: &Store, config: &StoreConfig) -> Result<Self, StoreError> {
        let erasures = store.erasures()?;
        let connection = create(store.dir())?;
        let (queue, work) = sync_channel(SERVED_QUEUE_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let mut life = Life { connection, bytes_max: config.served_bytes_max, dropped: Arc::clone(&dropped) };
        let thread = thread::Builder::new().name("served-log".to_owned()).spawn(move || life.run(&work))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), dropped, erasures, share: config.served_share })
    }

    /// Users that had been erased when this began, as [`ServedRequest::erasures`] says it.
    pub fn erasures(&self) -> u64 {
        self.erasures
    }

    /// Whether a request with this random number is one of the share that is kept.
    pub fn wants(&self, random: u32) -> bool {
        f64::from(random) < self.share * 2.0_f64.powi(32)
    }

    /// Keeps a request, or drops and counts it. Returns at once.
    pub fn keep(&self, request: ServedRequest) {
        let sent = self.queue.as_ref().map(|queue| queue.try_send(Work::Keep(Box::new(request))));
        if !matches!(sent, Some(Ok(()))) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        if matches!(sent, Some(Err(TrySendError::Disconnected(_)))) {
            tracing::error!("the thread of the served log is gone; requests are not kept until a restart");
        }
    }

    /// Requests that were to be kept and were not: the queue was full, or the disk.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until all requests that were kept so far are in the file.
    pub fn flush(&self) {
        let (flushed, is_flushed) = sync_channel(0);
        if let Some(queue) = &self.queue
            && queue.send(Work::Flush(flushed)).is_ok()
        {
            // It is never sent to: it ends when the thread drops it.
            let Err(RecvError) = is_flushed.recv() else { return };
        }
    }
}

impl Drop for ServedLog {
    fn drop(&mut self) {
        // The thread writes what waits, and ends.
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Life {
    connection: Connection,
    bytes_max: u64,
    dropped: Arc<AtomicU64>,
}

impl Life {
    fn run(&mut self, work: &Receiver<Work>) {
        while let Ok(first) = work.recv() {
            let mut requests = Vec::new();
            let mut flushes = Vec::new();
            for work in std::iter::once(first).chain(work.try_iter().take(SERVED_TOGETHER_MAX)) {
                match work {
                    Work::Keep(request) => requests.push(request),
                    Work::Flush(flushed) => flushes.push(flushed),
                }
            }
            if let Err(error) = self.write(&requests) {
                self.dropped.fetch_add(requests.len() as u64, Ordering::Relaxed);
                tracing::warn!(%error, requests = requests.len(), "requests were not kept in the served log");
            }
            drop(flushes);
        }
    }

    fn write(&mut self, requests: &[Box<ServedRequest>]) -> Result<(), StoreError> {
        if requests.is_empty() {
            return Ok(());
        }
        let transaction = self.connection.transaction()?;
        make_room(&transaction, self.bytes_max)?;
        {
            let sql = "INSERT INTO served (request_id, time, user_id, log_seq, bundle, content)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
            let mut insert = transaction.prepare_cached(sql)?;
            for request in requests {
                let content = postcard::to_stdvec(request).map_err(|error| StoreError::ServedTooLarge {
                    request_id: request.request_id.to_string(),
                    reason: error.to_string(),
                })?;
                let user_id = request.user_id.as_ref().map(shortlist_types::UserId::as_str);
                let bundle = request.bundle.as_ref().map(crate::BundleId::as_str);
                let log_seq = request.log_seq.0.cast_signed();
                insert.execute((
                    request.request_id.as_str(),
                    request.now.as_micros(),
                    user_id,
                    log_seq,
                    bundle,
                    content,
                ))?;
            }
        }
        Ok(transaction.commit()?)
    }
}

/// Removes the oldest rows until the file holds less than `bytes_max`.
fn make_room(served: &Connection, bytes_max: u64) -> Result<(), StoreError> {
    let number = |pragma: &str| served.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let page = number("page_size")?;
    loop {
        let used = (number("page_count")? - number("freelist_count")?) * page;
        let rows: i64 = served.query_row("SELECT count(*) FROM served", [], |row| row.get(0))?;
        if used.cast_unsigned() <= bytes_max || rows == 0 {
            return Ok(());
        }
        let sql = "DELETE FROM served WHERE number IN (SELECT number FROM served ORDER BY number LIMIT ?1)";
        served.execute(sql, [rows / ROOM_SHARE + 1])?;
    }
}
