use std::fmt;
use std::str::FromStr;

use crate::ImportError;

/// A format that can be imported; the crate's page describes each.
///
/// ```
/// use shortlist_import::Format;
/// assert_eq!("movielens-1m".parse::<Format>().unwrap(), Format::MovieLens1m);
/// assert_eq!(Format::Jsonl.to_string(), "jsonl");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// MovieLens 100k as published.
    MovieLens100k,
    /// MovieLens 1M, with ratings or with the order of interactions alone.
    MovieLens1m,
    /// One JSON object per line.
    Jsonl,
    /// Comma-separated tables with a header.
    Csv,
}

impl Format {
    /// Every format, in the order in which help texts list them.
    pub const ALL: [Self; 4] = [Self::MovieLens100k, Self::MovieLens1m, Self::Jsonl, Self::Csv];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::MovieLens100k => "movielens-100k",
            Self::MovieLens1m => "movielens-1m",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = ImportError;

    fn from_str(text: &str) -> Result<Self, ImportError> {
        let known = Self::ALL.into_iter().find(|format| format.name() == text);
        known.ok_or_else(|| {
            let known = Self::ALL.map(Self::name).to_vec();
            ImportError::UnknownFormat { got: text.to_owned(), known }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_to_its_format() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = "tsv".parse::<Format>().unwrap_err();
        assert_eq!(error.to_string(), "unknown format \"tsv\"; known are movielens-100k, movielens-1m, jsonl, csv");
    }
}
