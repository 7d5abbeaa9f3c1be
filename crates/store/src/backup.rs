//! Copies of a whole store: a backup is a store of its own, and to restore is to copy it back.

use std::path::{Path, PathBuf};

use rusqlite::types::{ToSqlOutput, Value};
use rusqlite::{Connection, Transaction, params_from_iter};
use shortlist_types::LogSeq;

use crate::connection;
use crate::durable_file::{rename_synced, sync_dir};
use crate::limits::COPIED_TOGETHER_MAX;
use crate::log::reader::{bound, check};
use crate::{LogHead, LogReader, RecordDamage, Store, StoreError};

/// What a copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Its last record.
    pub head: LogHead,
    /// Records of its log.
    pub records: u64,
    /// Bundles.
    pub bundles: usize,
    /// Checkpoints.
    pub checkpoints: usize,
}

impl Store {
    /// Copies the store, as it is now, into a folder that does not exist or is empty; a live server goes
    /// on beside it. All is checked on the way: records against the chain, bundles and checkpoints
    /// against their hashes. The copy appears whole or not at all, and is a store like any other.
    ///
    /// **Cost**: about 3 us per record; the log is read in ranges, so that the WAL does not grow.
    ///
    /// # Errors
    /// [`StoreError::NotEmpty`]; what is damaged, by name; the disk.
    pub fn copy_to(&self, target: &Path, progress: &mut dyn FnMut(LogSeq)) -> Result<Copied, StoreError> {
        if target.is_dir() && fs_err::read_dir(target)?.next().is_some() || target.is_file() {
            return Err(StoreError::NotEmpty { dir: target.to_owned() });
        }
        let staging = staging_of(target);
        if staging.exists() {
            // A copy of before that was killed.
            fs_err::remove_dir_all(&staging)?;
        }
        match self.copy_into(&staging, progress) {
            Ok(copied) => {
                if target.is_dir() {
                    fs_err::remove_dir(target)?;
                }
                rename_synced(&staging, target)?;
                Ok(copied)
            }
            Err(error) => {
                // Half a copy is of no use, and the disk may be full.
                let _ = fs_err::remove_dir_all(&staging);
                Err(error)
            }
        }
    }

    fn copy_into(&self, dir: &Path, progress: &mut dyn FnMut(LogSeq)) -> Result<Copied, StoreError> {
        let reader = self.reader()?;
        let start = reader.start()?;
        let _pin = self.pin("backup", start.log_seq)?;
        let target = Self::open_or_create(dir)?;
        let head = reader.head()?;
        let mut log = connection::open(dir, &target.log_path())?;
        copy_records(&reader, &mut log, start, head, progress)?;
        copy_small_tables(reader.connection(), &mut log, head)?;
        let checkpoints = self.copy_checkpoints(&target, head)?;
        let bundles = self.registry().copy_to(&target.registry())?;
        let own_config = self.dir().join(CONFIG_FILE);
        if own_config.is_file() {
            fs_err::copy(&own_config, dir.join(CONFIG_FILE))?;
            fs_err::File::open(dir.join(CONFIG_FILE))?.sync_all()?;
        }
        log.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        sync_dir(dir)?;
        Ok(Copied { head, records: head.log_seq.0 - start.log_seq.0, bundles, checkpoints })
    }

    fn copy_checkpoints(&self, target: &Self, head: LogHead) -> Result<usize, StoreError> {
        let mut copied = 0;
        for checkpoint in self.checkpoints()?.into_iter().filter(|checkpoint| checkpoint.at.log_seq <= head.log_seq) {
            let bytes = match self.read_checkpoint(&checkpoint) {
                Ok(bytes) => bytes,
                // The server replaced it meanwhile; the log gives the state as well, unless it was cut.
                Err(StoreError::DamagedCheckpoint { .. }) if copied > 0 => continue,
                Err(error) => return Err(error),
            };
            target
                .add_checkpoint(checkpoint.at, &checkpoint.schema, |out| Ok::<_, StoreError>(out.write_all(&bytes)?))?;
            copied += 1;
        }
        Ok(copied)
    }
}

