//! Reads catalogues and click streams in the formats people have, into [`LogRecord`](shortlist_types::LogRecord)s in order of time.
//!
//! Floor 3. It only reads: the caller appends what comes back to the log, so nothing is ever half
//! imported. It lies on the path file -> **import** -> log -> fold -> training, and is a door: what
//! leaves it has valid ids, finite numbers, known event types and times that lie within the limits.
//!
//! ```no_run
//! use shortlist_import::{Format, ImportOptions, read};
//! use shortlist_types::{EventTypes, Timestamp};
//! let now = Timestamp::parse("2026-01-31T12:00:00Z")?;
//! let options = ImportOptions::default();
//! let format: Format = "csv".parse()?;
//! let imported = read(format, "shop".as_ref(), &EventTypes::default(), now, &options, &mut |_, _| ())?;
//! println!("{} events, {} bad rows", imported.report.events, imported.report.bad_rows);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Formats
//!
//! **`movielens-100k`**: a folder with `u.data`, `u.item`, `u.user` and `u.genre` as published. Events have
//! type `rating`, the stars as value, and the id `ml100k-USER-ITEM`. Items have `title`, `genre` (list) and
//! `release_year`; users `age`, `age_group`, `gender` and `occupation`.
//!
//! **`movielens-1m`**: a folder with `users.dat`, `movies.dat` and either `ratings.dat` as published, or
//! `interactions.tsv` (`user_id movie_id step`) with `last_event.tsv` (`user_id movie_id rating timestamp`), both with
//! header. In the second form step `s` of a user with `n` interactions gets the time of his last event less
//! `n - 1 - s` seconds, and no value. `ratings.dat` wins where both are there. Events have type `rating` and the id
//! `ml1m-USER-ITEM`, attributes are as above without `age`, which this set tells only by group.
//!
//! MovieLens text is read as UTF-8 where it is valid and as Latin-1 otherwise.
//!
//! **`jsonl`**: one JSON object per line: a folder with `events.jsonl` and, if there are any, `items.jsonl` and
//! `users.jsonl`, or one file. A line may say `"kind": "event"`, `"item"` or `"user"`; without it the file's name
//! decides, and one file alone holds events. Unknown and repeated keys make a row bad.
//!
//! | kind | keys (`?` = optional) |
//! |---|---|
//! | event | `user_id`, `item_id`, `event_type`, `timestamp`, `event_id?`, `value?`, `request_id?`, `position?`, `context?` |
//! | item | `item_id`, `attributes?`, `available?`, `timestamp?` |
//! | user | `user_id`, `attributes?`, `timestamp?` |
//!
//! Times are RFC 3339. `attributes` and `context` map names to a string, a finite number, a bool or a list of strings.
//!
//! **`csv`**: the same as tables with a header, comma-separated, in UTF-8: a folder with `events.csv` and, if there are
//! any, `items.csv` and `users.csv`, or one file of events. Columns are those of `jsonl` in any order, where
//!
//! - a time may also be whole seconds since 1970;
//! - every further column of items and users is an attribute, and one called `context.NAME` of events is context;
//! - such a column holds numbers if all its cells are finite numbers, bools if all are `true` or `false`, else text;
//!   codes with a leading zero or more than 15 digits are text, because a number would lose digits;
//! - a column called `NAME[]` is a list called `NAME`, with `|` between its texts;
//! - an empty cell is an absent value, and blanks around a cell are dropped.
//!
//! # Order and time
//!
//! Records come by time; of the same time catalogue records come first; else as in the files, items before users
//! before events. An item or user without a time gets that of the first event (or `now`, if there are no events):
//! the catalogue was known from the start.
//!
//! # Bad rows
//!
//! A row that cannot be taken is counted, reported with file and line, and left out: broken syntax or encoding, a
//! wrong number of columns, a bad id, number or time, an unknown event type, a time that lies more than
//! [`FUTURE_SECONDS_MAX`](shortlist_types::limits::FUTURE_SECONDS_MAX) after `now`. Blank lines are not rows. If more
//! than [`ImportOptions::max_bad_share`] of the rows of any one file are bad, nothing is returned at all.
//!
//! # Benchmarks
//!
//! [`read_benchmark`] reads the files on which published recommenders are compared. They never reach the log: they
//! become plain pairs of numbers, and one bad line ends the reading. [`read_labelled_tables`] reads those on which
//! click models are compared.

mod bad_row;
mod collector;
mod error;
mod files;
mod format;
mod ids;
mod import_options;
mod imported;
mod interaction_files;
mod jsonl;
mod labelled_table;
pub mod limits;
mod lines;
mod movielens;
mod table_files;
mod tables;
#[cfg(test)]
mod testing;

use std::path::Path;

use shortlist_types::{EventTypes, Timestamp};

pub use crate::bad_row::BadRow;
use crate::collector::Collector;
pub use crate::error::ImportError;
pub use crate::format::Format;
pub use crate::import_options::ImportOptions;
pub use crate::imported::{ImportReport, Imported};
pub use crate::interaction_files::{Benchmark, BenchmarkFiles, BenchmarkFormat, BenchmarkReport, read_benchmark};
pub use crate::labelled_table::{LabelledTable, read_labelled_tables};

/// All records of the files at `path`, in order of time, and what was left out.
///
/// `progress` hears the bytes read so far and the bytes to read in all, after every block of 256 KiB. Tables of
/// `csv` count twice: those with attributes are read twice, to learn the types of their columns first.
///
/// **Shapes**: at most [`limits::ROWS_MAX`] rows, each at most [`limits::ROW_BYTES_MAX`] bytes.
///
/// **Cost**: one pass (csv: two) and a stable sort. Everything is held in memory: about 220 bytes per event (128 of the
/// record, the rest its type and `event_id`), and its context or attributes besides: about 50 bytes for each, and its texts.
/// Each distinct id is held once. The sort takes 68 bytes per record for a moment.
///
/// **Errors**: see [`ImportError`]; none leaves anything behind.
pub fn read(
    format: Format,
    path: &Path,
    event_types: &EventTypes,
    now: Timestamp,
    options: &ImportOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Imported, ImportError> {
    options.check()?;
    let mut collector = Collector::new(event_types, now, options);
    match format {
        Format::MovieLens100k => movielens::ml_100k::read(path, &mut collector, progress)?,
        Format::MovieLens1m => movielens::ml_1m::read(path, &mut collector, progress)?,
        Format::Jsonl => jsonl::read(path, &mut collector, progress)?,
        Format::Csv => tables::read(path, &mut collector, progress)?,
    }
    Ok(collector.finish())
}
