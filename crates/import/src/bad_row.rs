use std::fmt;

use serde::Serialize;

use crate::limits::REASON_CHARS_MAX;

/// One row that was left out. Prints as `events.csv:17: value: must be finite`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadRow {
    /// Name of the file, relative to the path that was imported.
    pub file: String,
    /// Line in that file, counted from 1; the first one of a row with several.
    pub line: u64,
    /// What was expected and what was got.
    pub reason: String,
}

impl BadRow {
    /// Keeps the reason short and without control characters: it may quote the row, and ends in terminals.
    pub(crate) fn new(file: &str, line: u64, reason: &str) -> Self {
        let mut kept: String =
            reason.chars().take(REASON_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if kept.len() < reason.len() {
            kept.push_str("...");
        }
        Self { file: file.to_owned(), line, reason: kept }
    }
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_and_control_characters_are_dropped() {
        let row = BadRow::new("events.csv", 3, &format!("a\u{1b}[31m{}", "é".repeat(500)));
        assert_eq!(row.reason.chars().count(), REASON_CHARS_MAX + 3);
        assert!(row.to_string().starts_with("events.csv:3: a [31m"), "{row}");
    }
}
