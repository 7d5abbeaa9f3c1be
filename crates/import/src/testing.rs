//! What the tests of all formats need: small folders, and imports of them.

use std::path::Path;

use shortlist_types::{EventTypes, LogRecord, Timestamp};
use tempfile::TempDir;

use crate::{Format, ImportError, ImportOptions, Imported, read};

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs_err::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// The time at which every test imports.
pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z").unwrap()
}

/// Imports with the default options.
pub(crate) fn import(format: Format, path: &Path) -> Result<Imported, ImportError> {
    read(format, path, &EventTypes::default(), now(), &ImportOptions::default(), &mut |_, _| ())
}

/// Imports whatever share of the rows is bad.
pub(crate) fn import_anyway(format: Format, path: &Path) -> Imported {
    let options = ImportOptions { max_bad_share: 1.0, bad_rows_shown: 100 };
    read(format, path, &EventTypes::default(), now(), &options, &mut |_, _| ()).unwrap()
}

/// The bad rows as text.
pub(crate) fn bad_rows(imported: &Imported) -> Vec<String> {
    assert_eq!(imported.report.bad_rows, imported.report.first_bad.len() as u64);
    imported.report.first_bad.iter().map(ToString::to_string).collect()
}

/// The records as JSON, which is shorter than building them.
pub(crate) fn json(imported: &Imported) -> Vec<String> {
    imported.records.iter().map(|record| serde_json::to_string(record).unwrap()).collect()
}

/// Asserts the order of the log.
pub(crate) fn assert_ordered(imported: &Imported) {
    let key = |record: &LogRecord| (record.timestamp(), matches!(record, LogRecord::Event(_)));
    assert!(imported.records.is_sorted_by_key(key));
}
