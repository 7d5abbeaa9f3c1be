use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use shortlist_types::Timestamp;

use crate::StoreError;
use crate::limits::{DATABASE_WAIT, WAL_BYTES_KEPT};
use crate::log::event_hash::EventHash;

/// "shls": how a SQLite file says that it is ours.
const APPLICATION_ID: i32 = 0x7368_6c73;
/// The format that this release writes, and the latest that it reads.
const FORMAT: i32 = 2;
/// Without bounds, arrivals, pins and checkpoints, and with event ids as they came.
const FORMAT_1: i32 = 1;
const SCHEMA: &str = include_str!("schema.sql");
/// The tables that format 1 did not have, or not so.
const SCHEMA_2: &str = include_str!("schema_2.sql");

/// What a database file says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Nothing was ever written: a creation that did not get further, or a new file.
    Empty,
    /// A log of the format before, which [`upgrade`] brings up to date.
    Older,
    /// A log of this format.
    Log,
}

/// A connection to an existing log, checked and with the settings that durability rests on.
///
/// # Errors
/// `NotAStore`, `ForeignFile`, `NewerFormat`; the file is not touched before it is known as ours.
pub(crate) fn open(dir: &Path, path: &Path) -> Result<Connection, StoreError> {
    let not_a_store = || StoreError::NotAStore { dir: dir.to_owned() };
    if !path.is_file() {
        return Err(not_a_store());
    }
    let connection = connect(path, OpenFlags::empty())?;
    match identify(&connection, path)? {
        Identity::Empty | Identity::Older => Err(not_a_store()),
        Identity::Log => {
            check_schema(&connection, path)?;
            configure(&connection).map_err(|error| in_words(error, path))?;
            Ok(connection)
        }
    }
}

/// What SQLite says of a file or folder that may not be written; also readers write beside the file.
fn in_words(error: StoreError, path: &Path) -> StoreError {
    match error {
        StoreError::Database(error) if error.sqlite_error_code() == Some(ErrorCode::ReadOnly) => {
            StoreError::ReadOnly { path: path.to_owned() }
        }
        other => other,
    }
}

/// Writes the schema into a file that holds none; the caller keeps other creators out.
pub(crate) fn create_if_empty(path: &Path) -> Result<(), StoreError> {
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_CREATE)?;
    if identify(&connection, path)? != Identity::Empty {
        return Ok(());
    }
    configure(&connection)?;
    // The marks are part of the transaction: a crash leaves an empty file or a whole log.
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.execute_batch(SCHEMA_2)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    Ok(transaction.commit()?)
}

/// Brings a log of format 1 up to date, in one transaction; the caller holds the log's lock.
///
/// Event ids were kept as they came and for ever; from now on they are of age `now`.
pub(crate) fn upgrade(path: &Path, now: Timestamp) -> Result<(), StoreError> {
    let mut connection = connect(path, OpenFlags::empty())?;
    if identify(&connection, path)? != Identity::Older {
        return Ok(());
    }
    configure(&connection)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch("ALTER TABLE event_ids RENAME TO event_ids_1")?;
    transaction.execute_batch(SCHEMA_2)?;
    {
        let mut ids = transaction.prepare("SELECT event_id, log_seq FROM event_ids_1")?;
        let mut insert = transaction.prepare("INSERT INTO event_ids VALUES (?1, ?2)")?;
        let mut rows = ids.query([])?;
        while let Some(row) = rows.next()? {
            let (id, log_seq): (String, i64) = (row.get(0)?, row.get(1)?);
            insert.execute((EventHash::of_text(&id).0, log_seq))?;
        }
    }
    transaction.execute("INSERT INTO arrivals SELECT 1, ?1 WHERE EXISTS (SELECT 1 FROM log)", [now.as_micros()])?;
    transaction.execute_batch("DROP TABLE event_ids_1")?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    Ok(transaction.commit()?)
}

/// What is at `path`; a missing file is `Empty`.
pub(crate) fn identity_of(path: &Path) -> Result<Identity, StoreError> {
    if !path.try_exists()? {
        return Ok(Identity::Empty);
    }
    identify(&connect(path, OpenFlags::empty())?, path)
}

fn connect(path: &Path, extra: OpenFlags) -> Result<Connection, StoreError> {
    // A connection is never shared between threads, so SQLite's own mutex is not needed.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | extra;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(DATABASE_WAIT)?;
    Ok(connection)
}

