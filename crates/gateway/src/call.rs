use std::time::Duration;

use serde_json::Number;
use shortlist_recommender::Deadline;
use shortlist_types::InvalidInput;
use shortlist_types::limits::{DEADLINE_MS_MAX, DEADLINE_MS_MIN};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::api::whole_number;
use crate::api_error::ApiError;
use crate::limits::DEADLINE_GRACE;
use crate::priority::Priority;
use crate::received::Received;

/// An admitted request. It holds its place until it is dropped, which is when the work is done, not
/// when the caller stops waiting.
pub(crate) struct Call {
    pub(crate) received: Received,
    /// How long the caller waits, by the word of the protocol.
    pub(crate) timeout: Option<Duration>,
    pub(crate) priority: Priority,
    pub(crate) _place: OwnedSemaphorePermit,
}

impl Call {
    /// How long an answer may take: the earlier of what the request and the protocol say.
    pub(crate) fn patience(&self, deadline_ms: Option<&Number>, default: Duration) -> Result<Patience, InvalidInput> {
        let asked = deadline_ms.map(|number| whole_number("deadline_ms", number, DEADLINE_MS_MIN, DEADLINE_MS_MAX));
        let asked = asked.transpose()?.map(Duration::from_millis);
        let timeout = [asked, self.timeout].into_iter().flatten().min().unwrap_or(default);
        // A client whose transport gives up at a moment hears only what was said before it.
        let last = self.timeout.map(|timeout| timeout - timeout / 20);
        let limit = last.map_or(timeout + DEADLINE_GRACE, |last| last.min(timeout + DEADLINE_GRACE));
        Ok(Patience { received: self.received, timeout, limit })
    }
}

/// How long a request is worked on, counted from its arrival.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    received: Received,
    timeout: Duration,
    limit: Duration,
}

impl Patience {
    /// When the stages must be done: a tenth is kept for the way back.
    pub(crate) fn budget(&self) -> Deadline {
        Deadline::after((self.timeout - self.timeout / 10).saturating_sub(self.received.at.elapsed()))
    }

    /// Waits for an answer until the caller's deadline itself, for a caller that can be told something else then; none
    /// if it has not come.
    pub(crate) async fn wait_until_deadline<T>(
        &self,
        answer: &mut oneshot::Receiver<T>,
    ) -> Result<Option<T>, ApiError> {
        let last = self.limit.min(self.timeout);
        match timeout_at(Instant::from_std(self.received.at + last), answer).await {
            Ok(Ok(answer)) => Ok(Some(answer)),
            Ok(Err(_)) => Err(ApiError::Internal),
            Err(_) => Ok(None),
        }
    }

    /// Waits for an answer until it would come too late.
    pub(crate) async fn wait<T>(&self, answer: oneshot::Receiver<T>) -> Result<T, ApiError> {
        match timeout_at(Instant::from_std(self.received.at + self.limit), answer).await {
            Ok(Ok(answer)) => Ok(answer),
            // Whoever owed the answer is gone without one.
            Ok(Err(_)) => Err(ApiError::Internal),
            Err(_) => Err(self.too_late()),
        }
    }

    /// That there was no answer in time.
    pub(crate) fn too_late(&self) -> ApiError {
        ApiError::DeadlineExceeded { timeout_ms: self.timeout.as_millis() }
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
