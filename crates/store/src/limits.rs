//! The limits of a store. Each states what happens beyond it.

use std::time::Duration;

/// Largest record of the log as JSON, in bytes; a larger one is refused before anything is written.
pub const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Records read in one go: a longer read transaction would keep the WAL from shrinking.
pub const READ_RECORDS_MAX: usize = 8_192;
/// Records that are looked through in one go for those of one user.
pub const READ_SPAN_MAX: u64 = 65_536;
/// Bytes of payload after which a read stops early, so that large records do not fill the memory.
pub const READ_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Records committed together; what waits beyond it goes into the next transaction.
pub const GROUP_RECORDS_MAX: usize = 8_192;
/// Rows of a copy in one transaction, and in one read.
pub const COPIED_TOGETHER_MAX: i64 = 16_384;
/// Damaged records that a report names; further ones are counted.
pub const DAMAGES_TOLD_MAX: usize = 20;
/// Bytes of payload that may wait for the writer; beyond it a submission is refused as busy.
pub const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Records of an import that are encoded, and then inserted, in one go.
pub const IMPORTED_TOGETHER_MAX: usize = 16_384;
/// Pages of the WAL from which a thread beside the writer moves them into the database.
pub const WAL_PAGES_MOVED: i32 = 1_000;
/// Pages of the WAL from which the writer moves the last of them itself, so that the WAL begins anew.
pub const WAL_PAGES_MAX: i32 = 8_000;
/// Pages of the WAL from which the writer waits for a move that is under way. Only a single read that lasts,
/// such as the check of every page, lets the WAL grow beyond.
pub const WAL_PAGES_WAIT: i32 = 16_000;
/// How long a statement waits for another process inside SQLite before it gives up.
pub const DATABASE_WAIT: Duration = Duration::from_secs(5);
/// How long a publish or promote waits for another one before it gives up.
pub const REGISTRY_WAIT: Duration = Duration::from_secs(30);
/// How long it is tried to empty the WAL after an erasure; then whoever asked hears of it.
pub const WAL_EMPTY_WAIT: Duration = Duration::from_secs(5);
/// Between two tries.
pub const WAL_EMPTY_PAUSE: Duration = Duration::from_millis(50);
/// Bytes that the WAL keeps after a checkpoint; what is above is given back to the disk.
pub const WAL_BYTES_KEPT: i64 = 64 * 1024 * 1024;
/// Seconds between two rows of `arrivals`: how exactly the age of a record or an id is known.
pub const ARRIVAL_SECONDS: f64 = 60.0;
/// Records that are looked at for how many bytes the log takes.
pub const SIZED_RECORDS_MAX: u64 = 1_024;
/// Records whose ids are forgotten, that are cut, or that are erased in one transaction: what comes
/// meanwhile waits that long.
pub const MAINTAINED_RECORDS_MAX: i64 = 2_000;
/// Free space, as a share of the disk, that must be there before a full one takes records again: without
/// a margin it would be full again at once.
pub const SPACE_MARGIN_SHARE: f64 = 0.1;
/// The most free space that is waited for in bytes, however large the disk.
pub const SPACE_MARGIN_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How often a full disk is looked at again.
pub const SPACE_LOOK_EVERY: Duration = Duration::from_millis(200);
/// Tasks that may wait for the writer between two transactions; one more is refused as busy.
pub const TASKS_MAX: usize = 16;
/// How long retention waits for a reader that was last heard of.
pub const PIN_LEASE: Duration = Duration::from_secs(15 * 60);
/// Page cache of a connection that appends, in KiB; event ids in random order need it.
pub const APPENDER_CACHE_KIB: i64 = 64 * 1024;

/// Longest key of a property in bytes; a longer one is refused.
pub const PROPERTY_KEY_BYTES_MAX: usize = 128;
/// Longest value of a property in bytes; a longer one is refused.
pub const PROPERTY_VALUE_BYTES_MAX: usize = 64 * 1024;

/// Checkpoints of the fold that are kept: the newest, and one in case it is damaged.
pub const CHECKPOINTS_KEPT: usize = 2;
/// Largest checkpoint in bytes; a larger one is not kept.
pub const CHECKPOINT_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;

/// Most files in one bundle; more are refused.
pub const BUNDLE_FILES_MAX: usize = 128;
/// Largest bundle in bytes, all files together; a larger one is neither published nor loaded.
pub const BUNDLE_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;
/// Largest manifest in bytes; a larger one is refused unread.
pub const MANIFEST_BYTES_MAX: u64 = 64 * 1024;
/// Most bundles in one store; publishing one more is refused until old folders are removed.
pub const BUNDLES_MAX: usize = 4_096;
/// Promotions remembered for rolling back; beyond it the oldest are forgotten.
pub const PROMOTIONS_MAX: usize = 32;
/// Largest registry file in bytes; a larger one is refused unread.
pub const REGISTRY_BYTES_MAX: u64 = 1024 * 1024;

/// Requests and exposures that may wait for the served log; one more is dropped and counted.
pub const SERVED_QUEUE_MAX: usize = 512;
/// Requests that are written to the served log in one transaction.
pub const SERVED_TOGETHER_MAX: usize = 64;
/// Users and variants of experiments that the served log tells apart, [`EXPOSED_BYTES`] each; who comes after them is not
/// kept as exposed, and that is counted.
pub const EXPOSED_MAX: u64 = 2_000_000;
/// Bytes of one of them with its indexes, about: they come on top of `served_bytes_max`.
pub const EXPOSED_BYTES: u64 = 256;