fn identify(connection: &Connection, path: &Path) -> Result<Identity, StoreError> {
    let foreign = || StoreError::ForeignFile { path: path.to_owned() };
    // One snapshot: beside a process that is creating the log, each read alone would see another state of it.
    let snapshot = connection.unchecked_transaction()?;
    let number = |pragma: &str| match snapshot.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0)) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => Err(foreign()),
        result => result.map_err(|error| in_words(error.into(), path)),
    };
    let (application_id, format) = (number("application_id")?, number("user_version")?);
    let objects: i64 = snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application_id, u32::try_from(format)) {
        (0, Ok(0)) if objects == 0 => Ok(Identity::Empty),
        (APPLICATION_ID, _) if format == FORMAT => Ok(Identity::Log),
        (APPLICATION_ID, _) if format == FORMAT_1 => Ok(Identity::Older),
        (APPLICATION_ID, Ok(found)) if format > FORMAT => {
            Err(StoreError::NewerFormat { path: path.to_owned(), found, supported: FORMAT.unsigned_abs() })
        }
        _ => Err(foreign()),
    }
}

/// Looks that every table, index and view is defined as it was written: SQLite reads rows by these texts,
/// and a changed one can make it see none. Those that somebody added are his own.
fn check_schema(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found = schema_of(connection)?;
    let expected = {
        let empty = Connection::open_in_memory()?;
        empty.execute_batch(SCHEMA)?;
        empty.execute_batch(SCHEMA_2)?;
        schema_of(&empty)?
    };
    match expected.into_iter().find(|(name, text)| found.get(name) != Some(text)) {
        Some((object, _)) => Err(StoreError::DamagedSchema { path: path.to_owned(), object }),
        None => Ok(()),
    }
}

/// The definition of each object, by name.
fn schema_of(connection: &Connection) -> Result<BTreeMap<String, (String, String)>, StoreError> {
    let sql = "SELECT name, tbl_name, coalesce(sql, '') FROM sqlite_schema";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Sets, and asserts, that a commit is on disk when it returns.
fn configure(connection: &Connection) -> Result<(), StoreError> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Setting { pragma: "journal_mode", expected: "wal", got: mode });
    }
    connection.pragma_update(None, "synchronous", "full")?;
    let level: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    if level != 2 {
        return Err(StoreError::Setting { pragma: "synchronous", expected: "2 (full)", got: level.to_string() });
    }
    // Where fsync only reaches the drive's cache (macOS), ask for the stronger call.
    connection.pragma_update(None, "fullfsync", true)?;
    // Damage that SQLite can see costs a comparison per page; a file from elsewhere gets no say in functions.
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES_KEPT, |_| Ok(()))?;
    // What is moved or removed leaves no copy behind, or an erased user would still be in the file.
    connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_commits_to_disk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shortlist.db");
        create_if_empty(&path).unwrap();
        let connection = open(dir.path(), &path).unwrap();
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        let level: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
        assert_eq!((mode.as_str(), level), ("wal", 2));
    }

    #[test]
    fn a_changed_definition_is_named_and_an_added_one_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shortlist.db");
        create_if_empty(&path).unwrap();
        let database = Connection::open(&path).unwrap();
        database.execute_batch("CREATE VIEW mine AS SELECT count(*) FROM log").unwrap();
        open(dir.path(), &path).unwrap();
        // One letter makes the row number another column, which is empty.
        let sql = "UPDATE sqlite_schema SET sql = replace(sql, 'log_seq  INTEGER PRIMARY', 'log_seq  INTEGES PRIMARY')
                   WHERE name = 'log'";
        database.execute_batch("PRAGMA writable_schema = on").unwrap();
        assert_eq!(database.execute(sql, []).unwrap(), 1);
        let error = open(dir.path(), &path).unwrap_err();
        assert!(matches!(&error, StoreError::DamagedSchema { object, .. } if object == "log"), "{error}");
    }

    #[test]
    fn what_may_not_be_written_is_said_with_the_way_out() {
        let read_only = |code| {
            let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            in_words(StoreError::from(error), Path::new("store/shortlist.db")).to_string()
        };
        // The file; the folder, in which readers of a WAL write, too.
        for code in [rusqlite::ffi::SQLITE_READONLY, rusqlite::ffi::SQLITE_READONLY_DIRECTORY] {
            let said = read_only(code);
            assert!(said.starts_with("store/shortlist.db cannot be written by this user"), "{said}");
        }
        assert!(!read_only(rusqlite::ffi::SQLITE_CANTOPEN).contains("cannot be written"));
    }

    #[test]
    fn a_database_that_cannot_use_wal_is_refused() {
        let connection = Connection::open_in_memory().unwrap();
        assert!(matches!(configure(&connection), Err(StoreError::Setting { pragma: "journal_mode", .. })));
    }

    #[test]
    fn a_creation_that_stopped_before_the_schema_is_not_a_store_and_is_taken_up_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shortlist.db");
        configure(&connect(&path, OpenFlags::SQLITE_OPEN_CREATE).unwrap()).unwrap();
        assert!(matches!(open(dir.path(), &path), Err(StoreError::NotAStore { .. })));
        create_if_empty(&path).unwrap();
        open(dir.path(), &path).unwrap();
    }
}
