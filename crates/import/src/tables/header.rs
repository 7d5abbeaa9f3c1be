use std::collections::HashSet;

use shortlist_types::{AttributeValue, Attributes, InvalidInput};

use super::attribute_column::AttributeColumn;
use crate::ImportError;

/// The names of a table's columns, each of them once.
#[derive(Clone, Default)]
pub(super) struct Header {
    file: String,
    names: Vec<String>,
}

impl Header {
    /// # Errors
    /// The names could not be read, one is empty, or one is there twice.
    pub(super) fn new(file: &str, names: Result<Vec<String>, InvalidInput>) -> Result<Self, ImportError> {
        let reason = match names {
            Err(reason) => reason,
            Ok(names) => {
                let mut seen = HashSet::new();
                match names.iter().find(|name| name.is_empty() || !seen.insert(name.as_str())) {
                    None => return Ok(Self { file: file.to_owned(), names }),
                    Some(name) => {
                        InvalidInput::new("header", format!("names must be different and not empty, got {name:?}"))
                    }
                }
            }
        };
        Err(ImportError::Header { file: file.to_owned(), reason })
    }

    /// # Errors
    /// This header is not the `first` one, which the same file had a moment ago.
    pub(super) fn check_same(&self, first: &Self) -> Result<(), ImportError> {
        if self.names == first.names { Ok(()) } else { Err(self.error("changed while it was read".to_owned())) }
    }

    /// How many columns there are.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// Where the column called `name` is, if the table has it.
    pub(super) fn optional(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// Where the column called `name` is.
    ///
    /// # Errors
    /// The table lacks it.
    pub(super) fn required(&self, name: &str) -> Result<usize, ImportError> {
        self.optional(name).ok_or_else(|| {
            let found = self.names.join(", ");
            self.error(format!("must have a column called {name}, found only: {found}"))
        })
    }

    /// The columns that are none of `known`; their names must start with `prefix`, which is dropped.
    ///
    /// # Errors
    /// A name without the prefix, or one that no attribute may have.
    pub(super) fn attributes(&self, known: &[&str], prefix: &str) -> Result<Vec<AttributeColumn>, ImportError> {
        let mut columns: Vec<AttributeColumn> = Vec::new();
        for (place, full) in self.names.iter().enumerate().filter(|(_, name)| !known.contains(&name.as_str())) {
            let Some(name) = full.strip_prefix(prefix) else {
                let known = known.join(", ");
                return Err(self.error(format!("has an unknown column {full:?}; known are {known} and {prefix}NAME")));
            };
            let column = AttributeColumn::new(place, name);
            let name = column.name().to_owned();
            if columns.iter().any(|other| other.name() == name) {
                return Err(self.error(format!("has two columns for {name:?}")));
            }
            Attributes::parse([(name, AttributeValue::Bool(true))]).map_err(|error| self.error(error.reason))?;
            columns.push(column);
        }
        Ok(columns)
    }

    fn error(&self, reason: String) -> ImportError {
        ImportError::Header { file: self.file.clone(), reason: InvalidInput::new("header", reason) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_whose_header_changes_between_the_passes_is_refused() {
        let header =
            |names: &[&str]| Header::new("x.csv", Ok(names.iter().map(|n| (*n).to_owned()).collect())).unwrap();
        let first = header(&["item_id", "title"]);
        assert!(header(&["item_id", "title"]).check_same(&first).is_ok());
        let error = header(&["item_id"]).check_same(&first).unwrap_err();
        assert_eq!(error.to_string(), "x.csv:1: header: changed while it was read");
    }
}
