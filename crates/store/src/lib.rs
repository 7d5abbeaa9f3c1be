//! Everything durable: the log, bundles and the registry.
//!
//! Floor 2, and the only crate that writes inside a store directory. A [`Store`] is one folder:
//!
//! ```text
//! shortlist.db     the log, a SQLite file in WAL mode; any SQL tool can read it
//! checkpoints/     states of the fold, so that a start replays only what came after the newest
//! log.lock         held by the one process that appends
//! bundles/b-<id>/  immutable, named by content, checksummed
//! registry.json    which bundle is current, which ones were before
//! registry.lock    held for the moment of a publish, promote or rollback
//! ```
//!
//! On the path of an event: the gateway submits to the [`LogWriter`], which commits one synchronous
//! transaction for all that wait, then applies the new records to the state, then acknowledges.
//! A trainer reads beside it through a [`LogReader`] and publishes through the [`Registry`], which
//! the server watches.

mod backup;
mod bundles;
mod checkpoints;
mod clock;
mod config;
mod connection;
mod durable_file;
mod error;
mod file_lock;
pub mod limits;
mod log;
mod served;
mod sha256;
mod store;
mod store_info;
#[cfg(test)]
mod testing;

pub use backup::Copied;
pub use bundles::{BundleFolder, BundleId, BundleInfo, PublishStep, Registry};
pub use checkpoints::Checkpoint;
pub use clock::Clock;
pub use config::StoreConfig;
pub use error::{BundleDamage, RecordDamage, StoreError};
pub use log::{
    AppendCount, Appended, Apply, Commit, DatabaseBytes, Done, Erasure, LogAppender, LogHead, LogReader, LogReport,
    LogWriter, OnCommit, Pin, Retention, Salvaged,
};
pub use served::{
    Assignment, Exposed, Exposure, ServedCandidate, ServedLog, ServedReader, ServedRecent, ServedRequest,
};
pub use store::Store;
pub use store_info::StoreInfo;
