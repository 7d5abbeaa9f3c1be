use std::io;

use csv::{ByteRecord, Reader, ReaderBuilder, Terminator};
use shortlist_types::InvalidInput;

use super::header::Header;
use crate::ImportError;
use crate::files::{BLOCK_BYTES, CountedFile};
use crate::limits::ROW_BYTES_MAX;

/// The rows of one table.
pub(super) struct Rows<'f, 'p> {
    name: String,
    reader: Reader<CountedFile<'f, 'p>>,
    record: ByteRecord,
    header: Header,
}

/// One row that is not blank.
pub(super) struct TableRow<'r> {
    /// Where it begins, counted from 1.
    pub(super) line: u64,
    /// How many lines it spans: more than one if a quoted cell has line ends.
    pub(super) lines: u64,
    /// Without blanks around them, as many as the header has.
    pub(super) cells: Result<Vec<&'r str>, InvalidInput>,
}

impl<'f, 'p> Rows<'f, 'p> {
    /// Reads the header of the table called `name`.
    ///
    /// # Errors
    /// The file cannot be read, or its first row is no header.
    pub(super) fn new(name: &str, file: CountedFile<'f, 'p>) -> Result<Self, ImportError> {
        // Lines end at the line feed alone: as part of the end, a carriage return would count the line that follows
        // to the row before. It ends in the last cell instead, where blanks are dropped.
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(Terminator::Any(b'\n'))
            .buffer_capacity(BLOCK_BYTES)
            .from_reader(file);
        let mut rows = Self { name: name.to_owned(), reader, record: ByteRecord::new(), header: Header::default() };
        let names = match rows.advance()? {
            Some(_) => cells(&rows.record).map(|cells| cells.into_iter().map(str::to_owned).collect()),
            None => Ok(Vec::new()),
        };
        rows.header = Header::new(name, names)?;
        Ok(rows)
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// Says that no further rows are wanted.
    pub(super) fn skip_rest(mut self) {
        self.reader.get_mut().skip_rest();
    }

    /// The next row that is not blank; nothing at the end.
    ///
    /// # Errors
    /// The file cannot be read, or the row is longer than the limit.
    pub(super) fn next_row(&mut self) -> Result<Option<TableRow<'_>>, ImportError> {
        let Some((line, lines)) = self.advance()? else { return Ok(None) };
        let expected = self.header.len();
        let cells = if self.record.len() == expected {
            cells(&self.record)
        } else {
            let reason = format!("must have {expected} columns as the header has, got {}", self.record.len());
            Err(InvalidInput::new("row", reason))
        };
        Ok(Some(TableRow { line, lines, cells }))
    }

    /// Reads the next record that is not blank; where it begins and how many lines it spans.
    fn advance(&mut self) -> Result<Option<(u64, u64)>, ImportError> {
        loop {
            let before = self.reader.position().line();
            self.reader.get_mut().allow(ROW_BYTES_MAX);
            let more = self.reader.read_byte_record(&mut self.record).map_err(|error| {
                if self.reader.get_ref().is_exhausted() {
                    ImportError::RowTooLong { file: self.name.clone(), line: before, limit: ROW_BYTES_MAX }
                } else {
                    ImportError::Io(io::Error::from(error))
                }
            })?;
            if !more {
                return Ok(None);
            }
            if self.record.iter().all(|cell| cell.trim_ascii().is_empty()) && self.record.len() <= 1 {
                continue;
            }
            // The reader's place is behind the row, and the place before it may have had blank lines: count back.
            let inside = self.record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
            let ended_by_line_feed = u64::from(!self.reader.get_ref().is_at_end());
            let line = self.reader.position().line().saturating_sub(inside + ended_by_line_feed);
            return Ok(Some((line, inside + 1)));
        }
    }
}

/// The cells of a record as text.
fn cells(record: &ByteRecord) -> Result<Vec<&str>, InvalidInput> {
    let text = |(column, cell)| {
        std::str::from_utf8(cell)
            .map(str::trim)
            .map_err(|_| InvalidInput::new("row", format!("must be UTF-8, is not in column {}", column + 1)))
    };
    record.iter().enumerate().map(text).collect()
}
