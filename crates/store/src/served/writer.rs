use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use crate::limits::{EXPOSED_BYTES, EXPOSED_MAX, SERVED_QUEUE_MAX, SERVED_TOGETHER_MAX};
use crate::served::{Exposure, ServedRequest, create};
use crate::{Store, StoreConfig, StoreError};

/// How many of the oldest rows make room at once: one of so many.
const ROOM_SHARE: i64 = 16;

/// Keeps requests in the served log, on a thread of its own. It never makes a request wait: what comes while
/// the queue is full is dropped and counted.
#[derive(Debug)]
pub struct ServedLog {
    queue: Option<SyncSender<Work>>,
    thread: Option<JoinHandle<()>>,
    waiting: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
    erasures: u64,
    share: f64,
}

enum Work {
    Keep(Box<ServedRequest>),
    Expose(Exposure),
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
        let (dropped, waiting): (Arc<AtomicU64>, Arc<AtomicUsize>) = Default::default();
        let exposed: i64 = connection.query_row("SELECT count(*) FROM exposed", [], |row| row.get(0))?;
        let (bytes_max, exposed) = (config.served_bytes_max, exposed.cast_unsigned());
        let (theirs, taken) = (Arc::clone(&dropped), Arc::clone(&waiting));
        let mut life = Life { connection, bytes_max, exposed, waiting: taken, dropped: theirs };
        let thread = thread::Builder::new().name("served-log".to_owned()).spawn(move || life.run(&work))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), waiting, dropped, erasures, share: config.served_share })
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
        self.send(Work::Keep(Box::new(request)));
    }

    /// Keeps that somebody was shown a variant of an experiment, or drops and counts it. Returns at once.
    pub fn expose(&self, exposure: Exposure) {
        self.send(Work::Expose(exposure));
    }

    fn send(&self, work: Work) {
        // Before it is sent: the thread may take it at once.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let sent = self.queue.as_ref().map(|queue| queue.try_send(work));
        if !matches!(sent, Some(Ok(()))) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        if matches!(sent, Some(Err(TrySendError::Disconnected(_)))) {
            tracing::error!("the thread of the served log is gone; requests are not kept until a restart");
        }
    }

    /// Requests and exposures that wait to be written.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Requests and exposures that were to be kept and were not: the queue was full, or the disk.
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
    /// Users and variants that are kept, at most: who is erased meanwhile is counted until the next start.
    exposed: u64,
    waiting: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
}

impl Life {
    fn run(&mut self, work: &Receiver<Work>) {
        while let Ok(first) = work.recv() {
            let (mut requests, mut exposures, mut flushes) = (Vec::new(), Vec::new(), Vec::new());
            for work in std::iter::once(first).chain(work.try_iter().take(SERVED_TOGETHER_MAX)) {
                match work {
                    Work::Keep(request) => requests.push(request),
                    Work::Expose(exposure) => exposures.push(exposure),
                    Work::Flush(flushed) => flushes.push(flushed),
                }
            }
            let taken = requests.len() + exposures.len();
            let written = self.write(&requests, &exposures);
            self.waiting.fetch_sub(taken, Ordering::Relaxed);
            if let Err(error) = written {
                self.dropped.fetch_add(taken as u64, Ordering::Relaxed);
                tracing::warn!(%error, lost = taken, "requests and exposures were not kept in the served log");
            }
            drop(flushes);
        }
    }

    fn write(&mut self, requests: &[Box<ServedRequest>], exposures: &[Exposure]) -> Result<(), StoreError> {
        if requests.is_empty() && exposures.is_empty() {
            return Ok(());
        }
        let transaction = self.connection.transaction()?;
        if !requests.is_empty() {
            make_room(&transaction, self.bytes_max + self.exposed * EXPOSED_BYTES)?;
        }
        let kept = write_exposures(&transaction, exposures, EXPOSED_MAX.saturating_sub(self.exposed))?;
        {
            let sql = "INSERT INTO served (request_id, time, user_id, log_seq, bundle, content)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
            let mut insert = transaction.prepare_cached(sql)?;
            for request in requests {
                let content = match postcard::to_stdvec(request) {
                    Ok(content) => content,
                    Err(error) => {
                        self.dropped.fetch_add(1, Ordering::Relaxed);
                        tracing::warn!(request_id = %request.request_id, %error, "a request cannot be kept");
                        continue;
                    }
                };
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
        transaction.commit()?;
        self.exposed += kept.new;
        self.dropped.fetch_add(kept.left_out, Ordering::Relaxed);
        Ok(())
    }
}

/// Keeps exposures, while there is room for that many users; how many came to which end.
fn write_exposures(served: &Connection, exposures: &[Exposure], mut room: u64) -> Result<Kept, StoreError> {
    let mut again = served.prepare_cached(
        "UPDATE exposed SET requests = requests + 1, first = min(first, ?4)
         WHERE experiment = ?1 AND user_id = ?2 AND variant = ?3",
    )?;
    let mut add = served.prepare_cached(
        "INSERT INTO exposed (experiment, user_id, variant, first, requests) VALUES (?1, ?2, ?3, ?4, 1)",
    )?;
    let mut kept = Kept::default();
    for Exposure { assignment, user_id, time } in exposures {
        let row = (&assignment.experiment, user_id.as_str(), &assignment.variant, time.as_micros());
        if again.execute(row)? > 0 {
            continue;
        }
        if room == 0 {
            kept.left_out += 1;
            continue;
        }
        add.execute(row)?;
        room -= 1;
        kept.new += 1;
    }
    Ok(kept)
}

/// What became of exposures.
#[derive(Debug, Default)]
struct Kept {
    /// The first of their user.
    new: u64,
    /// Without room.
    left_out: u64,
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
