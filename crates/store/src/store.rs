use std::path::{Path, PathBuf};

use rusqlite::OptionalExtension;
use shortlist_types::{InvalidInput, Timestamp};

use crate::connection::{self, Identity};
use crate::durable_file::sync_dir;
use crate::file_lock::FileLock;
use crate::limits::{PROPERTY_KEY_BYTES_MAX, PROPERTY_VALUE_BYTES_MAX};
use crate::{Clock, LogAppender, LogReader, Registry, StoreError};

const LOG_FILE: &str = "shortlist.db";
const LOG_LOCK_FILE: &str = "log.lock";

/// Where the log of a store is.
pub(crate) fn log_path(dir: &Path) -> PathBuf {
    dir.join(LOG_FILE)
}

/// One store directory. Opening it takes no lock: many processes may read beside the one that appends.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// use shortlist_store::Store;
/// let store = Store::open_or_create(dir.path()).unwrap();
/// store.set_property("made_by", "an example").unwrap();
/// assert_eq!(Store::open(dir.path()).unwrap().property("made_by").unwrap().as_deref(), Some("an example"));
/// ```
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
    clock: Clock,
}

impl Store {
    /// The store in `dir`, created if there is none.
    ///
    /// # Errors
    /// A file of another program or of a newer version in its place, which is left as it is.
    pub fn open_or_create(dir: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let store = Self { dir: dir.into(), clock: Clock::default() };
        let log = store.dir.join(LOG_FILE);
        if connection::identity_of(&log)? == Identity::Empty {
            let registry = store.registry();
            registry.create_folder()?;
            let _alone = registry.lock()?;
            connection::create_if_empty(&log)?;
            sync_dir(&store.dir)?;
            // The folder itself is a name in its parent.
            if let Some(parent) = fs_err::canonicalize(&store.dir)?.parent() {
                sync_dir(parent)?;
            }
        }
        Self::open(store.dir)
    }

