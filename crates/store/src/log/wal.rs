use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::limits::{WAL_EMPTY_PAUSE, WAL_EMPTY_WAIT};
use crate::{Store, StoreError};

/// How long one try holds up the writer.
const TRY: Duration = Duration::from_millis(20);

impl Store {
    /// Moves what the WAL of the log holds into the database and cuts it to nothing, beside whoever reads and
    /// writes: until then it holds what was there before an erasure.
    ///
    /// **Cost**: tries for [`WAL_EMPTY_WAIT`] at most; a commit waits for 20 ms of it at a time.
    ///
    /// # Errors
    /// [`StoreError::WalHeld`] if somebody reads all that time; the database cannot be written.
    pub fn empty_wal(&self) -> Result<(), StoreError> {
        empty_wal_soon(&self.connect()?)
    }
}

/// Empties the WAL of a database within [`WAL_EMPTY_WAIT`].
pub(crate) fn empty_wal_soon(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(TRY)?;
    let begun = Instant::now();
    loop {
        // First what needs nobody to wait.
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        if empty_wal(connection)? {
            return Ok(());
        }
        if begun.elapsed() >= WAL_EMPTY_WAIT {
            return Err(StoreError::WalHeld);
        }
        sleep(WAL_EMPTY_PAUSE);
    }
}

/// Whether the WAL is empty now: a reader or a writer may be in the way.
pub(crate) fn empty_wal(connection: &Connection) -> Result<bool, StoreError> {
    Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok(row.get::<_, i64>(0)? == 0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::event;

    #[test]
    fn the_wal_is_emptied_beside_an_appender_and_not_under_a_reader() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_or_create(dir.path()).unwrap();
        let mut appender = store.lock_log().unwrap();
        appender.append(&[event(1)]).unwrap();
        let wal = dir.path().join("shortlist.db-wal");
        assert!(fs_err::metadata(&wal).unwrap().len() > 0);
        store.empty_wal().unwrap();
        assert_eq!(fs_err::metadata(&wal).unwrap().len(), 0);

        appender.append(&[event(2)]).unwrap();
        let mut reader = store.connect().unwrap();
        let reading = reader.transaction().unwrap();
        reading.query_row("SELECT count(*) FROM log", [], |_| Ok(())).unwrap();
        appender.append(&[event(3)]).unwrap();
        assert!(matches!(store.empty_wal(), Err(StoreError::WalHeld)));
        drop(reading);
        store.empty_wal().unwrap();
        assert_eq!(fs_err::metadata(&wal).unwrap().len(), 0);
    }
}
