//! Limits of an import. Each states what happens beyond it.

use shortlist_types::limits::BODY_BYTES_MAX;

/// Longest row in bytes, the same as that of a request's body. A longer line is a bad row; in a csv table, where only a
/// quote that never ends can make one, it ends the import.
pub const ROW_BYTES_MAX: usize = BODY_BYTES_MAX;
/// Most rows of one import, about 11 GB of events without context; more are refused. Parts can be imported one after the other, in
/// order of time.
pub const ROWS_MAX: u64 = 50_000_000;
/// Longest reason of a bad row in characters; a longer one is cut, because it may quote the row.
pub const REASON_CHARS_MAX: usize = 240;