    /// The store in `dir`.
    ///
    /// # Errors
    /// [`StoreError::NotAStore`] if there is none; a file of another program or of a newer version.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let store = Self { dir: dir.into(), clock: Clock::default() };
        let log = store.dir.join(LOG_FILE);
        if connection::identity_of(&log)? == Identity::Older {
            let _alone = store.try_lock()?;
            connection::upgrade(&log, store.clock.now())?;
            tracing::info!(log = %log.display(), "brought the log to format 2");
        }
        store.connect()?;
        Ok(store)
    }

    /// The same store with another clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What was kept under `key`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn property(&self, key: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT value FROM properties WHERE key = ?1";
        Ok(self.connect()?.query_row(sql, [key], |row| row.get(0)).optional()?)
    }

    /// Keeps a small text under `key`, in place of what was there.
    ///
    /// # Errors
    /// A key or value beyond its limit, or the database cannot be written.
    pub fn set_property(&self, key: &str, value: &str) -> Result<(), StoreError> {
        for (field, text, limit) in [("key", key, PROPERTY_KEY_BYTES_MAX), ("value", value, PROPERTY_VALUE_BYTES_MAX)] {
            if text.len() > limit {
                let reason = format!("must be at most {limit} bytes, got {}", text.len());
                return Err(InvalidInput::new(field, reason).within("property").into());
            }
        }
        let sql = "INSERT INTO properties VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
        self.connect()?.execute(sql, [key, value])?;
        Ok(())
    }

    /// A reader of the log; it works beside a live writer in this or another process.
    ///
    /// # Errors
    /// The database cannot be opened.
    pub fn reader(&self) -> Result<LogReader, StoreError> {
        Ok(LogReader::new(self.connect()?))
    }

    /// The right to append, held until the appender is dropped.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process, or another appender of this one, holds it.
    pub fn lock_log(&self) -> Result<LogAppender, StoreError> {
        let lock = self.try_lock()?;
        LogAppender::new(self, lock)
    }

    fn try_lock(&self) -> Result<FileLock, StoreError> {
        FileLock::try_acquire(&self.dir.join(LOG_LOCK_FILE))?
            .ok_or_else(|| StoreError::Locked { dir: self.dir.clone() })
    }

    /// The bundles of this store.
    pub fn registry(&self) -> Registry {
        Registry::of(&self.dir)
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The time by the store's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        log_path(&self.dir)
    }

    pub(crate) fn connect(&self) -> Result<rusqlite::Connection, StoreError> {
        connection::open(&self.dir, &self.log_path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{event, item_put, named_event, time};
    use rusqlite::Connection;
    use shortlist_types::{Attributes, ItemId, LogRecord, User, UserId};

    fn database(store: &Store) -> Connection {
        Connection::open(store.dir().join(LOG_FILE)).unwrap()
    }

    #[test]
    fn a_folder_without_a_store_is_named_with_the_way_out_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let error = Store::open(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::NotAStore { .. }));
        assert!(error.to_string().contains("shortlist quickstart"), "{error}");
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn foreign_files_are_refused_and_left_as_they_are() {
        for content in [&b"hello"[..], &[7; 5_000], b"SQLite format 3\0 and then nonsense"] {
            let dir = tempfile::tempdir().unwrap();
            fs_err::write(dir.path().join(LOG_FILE), content).unwrap();
            for result in [Store::open(dir.path()), Store::open_or_create(dir.path())] {
                let error = result.unwrap_err();
                assert!(matches!(error, StoreError::ForeignFile { .. }), "{error}");
            }
            assert_eq!(fs_err::read(dir.path().join(LOG_FILE)).unwrap(), content);
        }
    }

    #[test]
    fn a_database_of_another_program_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOG_FILE);
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
        let before = fs_err::read(&path).unwrap();
        assert!(matches!(Store::open_or_create(dir.path()), Err(StoreError::ForeignFile { .. })));
        assert_eq!(fs_err::read(&path).unwrap(), before);
    }

    #[test]
    fn a_newer_format_is_refused_with_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_or_create(dir.path()).unwrap();
        database(&store).pragma_update(None, "user_version", 3).unwrap();
        let error = Store::open_or_create(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::NewerFormat { found: 3, supported: 2, .. }), "{error}");
        assert!(error.to_string().contains("newer version"), "{error}");
    }

    #[test]
    fn creating_twice_keeps_what_is_there_also_at_once() {
        // One look between another creator's steps is rare: several rounds.
        for _ in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| Store::open_or_create(dir.path()).unwrap());
                }
            });
        }
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_or_create(dir.path()).unwrap();
        store.lock_log().unwrap().append(&[event(1)]).unwrap();
        let head = Store::open_or_create(dir.path()).unwrap().reader().unwrap().head().unwrap();
        assert_eq!(head.log_seq.0, 1);
    }

    #[test]
    fn a_property_is_replaced_and_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_or_create(dir.path()).unwrap();
        assert_eq!(store.property("seed").unwrap(), None);
        store.set_property("seed", "1").unwrap();
        store.set_property("seed", "2").unwrap();
        assert_eq!(store.property("seed").unwrap().as_deref(), Some("2"));
        let error = store.set_property("seed", &"x".repeat(PROPERTY_VALUE_BYTES_MAX + 1)).unwrap_err();
        assert!(error.to_string().starts_with("property.value: must be at most"), "{error}");
    }

    #[test]
    fn a_second_lock_is_refused_with_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_or_create(dir.path()).unwrap();
        let appender = store.lock_log().unwrap();
        let error = store.lock_log().unwrap_err();
        assert!(matches!(error, StoreError::Locked { .. }));
        assert!(error.to_string().contains("send events through its API"), "{error}");
        drop(appender);
        store.lock_log().unwrap();
    }

    #[test]
    fn the_views_return_what_was_put() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_or_create(dir.path()).unwrap();
        let user_id = UserId::parse("u").unwrap();
        let user = User { user_id: user_id.clone(), attributes: Attributes::default() };
        let gone = UserId::parse("gone").unwrap();
        let records = [
            named_event(7),
            item_put(1, "a", "old"),
            item_put(2, "b", "deleted"),
            item_put(3, "a", "new"),
            LogRecord::ItemDelete { timestamp: time(4), item_id: ItemId::parse("b").unwrap() },
            item_put(5, "c", "deleted and back"),
            LogRecord::ItemDelete { timestamp: time(6), item_id: ItemId::parse("c").unwrap() },
            item_put(7, "c", "back"),
            LogRecord::UserPut { timestamp: time(8), user: user.clone() },
            LogRecord::UserPut { timestamp: time(8), user: User { user_id: gone.clone(), ..user } },
            LogRecord::UserDelete { timestamp: time(9), user_id: gone },
        ];
        store.lock_log().unwrap().append(&records).unwrap();

        let lines = |sql: &str| -> Vec<String> {
            let database = database(&store);
            let mut statement = database.prepare(sql).unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        assert_eq!(
            lines(
                "SELECT log_seq || ' ' || event_id || ' ' || user_id || ' ' || item_id || ' ' || event_type || ' ' ||
                 round(value, 3) || ' ' || timestamp || ' ' || coalesce(request_id, '-') || ' ' || position FROM events"
            ),
            ["1 event-7 user-7 item-7 click 0.7 2023-11-14T22:13:27Z - 7"]
        );
        assert_eq!(
            lines(
                "SELECT item_id || ' ' || available || ' ' || attributes || ' ' || updated_at || ' ' || log_seq
                 FROM items ORDER BY 1"
            ),
            [r#"a 1 {"title":"new"} 2023-11-14T22:13:23Z 4"#, r#"c 1 {"title":"back"} 2023-11-14T22:13:27Z 8"#]
        );
        assert_eq!(lines("SELECT user_id || ' ' || attributes || ' ' || log_seq FROM users"), ["u {} 9"]);
    }
}
