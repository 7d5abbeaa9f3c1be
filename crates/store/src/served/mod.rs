//! The served log: for a share of all requests, what was shown and what it was decided by; and for all requests of an
//! experiment, who was shown which variant. A file of its own
//! beside the log, bounded in bytes, written off the hot path; it may lose its last rows, the log may not.

mod exposure;
mod reader;
mod served_request;
mod writer;

use std::path::{Path, PathBuf};

pub use exposure::{Assignment, Exposed, Exposure};
pub use reader::ServedReader;
use rusqlite::{Connection, OpenFlags};
pub use served_request::{ServedCandidate, ServedRecent, ServedRequest};
pub use writer::ServedLog;

use crate::limits::{DATABASE_WAIT, WAL_BYTES_KEPT};
use crate::{Store, StoreError};

pub(crate) const FILE: &str = "served.db";
/// "shsv": how a SQLite file says that it is a served log.
const APPLICATION_ID: i32 = 0x7368_7376;
/// The format that this release writes and reads. It changes with [`ServedRequest`]; rows of an older one are
/// given up: they were made by features that are computed no more.
const FORMAT: i32 = 4;
const SCHEMA: &str = include_str!("schema.sql");

fn path_of(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

/// A connection to the served log of a store, which is made if there is none.
fn create(dir: &Path) -> Result<Connection, StoreError> {
    let path = path_of(dir);
    let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_CREATE)?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    if !is_empty(&transaction)? && is_older(&transaction)? {
        transaction.execute_batch("DROP TABLE served; DROP TABLE IF EXISTS exposed")?;
    }
    if is_empty(&transaction)? {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
    }
    transaction.commit()?;
    check(&connection, &path)?;
    Ok(connection)
}

/// A connection to the served log of a store, if there is one.
fn open(dir: &Path) -> Result<Option<Connection>, StoreError> {
    let path = path_of(dir);
    if !path.is_file() {
        return Ok(None);
    }
    let connection = connect(&path, OpenFlags::empty())?;
    if is_empty(&connection)? || is_older(&connection)? {
        return Ok(None);
    }
    check(&connection, &path)?;
    Ok(Some(connection))
}

fn connect(path: &Path, extra: OpenFlags) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | extra;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(DATABASE_WAIT)?;
    let not_ours = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => StoreError::ForeignFile { path: path.to_owned() },
        _ => error.into(),
    };
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).map_err(not_ours)?;
    // A power loss may take the last rows; what is left is whole.
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES_KEPT, |_| Ok(()))?;
    // An erased user leaves no copy.
    connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

fn is_empty(connection: &Connection) -> Result<bool, StoreError> {
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(objects == 0)
}

/// The application and the format that a file says it is of.
fn says(connection: &Connection) -> Result<(i32, i32), StoreError> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    Ok((number("application_id")?, number("user_version")?))
}

fn is_older(connection: &Connection) -> Result<bool, StoreError> {
    let (application_id, format) = says(connection)?;
    Ok(application_id == APPLICATION_ID && (1..FORMAT).contains(&format))
}

fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let (application_id, format) = says(connection)?;
    match u32::try_from(format) {
        Ok(found) if application_id == APPLICATION_ID && format > FORMAT => {
            let supported = FORMAT.unsigned_abs();
            Err(StoreError::NewerFormat { path: path.to_owned(), found, supported })
        }
        _ if application_id == APPLICATION_ID && format == FORMAT => Ok(()),
        _ => Err(StoreError::ForeignFile { path: path.to_owned() }),
    }
}

impl Store {
    /// The served log, if requests were ever kept.
    ///
    /// # Errors
    /// A file of another program or of a newer version; it cannot be read.
    pub fn served(&self) -> Result<Option<ServedReader>, StoreError> {
        Ok(open(self.dir())?.map(ServedReader::new))
    }

    /// Removes what a user was shown, and by which variants. Whoever writes to the served log has it [`ServedLog::flush`]ed before.
    /// Returns how many requests those were.
    ///
    /// # Errors
    /// As [`Self::served`]; [`StoreError::WalHeld`] if a reader keeps the bytes in the WAL.
    pub fn erase_served(&self, user_id: &shortlist_types::UserId) -> Result<usize, StoreError> {
        let Some(connection) = open(self.dir())? else { return Ok(0) };
        let erased = connection.execute("DELETE FROM served WHERE user_id = ?1", [user_id.as_str()])?;
        connection.execute("DELETE FROM exposed WHERE user_id = ?1", [user_id.as_str()])?;
        crate::log::wal::empty_wal_soon(&connection)?;
        Ok(erased)
    }
}
