use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};
use shortlist_types::LogSeq;

use crate::limits::PIN_LEASE;
use crate::log::reader::bound;
use crate::{Store, StoreError};

/// Keeps retention from removing what its owner still reads, until it is dropped. A lease that a
/// thread renews: that of a process that was killed ends by itself.
#[derive(Debug)]
pub struct Pin {
    shared: Arc<Shared>,
    renewal: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    name: String,
    log_seq: LogSeq,
    dropped: Mutex<bool>,
    changed: Condvar,
}

impl Store {
    /// Asks retention to keep what comes after `log_seq`. `reader` says who asks, such as `train`.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn pin(&self, reader: &str, log_seq: LogSeq) -> Result<Pin, StoreError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{reader} {}-{number}", std::process::id());
        let (dropped, changed) = (Mutex::new(false), Condvar::new());
        let shared = Arc::new(Shared { store: self.clone(), name, log_seq, dropped, changed });
        shared.renew()?;
        let theirs = Arc::clone(&shared);
        let renewal = thread::Builder::new().name("log-pin".to_owned()).spawn(move || theirs.keep())?;
        Ok(Pin { shared, renewal: Some(renewal) })
    }
}

impl Shared {
    fn renew(&self) -> Result<(), StoreError> {
        let now = self.store.now();
        let until = now.plus_seconds(i64::try_from(PIN_LEASE.as_secs()).unwrap_or(i64::MAX));
        let connection = self.store.connect()?;
        connection.execute("DELETE FROM pins WHERE until <= ?1", [now.as_micros()])?;
        let sql = "INSERT OR REPLACE INTO pins VALUES (?1, ?2, ?3)";
        connection.execute(sql, (&self.name, bound(self.log_seq), until.as_micros()))?;
        Ok(())
    }

    fn keep(&self) {
        let mut dropped = self.dropped.lock();
        while !*dropped {
            self.changed.wait_for(&mut dropped, PIN_LEASE / 3);
            if !*dropped && let Err(error) = self.renew() {
                tracing::warn!(%error, pin = self.name, "a pin was not renewed; it is tried again");
            }
        }
    }

    fn remove(&self) -> Result<(), StoreError> {
        self.store.connect()?.execute("DELETE FROM pins WHERE name = ?1", [&self.name])?;
        Ok(())
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        *self.shared.dropped.lock() = true;
        self.shared.changed.notify_all();
        if let Some(renewal) = self.renewal.take() {
            let _ = renewal.join();
        }
        if let Err(error) = self.shared.remove() {
            tracing::warn!(%error, pin = self.shared.name, "a pin was not removed; its lease ends by itself");
        }
    }
}
