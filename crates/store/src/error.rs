use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use shortlist_types::{InvalidInput, LogSeq};

use crate::BundleId;
use crate::limits::{BUNDLES_MAX, CHECKPOINT_BYTES_MAX, REGISTRY_WAIT};

/// What can go wrong with a store: who is at fault, and the way out.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory has no log. The caller named another folder, or has nothing yet.
    #[error(
        "{dir} is not a store: it has no shortlist.db; `shortlist import`, `shortlist serve` and \
         `shortlist quickstart` create one"
    )]
    NotAStore {
        /// The folder that was named.
        dir: PathBuf,
    },
    /// The file belongs to another program. It was not touched.
    #[error("{path} was not written by shortlist; choose another store directory")]
    ForeignFile {
        /// The file in the place of ours.
        path: PathBuf,
    },
    /// A later release wrote the file. It was not touched.
    #[error("{path} was written by a newer version (format {found}, this one knows {supported}); upgrade shortlist")]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The latest format of this release.
        supported: u32,
    },
    /// Another process owns the log.
    #[error(
        "another process, such as a running server, owns the log of {dir}; stop it, or send events through its API"
    )]
    Locked {
        /// The store.
        dir: PathBuf,
    },
    /// The log may not be written by this user; SQLite's readers write beside it, too.
    #[error(
        "{path} cannot be written by this user; the folder of the store and all files in it must be writable, also for \
         commands that only read: change their owner, or run as him"
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// SQLite did not take a setting that durability rests on.
    #[error("the database did not take {pragma} = {expected}, it says {got}; choose a local disk for the store")]
    Setting {
        /// The setting.
        pragma: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        got: String,
    },
    /// A record of the log is not what was written. Nothing from there on was given out.
    #[error(
        "record {} of the log {damage}; `shortlist log verify` lists all damage, `shortlist store restore` puts a \
         backup back, `shortlist log salvage` saves what can be read", .log_seq.0
    )]
    DamagedRecord {
        /// The first record that is wrong.
        log_seq: LogSeq,
        /// In which way.
        damage: RecordDamage,
    },
    /// The database says of itself what was never written. Nothing was read.
    #[error(
        "{path} is damaged: its definition of {object} is not the one that was written; `shortlist store restore` puts \
         a backup back"
    )]
    DamagedSchema {
        /// The file.
        path: PathBuf,
        /// Name of the table, index or view.
        object: String,
    },
    /// A position that the log does not have: the state that asks was made from another log.
    #[error("the log ends at record {}, before record {}; the asking state belongs to another log", .head.0, .asked.0)]
    BeyondHead {
        /// The position that was asked for.
        asked: LogSeq,
        /// The last record.
        head: LogSeq,
    },
    /// The target of a copy is in use already.
    #[error("{dir} holds something already; choose a folder that does not exist or is empty")]
    NotEmpty {
        /// The folder.
        dir: PathBuf,
    },
    /// Two copies into one folder.
    #[error("another copy is being made in {dir}; wait for it, or choose another folder")]
    CopyUnderWay {
        /// The folder.
        dir: PathBuf,
    },
    /// A position that the log no longer has.
    #[error(
        "the log begins after record {}, and record {} was asked for: retention removed what came before; start \
         from a checkpoint", .start.0, .asked.0
    )]
    BeforeStart {
        /// The position that was asked for.
        asked: LogSeq,
        /// The last record that was removed.
        start: LogSeq,
    },
    /// A value that the caller gave. Nothing was changed.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// More waits for the writer than may wait. Try again shortly.
    #[error("{waiting} records wait for the log already and at most {limit} may; try again shortly")]
    Busy {
        /// Records that wait.
        waiting: usize,
        /// Records that may wait.
        limit: usize,
    },
    /// More in one submission than the queue could ever hold.
    #[error("one submission holds {records} records in {bytes} bytes, more than the queue can; send smaller batches")]
    BatchTooLarge {
        /// Records of the submission.
        records: usize,
        /// Bytes of their payloads.
        bytes: usize,
    },
    /// No space. This write was refused whole; later ones may succeed.
    #[error("the disk of the store is full; nothing of this write was kept, free space and send it again")]
    DiskFull,
    /// What was erased is gone from the log, and a reader keeps its bytes in the WAL.
    #[error(
        "what was erased is gone from the log, but somebody reads it and keeps its bytes in shortlist.db-wal; erase again \
         shortly, or when the reader is done"
    )]
    WalHeld,
    /// The log ends before what its own folder was made of.
    #[error(
        "the log ends at record {}, and {file} was made after it: shortlist.db is older than its folder, or has lost its \
         end; `shortlist store restore` puts a backup back; to go on without what is lost, move the folder of {file} away",
        .head.0
    )]
    LostEnd {
        /// The file that knows better.
        file: String,
        /// The last record of the log.
        head: LogSeq,
    },
    /// Another process holds the database. This write was refused whole; later ones may succeed.
    #[error("another process holds the database; nothing of this write was kept, send it again")]
    DatabaseBusy,
    /// An earlier failure made the log unsafe to append to. Nothing is acknowledged until a restart.
    #[error("the log takes no more records until a restart: {cause}")]
    LogStopped {
        /// The failure.
        #[source]
        cause: Arc<StoreError>,
    },
    /// The function that applies records panicked; the state may lack records that are on disk.
    #[error("applying records up to {} panicked: {message}; a restart replays them from the log", .up_to.0)]
    ApplyPanicked {
        /// The last record of the group.
        up_to: LogSeq,
        /// What the panic said.
        message: String,
    },
    /// The writer's thread ended by a panic.
    #[error("the thread that writes the log panicked")]
    WriterPanicked,
    /// No bundle has this id.
    #[error("there is no bundle {id}; `shortlist registry list` names those that are")]
    BundleNotFound {
        /// The id that was asked for.
        id: BundleId,
    },
    /// A bundle is not what was published. It was not loaded.
    #[error("{file} of bundle {id} {damage}; roll back, or publish the bundle again")]
    DamagedBundle {
        /// Which bundle.
        id: BundleId,
        /// Which of its files.
        file: String,
        /// In which way.
        damage: BundleDamage,
    },
    /// A checkpoint is not what was written. It was not read; an older one, or the log, gives the state.
    #[error("checkpoint {file} {reason}; it is passed over")]
    DamagedCheckpoint {
        /// Name of its file.
        file: String,
        /// In which way.
        reason: &'static str,
    },
    /// A state that no checkpoint can hold. The log alone keeps it, and restarts replay more of it.
    #[error("a checkpoint of {bytes} bytes is more than the {CHECKPOINT_BYTES_MAX} that a start could read")]
    CheckpointTooLarge {
        /// Bytes that were written.
        bytes: u64,
    },
    /// A row of the served log is not what was written.
    #[error("request {request_id} of served.db cannot be read; move served.db away, it is made anew")]
    DamagedServed {
        /// Its name.
        request_id: String,
    },
    /// The registry file cannot be read as one.
    #[error("{path} is damaged ({reason}); move it away and promote a bundle again")]
    DamagedRegistry {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// Another publish or promote did not end.
    #[error("another process holds the registry for more than {} s; try again when it is done", REGISTRY_WAIT.as_secs())]
    RegistryBusy,
    /// Too many bundles.
    #[error("the store holds {} bundles already; remove old folders that are not current", BUNDLES_MAX)]
    TooManyBundles,
    /// Nothing was promoted before the current bundle.
    #[error("no bundle was promoted before the current one; promote one by its id")]
    NothingToRollBack,
    /// SQLite failed in another way.
    #[error("the log database failed: {0}")]
    Database(#[source] rusqlite::Error),
    /// The file system failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How a record differs from what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordDamage {
    /// There is no row.
    #[error("is missing")]
    Missing,
    /// The row, or the one before it, is not the one that was written.
    #[error("does not match its checksum")]
    Checksum,
    /// The row cannot be read, or does not hold a record of its kind.
    #[error("cannot be read")]
    Unreadable,
    /// The row can be read; the one before it is gone, so that its checksum says nothing.
    #[error("cannot be checked, because the one before it is gone")]
    Unchecked,
}

/// How a file of a bundle differs from what was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleDamage {
    /// No such file.
    #[error("is missing")]
    Missing,
    /// A link, a folder or a device in its place.
    #[error("is not a regular file")]
    NotAFile,
    /// Cut or grown.
    #[error("has {got} bytes instead of {expected}")]
    Length {
        /// Bytes in the manifest, or the most that are read.
        expected: u64,
        /// Bytes on disk.
        got: u64,
    },
    /// Other content.
    #[error("does not match its sha256")]
    Checksum,
    /// Matches the id, but does not describe a bundle within the limits.
    #[error("does not describe a bundle")]
    Manifest,
}

impl StoreError {
    /// Whether a failed append may be tried again: nothing is broken, nothing was kept.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::DiskFull | Self::DatabaseBusy | Self::Invalid(_))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull,
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => Self::DatabaseBusy,
            _ => Self::Database(error),
        }
    }
}
