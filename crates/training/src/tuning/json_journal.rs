use std::io::Write;

use serde::Serialize;

use super::journal_header::JournalHeader;
use super::{Journal, TrialRecord, TuningError};

/// One line of JSON per trial, below the header.
///
/// Each line goes out in one write and is flushed, so that a kill tears the last line at most. Whether
/// it also survives a power cut is up to the writer.
#[derive(Debug)]
pub struct JsonJournal<W: Write> {
    writer: W,
}

impl<W: Write> JsonJournal<W> {
    /// A new journal with what is known so far.
    pub(super) fn begin(writer: W, header: &JournalHeader, records: &[TrialRecord]) -> Result<Self, TuningError> {
        let mut journal = Self { writer };
        journal.line(header)?;
        records.iter().try_for_each(|record| journal.line(record))?;
        Ok(journal)
    }

    /// A journal that already holds what is known so far.
    pub(super) fn resumed(writer: W) -> Self {
        Self { writer }
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), TuningError> {
        self.writer.write_all(&line(value)?)?;
        Ok(self.writer.flush()?)
    }
}

impl<W: Write> Journal for JsonJournal<W> {
    fn append(&mut self, record: &TrialRecord) -> Result<(), TuningError> {
        self.line(record)
    }
}

/// A line as the journal holds it, with its end.
pub(super) fn line(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}