/// A store's own configuration.
const CONFIG_FILE: &str = "shortlist.toml";

/// Where a copy is while it is made, beside its place.
fn staging_of(target: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".tmp-");
    name.push(target.file_name().unwrap_or_default());
    target.with_file_name(name)
}

/// Copies the rows as they are, and checks each.
fn copy_records(
    from: &LogReader,
    to: &mut Connection,
    start: LogHead,
    head: LogHead,
    progress: &mut dyn FnMut(LogSeq),
) -> Result<(), StoreError> {
    let sql = "SELECT log_seq, kind, time, payload, checksum FROM log WHERE log_seq > ?1 ORDER BY log_seq LIMIT ?2";
    let mut rows_after = from.connection().prepare(sql)?;
    let mut position = start;
    while position.log_seq < head.log_seq {
        let transaction = to.transaction()?;
        {
            let limit = COPIED_TOGETHER_MAX.min(bound(head.log_seq) - bound(position.log_seq));
            let mut insert = transaction.prepare_cached("INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5)")?;
            let mut rows = rows_after.query([bound(position.log_seq), limit])?;
            let begin = position.log_seq;
            while let Some(row) = rows.next()? {
                let log_seq = position.log_seq.next();
                position = check(row, position).map_err(|damage| StoreError::DamagedRecord { log_seq, damage })?.next;
                let column = |i| row.get_ref(i).map(ToSqlOutput::Borrowed);
                insert.execute((column(0)?, column(1)?, column(2)?, column(3)?, column(4)?))?;
            }
            if position.log_seq == begin {
                let (log_seq, damage) = (begin.next(), RecordDamage::Missing);
                return Err(StoreError::DamagedRecord { log_seq, damage });
            }
        }
        transaction.commit()?;
        progress(position.log_seq);
    }
    Ok(())
}

/// Copies what belongs to the records up to `head`.
fn copy_small_tables(from: &Connection, to: &mut Connection, head: LogHead) -> Result<(), StoreError> {
    let head = bound(head.log_seq);
    let transaction = to.transaction()?;
    transaction.execute("DELETE FROM log_bounds", [])?;
    for (table, condition) in [("log_bounds", "?1 = ?1"), ("arrivals", "log_seq <= ?1"), ("properties", "?1 = ?1")] {
        let mut select = from.prepare(&format!("SELECT * FROM {table} WHERE {condition}"))?;
        let columns = select.column_count();
        let places = vec!["?"; columns].join(", ");
        let mut insert = transaction.prepare(&format!("INSERT INTO {table} VALUES ({places})"))?;
        let mut rows = select.query([head])?;
        while let Some(row) = rows.next()? {
            let values = (0..columns).map(|i| row.get::<_, Value>(i)).collect::<Result<Vec<_>, _>>()?;
            insert.execute(params_from_iter(values))?;
        }
    }
    copy_event_ids(from, &transaction, head)?;
    Ok(transaction.commit()?)
}

/// In ranges of the hash, so that no read is long.
fn copy_event_ids(from: &Connection, to: &Transaction<'_>, head: i64) -> Result<(), StoreError> {
    let sql = "SELECT hash, log_seq FROM event_ids WHERE hash > ?1 ORDER BY hash LIMIT ?2";
    let mut after: Vec<u8> = Vec::new();
    let mut insert = to.prepare("INSERT INTO event_ids VALUES (?1, ?2)")?;
    loop {
        let mut select = from.prepare_cached(sql)?;
        let mut rows = select.query((&after, COPIED_TOGETHER_MAX))?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let (hash, log_seq): (Vec<u8>, i64) = (row.get(0)?, row.get(1)?);
            if log_seq <= head {
                insert.execute((&hash, log_seq))?;
            }
            last = Some(hash);
        }
        match last {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}
