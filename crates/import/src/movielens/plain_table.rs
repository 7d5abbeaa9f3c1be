use std::borrow::Cow;

use shortlist_types::InvalidInput;

use crate::ImportError;
use crate::collector::{Collector, Row};
use crate::files::Files;
use crate::ids::Ids;

/// A file of `N` fields per line without quoting.
pub(super) struct PlainTable<const N: usize> {
    pub(super) name: &'static str,
    pub(super) separator: &'static str,
    /// The first line must say this, if anything.
    pub(super) header: Option<[&'static str; N]>,
}

impl<const N: usize> PlainTable<N> {
    /// Reads a file of which each row is a record.
    ///
    /// # Errors
    /// As [`Self::scan`]; too many rows are bad.
    pub(super) fn read(
        &self,
        files: &mut Files<'_>,
        collector: &mut Collector<'_>,
        parse: impl FnMut(&[&str; N], &mut Ids) -> Result<Row, InvalidInput>,
    ) -> Result<(), ImportError> {
        collector.begin_file(self.name);
        self.scan(files, collector, parse, |collector, line, row| {
            collector.keep(line, Ok(row));
        })?;
        collector.finish_file()
    }

    /// Gives each row to `parse`, and what comes back, with its line, to `take`; bad rows are noted in `collector`.
    /// The caller begins and finishes the file.
    ///
    /// # Errors
    /// The file cannot be read, or its header is another.
    pub(super) fn scan<T>(
        &self,
        files: &mut Files<'_>,
        collector: &mut Collector<'_>,
        mut parse: impl FnMut(&[&str; N], &mut Ids) -> Result<T, InvalidInput>,
        mut take: impl FnMut(&mut Collector<'_>, u64, T),
    ) -> Result<(), ImportError> {
        let mut lines = files.lines(self.name)?;
        if let Some(expected) = self.header {
            let first = lines.next_line()?.and_then(|line| line.bytes.ok()).map(decode);
            let first = first.unwrap_or_default();
            if !first.split(self.separator).eq(expected) {
                let reason = format!("must be {}, separated by tabs", expected.join(" "));
                return Err(ImportError::Header {
                    file: self.name.to_owned(),
                    reason: InvalidInput::new("header", reason),
                });
            }
        }
        while let Some(line) = lines.next_line()? {
            collector.count_row()?;
            let row = line.bytes.and_then(|bytes| {
                let text = decode(bytes);
                parse(&self.split(&text)?, &mut collector.ids)
            });
            match row {
                Ok(row) => take(collector, line.number, row),
                Err(reason) => collector.bad(line.number, &reason),
            }
        }
        Ok(())
    }

    fn split<'t>(&self, text: &'t str) -> Result<[&'t str; N], InvalidInput> {
        let mut fields = [""; N];
        let mut found = 0;
        for field in text.split(self.separator) {
            if let Some(place) = fields.get_mut(found) {
                *place = field.trim();
            }
            found += 1;
        }
        if found == N {
            Ok(fields)
        } else {
            let reason = format!("must have {N} fields separated by {:?}, got {found}", self.separator);
            Err(InvalidInput::new("row", reason))
        }
    }
}

/// Text in Latin-1, as published, or in UTF-8, as copies often are: accented words in Latin-1 are practically never
/// valid UTF-8.
fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().copied().map(char::from).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin_1_and_utf_8_give_the_same_text() {
        assert_eq!(decode(b"Caf\xe9"), "Café");
        assert_eq!(decode("Café".as_bytes()), "Café");
    }

    #[test]
    fn the_number_of_fields_is_exact() {
        let table = PlainTable::<3> { name: "x", separator: "::", header: None };
        assert_eq!(table.split("a::b ::").unwrap(), ["a", "b", ""]);
        let error = table.split("a::b").unwrap_err();
        assert_eq!(error.to_string(), "row: must have 3 fields separated by \"::\", got 2");
        assert!(table.split("a::b::c::d").is_err());
    }
}
