//! Checkpoints of the fold: files in `checkpoints/`, named by what they follow and listed in the database.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use fs_err::File;
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use shortlist_types::LogSeq;

use crate::durable_file::{read_bounded, rename_synced, sync_dir};
use crate::limits::{CHECKPOINT_BYTES_MAX, CHECKPOINTS_KEPT};
use crate::log::reader::bound;
use crate::sha256::{hex, sha256_hex};
use crate::{LogHead, Store, StoreError};

const CHECKPOINTS_DIR: &str = "checkpoints";
const STAGING_PREFIX: &str = ".tmp-";
const FILE_PREFIX: &str = "c-";

/// One checkpoint as the database lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The record that it follows, and the chain of the log up to there.
    pub at: LogHead,
    /// Name of its file.
    pub file: String,
    /// Length of its file.
    pub bytes: u64,
    /// What the state was made by; a program that makes it otherwise cannot read it.
    pub schema: String,
    sha256: String,
}

impl Store {
    /// All checkpoints that belong to the log, the newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        let connection = self.connect()?;
        let sql = "SELECT log_seq, chain, file, bytes, schema, sha256 FROM checkpoints ORDER BY log_seq DESC";
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let (log_seq, chain): (i64, i64) = (row.get(0)?, row.get(1)?);
            let at = LogHead { log_seq: LogSeq(log_seq.cast_unsigned()), chain: chain.cast_unsigned() };
            let bytes = row.get::<_, i64>(3)?.cast_unsigned();
            Ok(Checkpoint { at, file: row.get(2)?, bytes, schema: row.get(4)?, sha256: row.get(5)? })
        })?;
        let all = rows.collect::<Result<Vec<_>, _>>()?;
        let mut fitting = Vec::new();
        for checkpoint in all {
            // One of before a cut still says where the log may be taken up; its record is gone.
            let chain = LogHead::chain_at(&connection, checkpoint.at.log_seq)?;
            if chain == Some(checkpoint.at.chain) {
                fitting.push(checkpoint);
            }
        }
        Ok(fitting)
    }

    /// Writes what `write` gives as the state after `at`, and lists it: a crash leaves all or nothing.
    ///
    /// # Errors
    /// The disk or the database; [`StoreError::CheckpointTooLarge`].
    pub fn add_checkpoint<E: From<StoreError> + From<io::Error>>(
        &self,
        at: LogHead,
        schema: &str,
        write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<Checkpoint, E> {
        let checkpoint = self.write_checkpoint(at, schema, write)?;
        list(&self.connect()?, &checkpoint)?;
        Ok(checkpoint)
    }

    /// Writes a checkpoint that is not listed yet: [`crate::LogAppender::finish_erasure`] puts it in place of
    /// all others.
    ///
    /// # Errors
    /// The disk; [`StoreError::CheckpointTooLarge`].
    pub fn write_checkpoint<E: From<StoreError> + From<io::Error>>(
        &self,
        at: LogHead,
        schema: &str,
        write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<Checkpoint, E> {
        let dir = self.checkpoints_dir();
        fs_err::create_dir_all(&dir)?;
        let staging = dir.join(format!("{STAGING_PREFIX}{}-{}", at.log_seq.0, std::process::id()));
        let written = Hashed::create(&staging).map_err(E::from).and_then(|mut file| {
            write(&mut file)?;
            Ok(file.finish()?)
        });
        let (bytes, sha256) = match written {
            Ok(written) => written,
            Err(error) => {
                // What is half written is of no use, and the disk may be full.
                let _ = fs_err::remove_file(&staging);
                return Err(error);
            }
        };
        let file = format!("{FILE_PREFIX}{}-{}", at.log_seq.0, &sha256[..16]);
        rename_synced(&staging, &dir.join(&file))?;
        sync_dir(self.dir())?;
        Ok(Checkpoint { at, file, bytes, schema: schema.to_owned(), sha256 })
    }

    /// The bytes of a checkpoint, exactly those that were written.
    ///
    /// **Cost**: reads the file into memory and hashes it.
    ///
    /// # Errors
    /// [`StoreError::DamagedCheckpoint`].
    pub fn read_checkpoint(&self, checkpoint: &Checkpoint) -> Result<Vec<u8>, StoreError> {
        let damaged = |reason| StoreError::DamagedCheckpoint { file: checkpoint.file.clone(), reason };
        let path = self.checkpoints_dir().join(&checkpoint.file);
        let bytes = match read_bounded(&path, checkpoint.bytes) {
            Ok(Ok(bytes)) if bytes.len() as u64 == checkpoint.bytes => bytes,
            Ok(_) => return Err(damaged("has another length")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(damaged("is missing")),
            Err(error) => return Err(error.into()),
        };
        if sha256_hex(&bytes) == checkpoint.sha256 { Ok(bytes) } else { Err(damaged("does not match its sha256")) }
    }

    /// Removes the checkpoints that nothing needs: all but the newest [`CHECKPOINTS_KEPT`] and the one
    /// from which a log that was cut is replayed, and files that are not listed.
    ///
    /// # Errors
    /// The disk or the database.
    pub fn prune_checkpoints(&self) -> Result<(), StoreError> {
        let start = LogHead::start(&self.connect()?)?.log_seq;
        let all = self.checkpoints()?;
        let base = all.iter().rev().find(|checkpoint| checkpoint.at.log_seq >= start && start.0 > 0);
        let base = base.map(|checkpoint| checkpoint.at.log_seq);
        let mut kept: Vec<_> = all.iter().take(CHECKPOINTS_KEPT).collect();
        kept.extend(all.iter().skip(CHECKPOINTS_KEPT).filter(|checkpoint| base == Some(checkpoint.at.log_seq)));
        self.keep_only(&kept)
    }

    fn keep_only(&self, kept: &[&Checkpoint]) -> Result<(), StoreError> {
        let mut connection = self.connect()?;
        let transaction = connection.transaction()?;
        let listed: Vec<i64> = transaction
            .prepare("SELECT log_seq FROM checkpoints")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let keeps = |log_seq: i64| kept.iter().any(|checkpoint| bound(checkpoint.at.log_seq) == log_seq);
        for log_seq in listed.into_iter().filter(|log_seq| !keeps(*log_seq)) {
            transaction.execute("DELETE FROM checkpoints WHERE log_seq = ?1", [log_seq])?;
        }
        transaction.commit()?;
        // The files last: a crash in between leaves one that nobody lists, which the next time removes.
        self.remove_unlisted_checkpoints()
    }

    /// Removes the files that are not listed: what a crash left, and what an erasure took off the list.
    ///
    /// # Errors
    /// The disk or the database.
    pub fn remove_unlisted_checkpoints(&self) -> Result<(), StoreError> {
        let dir = self.checkpoints_dir();
        let files = files_of(&dir)?;
        if files.is_empty() {
            return Ok(());
        }
        let connection = self.connect()?;
        let mut statement = connection.prepare("SELECT 1 FROM checkpoints WHERE file = ?1")?;
        for name in files {
            if !statement.exists([&name])? {
                fs_err::remove_file(dir.join(name))?;
            }
        }
        Ok(sync_dir(&dir)?)
    }

    /// Looks that no checkpoint was made of later records than the log has.
    pub(crate) fn check_files_against(&self, head: LogSeq) -> Result<(), StoreError> {
        let later = files_of(&self.checkpoints_dir())?.into_iter().find(|name| {
            let number = name.strip_prefix(FILE_PREFIX).and_then(|rest| rest.split_once('-'));
            number.and_then(|(number, _)| number.parse().ok()).is_some_and(|number: u64| number > head.0)
        });
        match later {
            Some(name) => Err(StoreError::LostEnd { file: format!("{CHECKPOINTS_DIR}/{name}"), head }),
            None => Ok(()),
        }
    }

    pub(crate) fn checkpoints_dir(&self) -> PathBuf {
        self.dir().join(CHECKPOINTS_DIR)
    }
}

/// Puts a checkpoint on the list.
pub(crate) fn list(log: &Connection, checkpoint: &Checkpoint) -> Result<(), StoreError> {
    let Checkpoint { at, file, bytes, schema, sha256 } = checkpoint;
    let sql = "INSERT OR REPLACE INTO checkpoints VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let row = (bound(at.log_seq), at.chain.cast_signed(), file, bytes.cast_signed(), sha256, schema);
    log.execute(sql, row)?;
    Ok(())
}

/// Names in a folder that may not be there; what is no text is not ours.
fn files_of(dir: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs_err::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let names = entries.map(|entry| Ok(entry?.file_name().into_string().ok()));
    Ok(names.collect::<io::Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// A file that is hashed as it is written.
struct Hashed {
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Hashed {
    fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: BufWriter::with_capacity(1 << 20, File::create(path)?), hash: Sha256::new(), bytes: 0 })
    }

    /// Syncs it; its length and its sha256 in hex.
    fn finish(mut self) -> Result<(u64, String), StoreError> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        if self.bytes > CHECKPOINT_BYTES_MAX {
            return Err(StoreError::CheckpointTooLarge { bytes: self.bytes });
        }
        Ok((self.bytes, hex(&self.hash.finalize())))
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
