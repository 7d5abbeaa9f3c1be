//! The log: contiguous records in SQLite, each chained to the one before by its checksum.
//!
//! `appender` writes whole transactions, `writer` is the thread that shares them among all that wait,
//! `reader` checks every record that it gives out.

mod appender;
pub(crate) mod chain;
mod commit;
pub(crate) mod encoded_record;
mod erase;
pub(crate) mod event_hash;
mod pin;
pub(crate) mod reader;
mod retention;
mod salvage;
mod space;
mod verify;
pub(crate) mod wal;
mod wal_mover;
mod write_queue;
mod writer;

pub use appender::{AppendCount, Appended, LogAppender};
pub use chain::LogHead;
pub use commit::{Commit, OnCommit};
pub use erase::Erasure;
pub use pin::Pin;
pub use reader::LogReader;
pub use retention::{DatabaseBytes, Retention};
pub use salvage::Salvaged;
pub use verify::LogReport;
pub use write_queue::Done;
pub use writer::{Apply, LogWriter};
