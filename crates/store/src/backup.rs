//! Copies of a whole store: a backup is a store of its own, and to restore is to copy it back.

use std::io::{self, Write};
use std::path::Path;

use rusqlite::types::{ToSqlOutput, Value};
use rusqlite::{Connection, Transaction, params_from_iter};
use shortlist_types::LogSeq;

use crate::connection;
use crate::durable_file::{rename_synced, sync_dir};
use crate::file_lock::FileLock;
use crate::limits::COPIED_TOGETHER_MAX;
use crate::log::reader::{bound, check};
use crate::log::wal::empty_wal;
use crate::store::log_path;
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
    /// What is damaged and was left out, with the damage: a copy does without it.
    pub left_out: Vec<String>,
}

/// A store's own configuration.
const CONFIG_FILE: &str = "shortlist.toml";
/// Where a copy is while it is made: inside its folder, which may be a disk of its own.
const STAGING: &str = ".tmp-copy";
/// Held while a copy is made.
const LOCK_FILE: &str = ".copy.lock";
/// What may be in a folder that counts as empty; the last is in every new file system.
const OF_NO_STORE: [&str; 3] = [STAGING, LOCK_FILE, "lost+found"];

impl Store {
    /// Copies the store, as it is now, into a folder that does not exist or is empty; a live server goes
    /// on beside it. All is checked on the way: records against the chain, bundles and checkpoints
    /// against their hashes. The copy becomes a store at the very end, and is one like any other.
    ///
    /// **Cost**: about 3 us per record; the log is read in ranges, so that the WAL does not grow.
    ///
    /// # Errors
    /// [`StoreError::NotEmpty`], [`StoreError::CopyUnderWay`]; a damaged record or current bundle, by name;
    /// the disk.
    pub fn copy_to(&self, target: &Path, progress: &mut dyn FnMut(LogSeq)) -> Result<Copied, StoreError> {
        refuse_what_is_used(target)?;
        fs_err::create_dir_all(target)?;
        let lock_file = target.join(LOCK_FILE);
        let lock = FileLock::try_acquire(&lock_file)?;
        let _alone = lock.ok_or_else(|| StoreError::CopyUnderWay { dir: target.to_owned() })?;
        // Another copy may have ended in between.
        refuse_what_is_used(target)?;
        let staging = target.join(STAGING);
        if staging.exists() {
            // A copy of before that was killed.
            fs_err::remove_dir_all(&staging)?;
        }
        let copied = self.copy_into(&staging, progress).and_then(|copied| {
            move_up(&staging, target)?;
            Ok(copied)
        });
        if copied.is_err() {
            // Half a copy is of no use, and the disk may be full.
            let _ = fs_err::remove_dir_all(&staging);
        }
        fs_err::remove_file(&lock_file)?;
        copied
    }

    fn copy_into(&self, dir: &Path, progress: &mut dyn FnMut(LogSeq)) -> Result<Copied, StoreError> {
        // Before the start is read, so that no cut moves it.
        let _pin = self.pin("backup", LogSeq::default())?;
        let reader = self.reader()?;
        let start = reader.start()?;
        let target = Self::open_or_create(dir)?;
        let head = reader.head()?;
        let mut log = connection::open(dir, &target.log_path())?;
        copy_records(&reader, &mut log, start, head, progress)?;
        copy_small_tables(reader.connection(), &mut log, head)?;
        let mut left_out = Vec::new();
        let checkpoints = self.copy_checkpoints(&target, (start, head), &mut left_out)?;
        let bundles = self.registry().copy_to(&target.registry(), &mut left_out)?;
        let own_config = self.dir().join(CONFIG_FILE);
        if own_config.is_file() {
            fs_err::copy(&own_config, dir.join(CONFIG_FILE))?;
            fs_err::File::open(dir.join(CONFIG_FILE))?.sync_all()?;
        }
        empty_wal(&log)?;
        sync_dir(dir)?;
        Ok(Copied { head, records: head.log_seq.0 - start.log_seq.0, bundles, checkpoints, left_out })
    }

    /// A log that was cut needs one of them; any other gives the state by itself.
    fn copy_checkpoints(
        &self,
        target: &Self,
        (start, head): (LogHead, LogHead),
        left_out: &mut Vec<String>,
    ) -> Result<usize, StoreError> {
        let mut copied = 0;
        let mut damage = None;
        for checkpoint in self.checkpoints()?.into_iter().filter(|checkpoint| checkpoint.at.log_seq <= head.log_seq) {
            match self.read_checkpoint(&checkpoint) {
                Ok(bytes) => {
                    let write = |out: &mut dyn Write| Ok::<_, StoreError>(out.write_all(&bytes)?);
                    target.add_checkpoint(checkpoint.at, &checkpoint.schema, write)?;
                    copied += 1;
                }
                // Damaged, or the server replaced it meanwhile.
                Err(error @ StoreError::DamagedCheckpoint { .. }) => {
                    left_out.push(error.to_string());
                    damage = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        match damage {
            Some(damage) if copied == 0 && start.log_seq > LogSeq::default() => Err(damage),
            _ => Ok(copied),
        }
    }
}

fn refuse_what_is_used(target: &Path) -> Result<(), StoreError> {
    let not_empty = || StoreError::NotEmpty { dir: target.to_owned() };
    if !target.try_exists()? {
        return Ok(());
    }
    if !target.is_dir() {
        return Err(not_empty());
    }
    for entry in fs_err::read_dir(target)? {
        let name = entry?.file_name();
        if !OF_NO_STORE.iter().any(|known| name == *known) {
            return Err(not_empty());
        }
    }
    Ok(())
}

/// Moves a copy that is whole to its place. The log comes last: without it the folder is no store.
fn move_up(staging: &Path, target: &Path) -> Result<(), StoreError> {
    let log = log_path(staging);
    let entries = fs_err::read_dir(staging)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    for from in entries.into_iter().filter(|from| *from != log).chain([log.clone()]) {
        let name = from.file_name().unwrap_or_default().to_owned();
        rename_synced(&from, &target.join(name))?;
    }
    fs_err::remove_dir(staging)?;
    Ok(sync_dir(target)?)
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

/// Copies what belongs to the records up to `head`; the bounds last, so that none of the ids that they call
/// known was forgotten before it was copied.
fn copy_small_tables(from: &Connection, to: &mut Connection, head: LogHead) -> Result<(), StoreError> {
    let head = bound(head.log_seq);
    let transaction = to.transaction()?;
    copy_event_ids(from, &transaction, head)?;
    transaction.execute("DELETE FROM log_bounds", [])?;
    for (table, condition) in [("arrivals", "log_seq <= ?1"), ("properties", "?1 = ?1"), ("log_bounds", "?1 = ?1")] {
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
