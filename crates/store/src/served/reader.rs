use std::collections::BTreeMap;

use rusqlite::Connection;
use shortlist_types::{LogSeq, RequestId, Timestamp, UserId};

use crate::served::{Exposed, ServedRequest};
use crate::{BundleId, StoreError};

/// Reads the served log, also while a server writes to it.
#[derive(Debug)]
pub struct ServedReader {
    connection: Connection,
}

impl ServedReader {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection }
    }

    /// Requests that are kept.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn count(&self) -> Result<u64, StoreError> {
        let count: i64 = self.connection.query_row("SELECT count(*) FROM served", [], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// The states that served, each with its number of requests, ascending.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn states(&self) -> Result<Vec<(LogSeq, u64)>, StoreError> {
        let sql = "SELECT log_seq, count(*) FROM served GROUP BY log_seq ORDER BY log_seq";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let (log_seq, count): (i64, i64) = (row.get(0)?, row.get(1)?);
            Ok((LogSeq(log_seq.cast_unsigned()), count.cast_unsigned()))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The bundles that served, each with the last state that it served with.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn bundles(&self) -> Result<BTreeMap<BundleId, LogSeq>, StoreError> {
        let sql = "SELECT bundle, max(log_seq) FROM served WHERE bundle IS NOT NULL GROUP BY bundle";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        let mut bundles = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let last = LogSeq(row.get::<_, i64>(1)?.cast_unsigned());
            bundles.insert(BundleId::parse(&row.get::<_, String>(0)?)?, last);
        }
        Ok(bundles)
    }

    /// The requests that one state served, in the order in which they were kept.
    ///
    /// # Errors
    /// [`StoreError::DamagedServed`] names the first row that cannot be read.
    pub fn of_state(&self, log_seq: LogSeq) -> Result<Vec<ServedRequest>, StoreError> {
        let sql = "SELECT request_id, content FROM served WHERE log_seq = ?1 ORDER BY number";
        self.requests(sql, log_seq.0.cast_signed())
    }

    /// The request of that name, if it was kept.
    ///
    /// # Errors
    /// As [`Self::of_state`].
    pub fn find(&self, request_id: &RequestId) -> Result<Option<ServedRequest>, StoreError> {
        let sql = "SELECT request_id, content FROM served WHERE request_id = ?1";
        Ok(self.requests(sql, request_id.as_str())?.pop())
    }

    /// Calls `each` with every user that an experiment was shown to, in order of user and variant.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn exposed(&self, experiment: &str, each: &mut dyn FnMut(Exposed)) -> Result<(), StoreError> {
        let sql =
            "SELECT variant, user_id, first, requests FROM exposed WHERE experiment = ?1 ORDER BY user_id, variant";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([experiment])?;
        while let Some(row) = rows.next()? {
            let (variant, user_id, first, requests): (String, String, i64, i64) =
                (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            let (user_id, first) = (UserId::parse(&user_id)?, Timestamp::from_micros(first)?);
            each(Exposed { variant, user_id, first, requests: requests.cast_unsigned() });
        }
        Ok(())
    }

    fn requests(&self, sql: &str, of: impl rusqlite::ToSql) -> Result<Vec<ServedRequest>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([of])?;
        let mut requests = Vec::new();
        while let Some(row) = rows.next()? {
            let content = row.get_ref(1)?.as_blob().ok().and_then(|bytes| postcard::from_bytes(bytes).ok());
            requests.push(content.ok_or_else(|| StoreError::DamagedServed {
                request_id: row.get::<_, String>(0).unwrap_or_else(|_| "without a name".to_owned()),
            })?);
        }
        Ok(requests)
    }
}
