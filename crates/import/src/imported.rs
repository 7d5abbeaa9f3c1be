use serde::Serialize;
use shortlist_types::LogRecord;

use crate::BadRow;

/// What an import brings.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// By time; of the same time catalogue records first; else as in the files.
    pub records: Vec<LogRecord>,
    /// What was read and what was left out.
    pub report: ImportReport,
}

/// Counts of one import.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ImportReport {
    /// Catalogue records of items; items that only events name are not counted.
    pub items: u64,
    /// Catalogue records of users; users that only events name are not counted.
    pub users: u64,
    /// Events.
    pub events: u64,
    /// Rows that were left out.
    pub bad_rows: u64,
    /// The first of them, at most [`ImportOptions::bad_rows_shown`](crate::ImportOptions::bad_rows_shown).
    pub first_bad: Vec<BadRow>,
}
