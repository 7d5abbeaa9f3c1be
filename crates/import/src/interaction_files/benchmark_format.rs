use std::fmt;
use std::str::FromStr;

use crate::ImportError;

/// How the files of a benchmark are written; [`read_benchmark`](crate::read_benchmark) describes each.
///
/// ```
/// use shortlist_import::BenchmarkFormat;
/// assert_eq!("leave-one-out".parse::<BenchmarkFormat>().unwrap(), BenchmarkFormat::LeaveOneOut);
/// assert_eq!(BenchmarkFormat::Adjacency.to_string(), "adjacency");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BenchmarkFormat {
    /// A user and all his items per line.
    Adjacency,
    /// A pair per line, one test item per user, perhaps with sampled negatives.
    LeaveOneOut,
    /// A user and all his items per line, in order of time; the last two are validation and test.
    Sequence,
}

impl BenchmarkFormat {
    /// Every format, in the order in which help texts list them.
    pub const ALL: [Self; 3] = [Self::Adjacency, Self::LeaveOneOut, Self::Sequence];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Adjacency => "adjacency",
            Self::LeaveOneOut => "leave-one-out",
            Self::Sequence => "sequence",
        }
    }
}

impl fmt::Display for BenchmarkFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for BenchmarkFormat {
    type Err = ImportError;

    fn from_str(text: &str) -> Result<Self, ImportError> {
        let named = Self::ALL.into_iter().find(|format| format.name() == text);
        named.ok_or_else(|| {
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
        for format in BenchmarkFormat::ALL {
            assert_eq!(format.to_string().parse::<BenchmarkFormat>().unwrap(), format);
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = "csv".parse::<BenchmarkFormat>().unwrap_err();
        assert_eq!(error.to_string(), "unknown format \"csv\"; known are adjacency, leave-one-out, sequence");
    }
}
