//! Limits of an import. Each states what happens beyond it.

use shortlist_types::limits::BODY_BYTES_MAX;

/// Longest row in bytes, the same as that of a request's body. A longer line is a bad row; in a csv table, where only a
/// quote that never ends can make one, it ends the import.
pub const ROW_BYTES_MAX: usize = BODY_BYTES_MAX;
/// Most rows of one import, about 11 GB of events without context; more are refused. Parts can be imported one after the other, in
/// order of time.
pub const ROWS_MAX: u64 = 50_000_000;
/// Longest line of a benchmark file in bytes, about two million items of one user; a longer one is an error.
pub const BENCHMARK_LINE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most users of a benchmark, and most items, about 1 GB each with short ids; more are refused.
pub const BENCHMARK_ENTITIES_MAX: usize = 10_000_000;
/// Most pairs of a benchmark, negatives and repeats included, about 2 GB while they are read; more are refused.
pub const BENCHMARK_PAIRS_MAX: usize = 100_000_000;
/// Longest reason of a bad row in characters; a longer one is cut, because it may quote the row.
pub const REASON_CHARS_MAX: usize = 240;
/// Most rows of one labelled table, 1.2 GB with ten columns while it is read; more are refused.
pub const LABELLED_ROWS_MAX: usize = 30_000_000;
