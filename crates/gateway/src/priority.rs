use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

/// The header of a request that says its priority, over both protocols. A name of our own: the header `priority` (RFC
/// 9218) is set by browsers by themselves and orders the bytes of answers, and one that others use too would be
/// refused for what they say in it.
pub(crate) const PRIORITY_HEADER: &str = "x-shortlist-priority";

/// Who is refused first where more is asked than can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Nobody waits for it: prefetches, batches. It takes what is left over, and is refused first.
    Low,
    /// Somebody waits for it.
    #[default]
    High,
}

impl Priority {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::High, Self::Low];

    /// The name in headers, files and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::High => "high",
        }
    }

    /// Of a request with this header, whose key allows so much: a key lowers, and raises nothing.
    pub(crate) fn of(header: Option<&str>, key: Option<Self>) -> Result<Self, InvalidInput> {
        let asked = header.map_or(Ok(Self::High), |text| text.trim().parse());
        let asked = asked.map_err(|reason: String| InvalidInput::new(PRIORITY_HEADER, reason))?;
        Ok(asked.min(key.unwrap_or_default()))
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Priority {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|one| one.name() == text).ok_or_else(|| "must be high or low".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Priority::{High, Low};

    #[test]
    fn a_key_lowers_what_the_header_says_and_raises_nothing() {
        for (header, key, expected) in [
            (None, None, High),
            (Some("high"), None, High),
            (Some(" low "), None, Low),
            (Some("high"), Some(Low), Low),
            (None, Some(Low), Low),
            (Some("low"), Some(High), Low),
        ] {
            assert_eq!(Priority::of(header, key), Ok(expected), "{header:?} {key:?}");
        }
        for text in ["", "HIGH", "1", "u=1, i", "high,low", "medium"] {
            let error = Priority::of(Some(text), None).unwrap_err();
            assert_eq!(error.to_string(), "x-shortlist-priority: must be high or low", "{text:?}");
        }
    }
}
