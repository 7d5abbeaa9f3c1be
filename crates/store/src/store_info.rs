use std::path::Path;

use rusqlite::{Connection, OptionalExtension};
use shortlist_types::{LogSeq, Timestamp};

use crate::log::encoded_record::EncodedRecord;
use crate::{BundleId, BundleInfo, DatabaseBytes, LogHead, Store, StoreError};

/// What a store holds, at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreInfo {
    /// The position before the first record, and the last record.
    pub log: (LogHead, LogHead),
    /// Events among its records.
    pub events: u64,
    /// Changes of the catalogue among its records.
    pub catalogue_changes: u64,
    /// Tombstones of erased users among its records.
    pub erased: u64,
    /// When the first and the last record say they happened.
    pub span: Option<(Timestamp, Timestamp)>,
    /// The database, and its WAL.
    pub database: DatabaseBytes,
    /// Bytes of the WAL.
    pub wal_bytes: u64,
    /// The record that the newest checkpoint follows, if there is one, and the bytes of all.
    pub checkpoint: Option<LogSeq>,
    /// Bytes of all checkpoints.
    pub checkpoint_bytes: u64,
    /// Bundles, the oldest first.
    pub bundles: Vec<BundleInfo>,
    /// Bytes of all bundles.
    pub bundle_bytes: u64,
    /// Requests that the served log keeps, and its bytes.
    pub served: (u64, u64),
    /// The bundle that serves.
    pub current: Option<BundleId>,
}

impl Store {
    /// What the store holds.
    ///
    /// **Cost**: looks at the catalogue's records and at the ends of the log, not at every event.
    ///
    /// # Errors
    /// The database or the registry cannot be read.
    pub fn info(&self) -> Result<StoreInfo, StoreError> {
        let reader = self.reader()?;
        let (start, head) = (reader.start()?, reader.head()?);
        let connection = reader.connection();
        let count = |condition: &str| -> Result<u64, StoreError> {
            let sql = format!("SELECT count(*) FROM log WHERE kind <> 'event' AND {condition}");
            Ok(connection.query_row(&sql, [], |row| row.get::<_, i64>(0))?.cast_unsigned())
        };
        let erased = count("kind = 'erased'")?;
        let catalogue_changes = count("kind <> 'erased'")?;
        let events = (head.log_seq.0 - start.log_seq.0).saturating_sub(erased + catalogue_changes);
        let span = match (end_of(connection, "ASC")?, end_of(connection, "DESC")?) {
            (Some(first), Some(last)) => Some((first, last)),
            _ => None,
        };
        let checkpoints = self.checkpoints()?;
        let registry = self.registry();
        Ok(StoreInfo {
            log: (start, head),
            events,
            catalogue_changes,
            erased,
            span,
            database: reader.database_bytes()?,
            wal_bytes: length_of(&self.log_path().with_extension("db-wal"))?,
            checkpoint: checkpoints.first().map(|checkpoint| checkpoint.at.log_seq),
            checkpoint_bytes: checkpoints.iter().map(|checkpoint| checkpoint.bytes).sum(),
            bundles: registry.list()?,
            bundle_bytes: registry.bytes()?,
            served: (
                self.served()?.map_or(Ok(0), |served| served.count())?,
                length_of(&self.dir().join(crate::served::FILE))?,
            ),
            current: registry.current()?,
        })
    }
}

fn end_of(log: &Connection, order: &str) -> Result<Option<Timestamp>, StoreError> {
    let sql = format!("SELECT kind, payload FROM log ORDER BY log_seq {order} LIMIT 1");
    let row = log.query_row(&sql, [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).optional()?;
    let decoded = row.and_then(|(kind, payload)| EncodedRecord::decode(kind.as_bytes(), payload.as_bytes()));
    Ok(decoded.map(|decoded| decoded.record.timestamp()))
}

fn length_of(path: &Path) -> Result<u64, StoreError> {
    match fs_err::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error.into()),
    }
}
