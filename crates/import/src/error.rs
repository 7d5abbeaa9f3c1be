use std::io;
use std::path::PathBuf;

use shortlist_types::InvalidInput;

use crate::{BadRow, BenchmarkFormat, Format};

/// Why an import was refused. Nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The caller named a format that does not exist.
    #[error("unknown format {got:?}; known are {}", known.join(", "))]
    UnknownFormat {
        /// The name.
        got: String,
        /// The names that there are.
        known: Vec<&'static str>,
    },
    /// The caller's share of bad rows is no share.
    #[error("--max-bad-share must be 0 to 1, got {got}")]
    ShareOutOfRange {
        /// The share.
        got: f64,
    },
    /// The path is no folder, where the format needs one.
    #[error("{format} expects the folder that holds its files, got {}, which is no folder", path.display())]
    NotAFolder {
        /// What reads folders.
        format: Format,
        /// The path.
        path: PathBuf,
    },
    /// The path is neither a folder nor a file with a readable name.
    #[error("expected a folder or a file with a name in UTF-8, got {}", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// A file that the format needs is not there.
    #[error("expected {expected} in folder {}, where there is none", folder.display())]
    MissingFile {
        /// Name of the file, or of the files of which one must be there.
        expected: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// The operating system could not read a file; the text names it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The first line of a table does not name the columns that are needed.
    #[error("{file}:1: {reason}")]
    Header {
        /// Name of the file.
        file: String,
        /// What is missing or unknown.
        reason: InvalidInput,
    },
    /// A row of a csv table does not end.
    #[error("{file}:{line}: the row is longer than {limit} bytes; does a quote in it never end?")]
    RowTooLong {
        /// Name of the file.
        file: String,
        /// Line where it begins.
        line: u64,
        /// The limit.
        limit: usize,
    },
    /// More rows than one import takes.
    #[error("{file}: more than {limit} rows in one import; split the files and import the parts in order of time")]
    TooManyRows {
        /// Name of the file in which the limit was reached.
        file: String,
        /// The limit.
        limit: u64,
    },
    /// So many rows of a file are bad that it is likely not what the format says.
    #[error(
        "{bad} of {rows} rows in {file} are bad ({:.2} %), and at most {:.2} % may be; nothing was imported; correct \
         them, or leave them out with a higher --max-bad-share{}",
        *bad as f64 / *rows as f64 * 100.0, max_bad_share * 100.0, list(first_bad)
    )]
    TooManyBadRows {
        /// Name of the file.
        file: String,
        /// Its bad rows.
        bad: u64,
        /// All its rows.
        rows: u64,
        /// The share that was allowed, 0 to 1.
        max_bad_share: f64,
        /// The first bad rows of the file.
        first_bad: Vec<BadRow>,
    },
    /// A benchmark lacks a file that its format needs.
    #[error("{format} needs {option}")]
    FileNeeded {
        /// The format.
        format: BenchmarkFormat,
        /// How the command line calls the file.
        option: &'static str,
    },
    /// A benchmark brings a file for which its format has no use. Ignoring it would report numbers of another protocol.
    #[error("{format} takes no {option} of its own, got {}", path.display())]
    FileNotTaken {
        /// The format.
        format: BenchmarkFormat,
        /// How the command line calls the file.
        option: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A line of a benchmark file is not what the format says. One is enough: published numbers are of whole files.
    #[error("{0}")]
    BadLine(BadRow),
    /// A benchmark file leaves nothing to train on, or nothing to judge.
    #[error("{file}: expected {expected}, got none; is it of another format?")]
    NothingThere {
        /// Name of the file.
        file: String,
        /// What was looked for.
        expected: &'static str,
    },
    /// A test case has no line in the file of negatives.
    #[error("{file}: expected negatives for every test case, got none for user {user}")]
    NegativesMissing {
        /// Name of the file of negatives.
        file: String,
        /// The user of the test case.
        user: String,
    },
}

/// One line for each row, so that an editor can jump to it.
fn list(rows: &[BadRow]) -> String {
    rows.iter().map(|row| format!("\n  {row}")).collect()
}
