use std::time::Duration;

use serde_json::Number;
use shortlist_recommender::Deadline;
use shortlist_types::InvalidInput;
use shortlist_types::limits::{DEADLINE_MS_MAX, DEADLINE_MS_MIN};
use tokio::sync::OwnedSemaphorePermit;

use crate::api::whole_number;
use crate::limits::DEADLINE_RESERVE_MAX;
use crate::received::Received;

/// An admitted request. It holds its place until it is dropped, which is when the work is done, not
/// when the caller stops waiting.
pub(crate) struct Call {
    pub(crate) received: Received,
    /// How long the caller waits, by the word of the protocol.
    pub(crate) timeout: Option<Duration>,
    pub(crate) _place: OwnedSemaphorePermit,
}

impl Call {
    /// How long an answer may take: the earlier of what the request and the protocol say.
    pub(crate) fn timeout(&self, deadline_ms: Option<&Number>, default: Duration) -> Result<Duration, InvalidInput> {
        let asked = deadline_ms.map(|number| whole_number("deadline_ms", number, DEADLINE_MS_MIN, DEADLINE_MS_MAX));
        let asked = asked.transpose()?.map(Duration::from_millis);
        Ok([asked, self.timeout].into_iter().flatten().min().unwrap_or(default))
    }

    /// When the stages must be done so that the answer still arrives in time.
    pub(crate) fn budget(&self, timeout: Duration) -> Deadline {
        let reserve = (timeout / 10).min(DEADLINE_RESERVE_MAX);
        Deadline::after((timeout - reserve).saturating_sub(self.received.at.elapsed()))
    }
}

/// The `x-request-timeout` header: whole milliseconds.
pub(crate) fn timeout_of_header(text: &str) -> Result<Duration, InvalidInput> {
    let number = text.trim().parse::<u64>().ok().filter(|ms| (DEADLINE_MS_MIN..=DEADLINE_MS_MAX).contains(ms));
    number.map(Duration::from_millis).ok_or_else(|| {
        let reason = format!("must be {DEADLINE_MS_MIN} to {DEADLINE_MS_MAX} milliseconds");
        InvalidInput::new("x-request-timeout", reason)
    })
}

/// The `grpc-timeout` header: up to eight digits and a unit. What is longer than we ever wait is cut,
/// because clients set minutes as a matter of habit; what is malformed counts as absent, as gRPC says.
pub(crate) fn grpc_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let valid = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let number = digits.parse::<u64>().ok().filter(|_| valid)?;
    let timeout = match unit {
        "H" => Duration::from_secs(number * 3_600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    };
    Some(timeout.min(Duration::from_millis(DEADLINE_MS_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_timeouts_are_read_with_their_units() {
        for (text, expected) in [
            ("100m", Some(Duration::from_millis(100))),
            ("2S", Some(Duration::from_secs(2))),
            ("1500u", Some(Duration::from_micros(1_500))),
            ("7n", Some(Duration::from_nanos(7))),
            ("99999999H", Some(Duration::from_secs(10))),
            ("1M", Some(Duration::from_secs(10))),
            ("100000000m", None),
            ("+1m", None),
            ("m", None),
            ("", None),
            ("12", None),
            ("1é", None),
        ] {
            assert_eq!(grpc_timeout(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_timeout_header_has_a_range() {
        assert_eq!(timeout_of_header("250").unwrap(), Duration::from_millis(250));
        for text in ["0", "10001", "-1", "1.5", "", "soon", "99999999999999999999"] {
            let error = timeout_of_header(text).unwrap_err();
            assert_eq!(error.to_string(), "x-request-timeout: must be 1 to 10000 milliseconds", "{text:?}");
        }
    }
}
