use serde::Deserialize;
use shortlist_types::limits::FUTURE_SECONDS_MAX;
use shortlist_types::{InvalidInput, Timestamp};

/// A time as the caller gave it: RFC 3339, such as `2026-01-31T12:00:00Z`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Moment {
    /// From JSON.
    Text(String),
    /// From a protobuf `Timestamp`.
    Protobuf {
        /// Seconds since 1970.
        seconds: i64,
        /// Nanoseconds after them, 0 to 999,999,999.
        nanos: i32,
    },
}

impl From<String> for Moment {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Moment {
    /// The time, unless it lies further in the future than clocks may differ.
    ///
    /// # Errors
    /// Not a time, outside the years 1 to 9998, or too far in the future.
    pub(crate) fn parse(&self, now: Timestamp) -> Result<Timestamp, InvalidInput> {
        let time = match self {
            Self::Text(text) => Timestamp::parse(text)?,
            Self::Protobuf { seconds, nanos } => from_protobuf(*seconds, *nanos)?,
        };
        if time > now.plus_seconds(FUTURE_SECONDS_MAX) {
            let reason = format!("must be at most {FUTURE_SECONDS_MAX} seconds in the future, got {time}");
            return Err(InvalidInput::new("timestamp", reason));
        }
        Ok(time)
    }
}

fn from_protobuf(seconds: i64, nanos: i32) -> Result<Timestamp, InvalidInput> {
    if !(0..1_000_000_000).contains(&nanos) {
        let reason = format!("nanos must be 0 to 999999999, got {nanos}");
        return Err(InvalidInput::new("timestamp", reason));
    }
    let whole = Timestamp::from_seconds(seconds)?;
    Timestamp::from_micros(whole.as_micros().saturating_add(i64::from(nanos) / 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same_time() {
        let now = Timestamp::parse("2026-01-31T12:00:00Z").unwrap();
        let text = Moment::Text("2026-01-31T13:01:00.25+01:00".to_owned()).parse(now).unwrap();
        let seconds = now.as_micros() / 1_000_000 + 60;
        let protobuf = Moment::Protobuf { seconds, nanos: 250_000_999 }.parse(now).unwrap();
        assert_eq!(text, protobuf);
    }

    #[test]
    fn a_time_too_far_in_the_future_is_refused() {
        let now = Timestamp::EPOCH;
        let error = Moment::Text("1970-01-01T00:05:00.000001Z".to_owned()).parse(now).unwrap_err();
        assert_eq!(
            error.to_string(),
            "timestamp: must be at most 300 seconds in the future, got 1970-01-01T00:05:00.000001Z"
        );
        assert!(Moment::Protobuf { seconds: i64::MAX, nanos: 0 }.parse(now).is_err());
        assert!(Moment::Protobuf { seconds: 0, nanos: -1 }.parse(now).is_err());
    }
}
