use std::io::{BufRead, Read};

use super::journal_header::JournalHeader;
use super::json_journal::line;
use super::{SearchSpace, TrialRecord, TuningError, strategy};

/// Longest line of a journal in bytes; a longer one is damage, and is not read to its end.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What a journal holds.
pub(super) struct Resumed {
    /// Its whole trials.
    pub(super) records: Vec<TrialRecord>,
    /// Length of its whole lines; what follows was torn.
    pub(super) bytes: u64,
}

/// Reads a journal that belongs to `header`. Every trial must be the one that the strategy proposes
/// after those before it: otherwise what follows is not the study that was begun.
pub(super) fn resume(
    mut reader: impl BufRead,
    header: &JournalHeader,
    space: &SearchSpace,
    seed: u64,
) -> Result<Resumed, TuningError> {
    let Some(mut bytes) = read_header(&mut reader, header)? else { return Ok(Resumed { records: vec![], bytes: 0 }) };
    let mut records = Vec::new();
    loop {
        let number = records.len() + 2;
        let damaged = |reason: String| TuningError::Damaged { line: number, reason };
        let Some(text) = read_line(&mut reader, number)?.filter(|text| text.ends_with(b"\n")) else {
            return Ok(Resumed { records, bytes });
        };
        let record: TrialRecord = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if record.number != records.len() {
            return Err(damaged(format!("expected trial {}, got trial {}", records.len(), record.number)));
        }
        if strategy::next_trial(space, seed, &records).as_ref() != Some(&record.trial) {
            return Err(damaged(format!("trial {} is not the one that follows from those before it", record.number)));
        }
        bytes += text.len() as u64;
        records.push(record);
    }
}

/// The length of the header's line; none if the journal ends before it does.
fn read_header(reader: &mut impl BufRead, expected: &JournalHeader) -> Result<Option<u64>, TuningError> {
    let text = read_line(reader, 1)?.unwrap_or_default();
    if !text.ends_with(b"\n") {
        // A torn header may be written anew, another program's file may not.
        return if line(expected)?.starts_with(&text) { Ok(None) } else { Err(TuningError::NotAJournal) };
    }
    let found: JournalHeader = serde_json::from_slice(&text).map_err(|_| TuningError::NotAJournal)?;
    match expected.difference(&found) {
        Some(differs) => {
            let (what, found, expected) = (differs.what, differs.found, differs.expected);
            Err(TuningError::OtherStudy { what, found, expected })
        }
        None => Ok(Some(text.len() as u64)),
    }
}

/// The next line with its end, which a torn one lacks; none after the last.
fn read_line(reader: &mut impl BufRead, number: usize) -> Result<Option<Vec<u8>>, TuningError> {
    let mut text = Vec::new();
    let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut text)?;
    if read as u64 == LINE_BYTES_MAX {
        let reason = format!("expected at most {LINE_BYTES_MAX} bytes");
        return Err(TuningError::Damaged { line: number, reason });
    }
    Ok((read > 0).then_some(text))
}
