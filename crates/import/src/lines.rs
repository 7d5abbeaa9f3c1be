use std::io::{BufRead, BufReader, Read};

use shortlist_types::InvalidInput;

use crate::ImportError;
use crate::files::BLOCK_BYTES;
use crate::limits::ROW_BYTES_MAX;

/// Reads a file line by line, never holding more than one line of bounded length.
pub(crate) struct Lines<R> {
    reader: BufReader<R>,
    number: u64,
    buffer: Vec<u8>,
    bytes_max: usize,
}

/// One line that is not blank.
pub(crate) struct Line<'b> {
    /// Counted from 1, blank lines included.
    pub(crate) number: u64,
    /// Without its end; an error if it was too long to hold.
    pub(crate) bytes: Result<&'b [u8], InvalidInput>,
}

impl<R: Read> Lines<R> {
    /// Lines of at most [`ROW_BYTES_MAX`] bytes.
    pub(crate) fn new(reader: R) -> Self {
        Self::with_limit(reader, ROW_BYTES_MAX)
    }

    /// Lines of at most `bytes_max` bytes, their ends included.
    pub(crate) fn with_limit(reader: R, bytes_max: usize) -> Self {
        Self { reader: BufReader::with_capacity(BLOCK_BYTES, reader), number: 0, buffer: Vec::new(), bytes_max }
    }

    /// The next line that is not blank, without `\n`, `\r\n` or a byte order mark; nothing at the end.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn next_line(&mut self) -> Result<Option<Line<'_>>, ImportError> {
        loop {
            self.buffer.clear();
            let limit = self.bytes_max as u64 + 1;
            if self.reader.by_ref().take(limit).read_until(b'\n', &mut self.buffer)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.buffer.len() > self.bytes_max {
                if !self.buffer.ends_with(b"\n") {
                    self.reader.skip_until(b'\n')?;
                }
                let reason = format!("must be at most {} bytes", self.bytes_max);
                return Ok(Some(Line { number: self.number, bytes: Err(InvalidInput::new("row", reason)) }));
            }
            if self.number == 1 && self.buffer.starts_with(b"\xef\xbb\xbf") {
                self.buffer.drain(..3);
            }
            while self.buffer.ends_with(b"\n") || self.buffer.ends_with(b"\r") {
                self.buffer.pop();
            }
            if !self.buffer.trim_ascii().is_empty() {
                break;
            }
        }
        Ok(Some(Line { number: self.number, bytes: Ok(&self.buffer) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<(u64, Option<Vec<u8>>)> {
        let mut lines = Lines::new(bytes);
        let mut found = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            found.push((line.number, line.bytes.ok().map(<[u8]>::to_vec)));
        }
        found
    }

    #[test]
    fn blank_lines_are_counted_and_not_returned() {
        let found = all(b"\xef\xbb\xbfa\r\n\r\n \t\nb\n\nc");
        assert_eq!(found, [(1, Some(b"a".to_vec())), (4, Some(b"b".to_vec())), (6, Some(b"c".to_vec()))]);
    }

    #[test]
    fn memory_stays_within_the_limit_whatever_the_line() {
        let line = vec![b'x'; ROW_BYTES_MAX * 8];
        let mut lines = Lines::new(line.as_slice());
        assert!(lines.next_line().unwrap().unwrap().bytes.is_err());
        assert!(lines.buffer.capacity() <= ROW_BYTES_MAX * 2, "{}", lines.buffer.capacity());
    }

    #[test]
    fn a_line_beyond_the_limit_is_an_error_and_the_next_one_is_read() {
        let fits = [vec![b'x'; ROW_BYTES_MAX - 1], b"\n".to_vec()].concat();
        let over = [vec![b'x'; ROW_BYTES_MAX], b"\n".to_vec()].concat();
        let far = [vec![b'x'; ROW_BYTES_MAX * 2], b"\n".to_vec()].concat();
        let found = all(&[fits, over, far, b"b".to_vec()].concat());
        let ok: Vec<_> = found.iter().map(|(number, line)| (*number, line.is_some())).collect();
        assert_eq!(ok, [(1, true), (2, false), (3, false), (4, true)]);
    }
}
