use http::StatusCode;
use shortlist_client::{Code, Error};

use crate::LoadError;

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Answered with all that was asked.
    Ok,
    /// Answered with less than asked, and said so.
    Degraded,
    /// Turned away at the door, and told when to come again: 429 or `RESOURCE_EXHAUSTED`.
    Refused,
    /// The caller waited no longer.
    HungUp,
    /// Nobody took the connection; in words.
    Unreachable(String),
    /// Anything else, in words.
    Failed(String),
}

impl Outcome {
    /// Of an answer with so many items and reasons of degradation.
    pub(crate) fn of_answer(items: usize, expected: Option<u32>, degraded: usize) -> Self {
        match expected {
            Some(k) if items != k as usize => Self::Failed(format!("expected {k} items, got {items}")),
            _ if degraded > 0 => Self::Degraded,
            _ => Self::Ok,
        }
    }

    pub(crate) fn of_error(error: &Error) -> Self {
        match error.refusal() {
            Some(refusal)
                if refusal.status == Code::ResourceExhausted
                    && refusal.retry_after.is_some_and(|wait| wait.as_secs() >= 1) =>
            {
                Self::Refused
            }
            Some(refusal) => Self::Failed(format!("{:?}: {refusal}", refusal.status)),
            None if matches!(error, Error::Unreachable { .. }) => Self::Unreachable(error.to_string()),
            None => Self::Failed(error.to_string()),
        }
    }

    /// Of a connection that could not be opened, or broke.
    pub(crate) fn of_broken(error: &LoadError) -> Self {
        match error {
            LoadError::Unreachable { .. } => Self::Unreachable(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }

    /// Of a REST answer that is not 200.
    pub(crate) fn of_status(status: StatusCode, retry_after: Option<u64>, body: &[u8]) -> Self {
        match status {
            StatusCode::TOO_MANY_REQUESTS if retry_after.is_some_and(|seconds| seconds >= 1) => Self::Refused,
            _ => Self::Failed(format!("{status}: {}", beginning(body))),
        }
    }
}

/// As much of a body as fits a line.
pub(crate) fn beginning(body: &[u8]) -> String {
    const SHOWN: usize = 300;
    let text = String::from_utf8_lossy(&body[..body.len().min(SHOWN)]);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
