use std::error::Error as _;
use std::time::Duration;

use tonic::metadata::MetadataMap;
use tonic::{Code, ConnectError, Status, TimeoutExpired};
use tonic_types::StatusExt;

/// Why a call got no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service answered that it will not: the request is at fault, or the service cannot do it now.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// There was no answer in time. A write may have happened all the same.
    #[error("no answer within {} ms; a write may still happen", deadline.as_millis())]
    DeadlineExceeded {
        /// How long the call was allowed to take.
        deadline: Duration,
    },
    /// The connection broke before the answer came. A write may have happened.
    #[error("the connection broke before the answer came: {reason}")]
    Broken {
        /// What the transport said.
        reason: String,
    },
    /// Nobody took the connection, or it was closed before the request had its turn: nothing was sent.
    #[error("the service cannot be reached: {reason}")]
    Unreachable {
        /// What the transport said.
        reason: String,
    },
    /// The client cannot be made of what it was given.
    #[error("{what}: {reason}")]
    Invalid {
        /// What cannot be used, such as `url`.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

/// What the service said instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
#[non_exhaustive]
pub struct Refusal {
    /// The stable code of the service, such as `invalid_input`; where something else answered in its place, such as a
    /// proxy, the name of the gRPC status, such as `unimplemented`.
    pub code: String,
    /// What is wrong, for people; names the field and the limit.
    pub message: String,
    /// The field at fault, as the caller wrote it: `events[3].item_id`.
    pub field: Option<String>,
    /// The gRPC status.
    pub status: Code,
    /// How long to wait before the same request may succeed.
    pub retry_after: Option<Duration>,
    /// Under which id the log of the service tells more.
    pub request_id: Option<String>,
    /// Whether the service, by `grpc-retry-pushback-ms`, wants no repetition at all.
    pub(crate) never_again: bool,
}

impl Error {
    /// The stable code: that of the service, or `deadline_exceeded`, `unreachable`, `connection_broken`,
    /// `invalid_client`.
    pub fn code(&self) -> &str {
        match self {
            Self::Refused(refusal) => &refusal.code,
            Self::DeadlineExceeded { .. } => "deadline_exceeded",
            Self::Unreachable { .. } => "unreachable",
            Self::Broken { .. } => "connection_broken",
            Self::Invalid { .. } => "invalid_client",
        }
    }

    /// What the service said, if it did.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Whether the service turned the request away at its door for want of room: nothing of it was done.
    pub fn is_overload(&self) -> bool {
        self.refusal().is_some_and(|refusal| refusal.status == Code::ResourceExhausted && refusal.retry_after.is_some())
    }

    /// What a call that was allowed to take `deadline` ended with.
    pub(crate) fn of(status: Status, deadline: Duration) -> Self {
        let (mut cause, mut is_unsent) = (status.source(), false);
        // What came over the wire has no cause on this side.
        while let Some(deeper) = cause {
            if deeper.is::<TimeoutExpired>() {
                return Self::DeadlineExceeded { deadline };
            }
            // Cancelled is what was handed over and never left: the connection was closed before its turn.
            let is_cancelled = deeper.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
            is_unsent |= is_cancelled || deeper.is::<ConnectError>();
            cause = deeper.source();
            if cause.is_none() {
                let reason = deeper.to_string();
                return if is_unsent { Self::Unreachable { reason } } else { Self::Broken { reason } };
            }
        }
        let pushback = number(status.metadata(), "grpc-retry-pushback-ms");
        let pushed_back = pushback.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
        let seconds = number(status.metadata(), "retry-after").and_then(|seconds| u64::try_from(seconds).ok());
        Self::Refused(Box::new(Refusal {
            code: text(status.metadata(), "shortlist-code").unwrap_or_else(|| name(status.code())),
            message: status.message().to_owned(),
            field: status
                .get_details_bad_request()
                .and_then(|bad| Some(bad.field_violations.into_iter().next()?.field)),
            status: status.code(),
            retry_after: pushed_back.or(seconds.map(Duration::from_secs)),
            request_id: text(status.metadata(), "x-request-id"),
            never_again: pushback.is_some() && pushed_back.is_none(),
        }))
    }
}

fn text(metadata: &MetadataMap, key: &str) -> Option<String> {
    Some(metadata.get(key)?.to_str().ok()?.to_owned())
}

fn number(metadata: &MetadataMap, key: &str) -> Option<i64> {
    text(metadata, key)?.parse().ok()
}

/// `DeadlineExceeded` as `deadline_exceeded`.
fn name(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}
