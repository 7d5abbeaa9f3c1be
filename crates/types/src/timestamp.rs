use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::InvalidInput;

/// A point in time in microseconds since 1970-01-01 UTC; RFC 3339 in JSON, the number in binary formats.
///
/// ```
/// use shortlist_types::Timestamp;
/// let t = Timestamp::parse("2026-01-31T12:00:00Z").unwrap();
/// assert_eq!(t.to_string(), "2026-01-31T12:00:00Z");
/// assert_eq!(t.seconds_since(Timestamp::parse("2026-01-31T11:59:00Z").unwrap()), 60.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// 0001-01-01 and 9998-12-31T23:59:59.999999: inside what RFC 3339, protobuf and jiff can all say.
const MICROS_MIN: i64 = -62_135_596_800_000_000;
const MICROS_MAX: i64 = 253_370_764_799_999_999;

impl Timestamp {
    /// Midnight of 1970-01-01 UTC.
    pub const EPOCH: Self = Self(0);
    /// The earliest time there is.
    pub const MIN: Self = Self(MICROS_MIN);

    /// From microseconds since 1970.
    ///
    /// # Errors
    /// Outside the years 1 to 9998.
    pub fn from_micros(micros: i64) -> Result<Self, InvalidInput> {
        if (MICROS_MIN..=MICROS_MAX).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(InvalidInput::new("timestamp", "must lie in the years 1 to 9998"))
        }
    }

    /// From seconds since 1970.
    ///
    /// # Errors
    /// Outside the years 1 to 9998.
    pub fn from_seconds(seconds: i64) -> Result<Self, InvalidInput> {
        let out_of_range = || InvalidInput::new("timestamp", "must lie in the years 1 to 9998");
        Self::from_micros(seconds.checked_mul(1_000_000).ok_or_else(out_of_range)?)
    }

    /// Parses RFC 3339 text; any offset is taken, UTC is kept.
    ///
    /// # Errors
    /// Not RFC 3339, or outside the years 1 to 9998.
    pub fn parse(text: &str) -> Result<Self, InvalidInput> {
        let parsed: jiff::Timestamp = text
            .parse()
            .map_err(|_| InvalidInput::new("timestamp", "must be an RFC 3339 time such as 2026-01-31T12:00:00Z"))?;
        Self::from_micros(parsed.as_microsecond())
    }

    /// Microseconds since 1970.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Seconds from `earlier` to here; negative if `earlier` is later.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        (self.0 - earlier.0) as f64 / 1e6
    }

    /// This time moved by whole seconds, held inside the years 1 to 9998.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        let moved = self.0.saturating_add(seconds.saturating_mul(1_000_000));
        Self(moved.clamp(MICROS_MIN, MICROS_MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The constructor keeps the value inside jiff's range.
        let time = jiff::Timestamp::from_microsecond(self.0).map_err(|_| fmt::Error)?;
        time.fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parsed = if deserializer.is_human_readable() {
            Self::parse(&String::deserialize(deserializer)?)
        } else {
            Self::from_micros(i64::deserialize(deserializer)?)
        };
        parsed.map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_taken_and_utc_is_kept() {
        let t = Timestamp::parse("2026-01-31T12:00:00.25+02:00").unwrap();
        assert_eq!(t.to_string(), "2026-01-31T10:00:00.25Z");
    }

    #[test]
    fn the_ends_of_the_range_print_and_parse() {
        for micros in [MICROS_MIN, MICROS_MAX, 0, -1] {
            let t = Timestamp::from_micros(micros).unwrap();
            assert_eq!(Timestamp::parse(&t.to_string()).unwrap(), t);
        }
        assert!(Timestamp::from_micros(MICROS_MAX + 1).is_err());
        assert!(Timestamp::from_seconds(i64::MAX).is_err());
        assert!(Timestamp::parse("yesterday").is_err());
    }
}
