//! Everything durable: the log, bundles and the registry.
//!
//! Floor 2, and the only crate that writes inside a store directory. A [`Store`] is one folder:
//!
//! ```text
//! shortlist.db     the log, a SQLite file in WAL mode; any SQL tool can read it
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

mod bundle_folder;
mod bundle_id;
mod bundle_manifest;
mod chain;
mod connection;
mod durable_file;
mod encoded_record;
mod error;
mod file_lock;
pub mod limits;
mod log_appender;
mod log_reader;
mod log_writer;
mod publish_step;
mod registry;
mod registry_file;
mod store;
#[cfg(test)]
mod testing;
mod write_queue;

pub use bundle_folder::BundleFolder;
pub use bundle_id::BundleId;
pub use chain::LogHead;
pub use error::{BundleDamage, RecordDamage, StoreError};
pub use log_appender::{AppendCount, Appended, LogAppender};
pub use log_reader::LogReader;
pub use log_writer::{Apply, LogWriter};
pub use publish_step::PublishStep;
pub use registry::{BundleInfo, Registry};
pub use store::Store;
pub use write_queue::Done;
