use std::time::Duration;

use http::StatusCode;
use metrics::counter;
use shortlist_recommender::{BundleError, RecommendError};
use shortlist_store::StoreError;
use shortlist_types::InvalidInput;
use shortlist_types::limits::BODY_BYTES_MAX;
use tonic::Code;

use crate::access::Role;
use crate::metric::BUNDLES_REFUSED;

/// Why a request got no answer, as the caller hears it: a closed list, whose texts hold nothing but
/// what the caller sent. What went wrong inside is logged, not told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApiError {
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    #[error("the body is not JSON: {reason}")]
    InvalidJson { reason: String },
    #[error("the message is not one of this method, or holds text that is not UTF-8")]
    InvalidMessage,
    #[error("send a key that the server knows as `authorization: Bearer KEY`")]
    Unauthenticated,
    #[error("the key may not do this; it takes one with the role {needs}")]
    PermissionDenied { needs: Role },
    #[error("the key has made more requests than its rate allows; try again shortly")]
    RateLimited,
    #[error("no bundle is called so; the list of bundles names those that there are")]
    BundleNotFound,
    #[error("the bundle is damaged and cannot serve; the current one stays")]
    BundleDamaged,
    #[error("the bundle cannot serve here; the log of the server says why, and the current one stays")]
    BundleUnfit,
    #[error("no bundle was current before this one")]
    NothingToRollBack,
    #[error("no item is called {item_id:?}")]
    ItemNotFound { item_id: String },
    #[error("no order is kept of an answer called {request_id:?} for this user and surface; ask again without it")]
    PageNotFound { request_id: String },
    #[error("nothing is known of a user called {user_id:?}")]
    UserNotFound { user_id: String },
    #[error("there is no such endpoint; /openapi.json lists those that there are")]
    NoSuchEndpoint,
    #[error("the endpoint does not take this method; the `allow` header lists those that it takes")]
    MethodNotAllowed,
    #[error("the body did not arrive in time")]
    BodyTimeout,
    #[error("the body has more than {BODY_BYTES_MAX} bytes; send smaller batches")]
    BodyTooLarge,
    #[error("send a body with `content-type: application/json` and without `content-encoding`")]
    UnsupportedMediaType,
    #[error("too many requests are being served; try again shortly")]
    Overloaded,
    #[error("too much waits for the log; nothing was kept, send it again shortly")]
    IngestBusy,
    #[error("something failed inside; the log of the server has the details under this request's id")]
    Internal,
    #[error("the log takes no more records until the server is restarted; recommendations go on")]
    IngestOff,
    #[error("he is erased, but for bytes that a reader of the log keeps in its write-ahead file; erase again shortly")]
    EraseUnfinished,
    #[error("a training or a backup holds the registry of bundles; try again when it is done")]
    RegistryBusy,
    #[error("the server is loading its state and its bundle; try again shortly")]
    Loading,
    #[error("the server is shutting down; go on at another one, or here when it is back")]
    ShuttingDown,
    #[error("there was no answer within {timeout_ms} ms; a write may still happen")]
    DeadlineExceeded { timeout_ms: u128 },
    #[error("the disk of the server is full; nothing was kept, send it again when there is space")]
    DiskFull,
}

/// How both protocols tell an [`ApiError`].
pub(crate) struct Told {
    pub(crate) status: StatusCode,
    pub(crate) grpc: Code,
    /// Stable, for programs.
    pub(crate) code: &'static str,
    /// Short text, the same for every occurrence.
    pub(crate) title: &'static str,
    /// Seconds after which the same request may succeed.
    pub(crate) retry_after: Option<u64>,
}

impl Told {
    /// When the caller is to come again: not before the request may succeed, and up to three times as late in
    /// whole seconds, drawn at random, so that those who were refused together do not come back together.
    pub(crate) fn come_again(&self) -> Option<Duration> {
        let least = self.retry_after.map(Duration::from_secs)?;
        Some(rand::random_range(least..3 * least + Duration::from_secs(1)))
    }
}

impl ApiError {
    /// The one table from errors to statuses.
    pub(crate) fn told(&self) -> Told {
        let (status, grpc, code, title, retry_after) = match self {
            Self::Invalid(_) => (400, Code::InvalidArgument, "invalid_input", "A field cannot be taken", None),
            Self::InvalidJson { .. } => (400, Code::InvalidArgument, "invalid_json", "The body is not JSON", None),
            Self::InvalidMessage => (400, Code::InvalidArgument, "invalid_message", "The message is not one", None),
            Self::Unauthenticated => (401, Code::Unauthenticated, "unauthenticated", "No key", None),
            Self::PermissionDenied { .. } => (403, Code::PermissionDenied, "permission_denied", "Not allowed", None),
            Self::RateLimited => (429, Code::ResourceExhausted, "rate_limited", "Too many requests", Some(1)),
            Self::BundleNotFound => (404, Code::NotFound, "bundle_not_found", "No such bundle", None),
            Self::BundleDamaged => (409, Code::FailedPrecondition, "bundle_damaged", "The bundle is damaged", None),
            Self::BundleUnfit => (409, Code::FailedPrecondition, "bundle_unfit", "The bundle cannot serve", None),
            Self::NothingToRollBack => {
                (409, Code::FailedPrecondition, "nothing_to_roll_back", "Nothing to roll back", None)
            }
            Self::ItemNotFound { .. } => (404, Code::NotFound, "item_not_found", "No such item", None),
            Self::PageNotFound { .. } => (404, Code::NotFound, "page_not_found", "No such page", None),
            Self::UserNotFound { .. } => (404, Code::NotFound, "user_not_found", "No such user", None),
            Self::NoSuchEndpoint => (404, Code::Unimplemented, "no_such_endpoint", "No such endpoint", None),
            Self::MethodNotAllowed => (405, Code::Unimplemented, "method_not_allowed", "Method not allowed", None),
            Self::BodyTimeout => (408, Code::Aborted, "body_timeout", "The body came too slowly", None),
            Self::BodyTooLarge => (413, Code::ResourceExhausted, "body_too_large", "The body is too large", None),
            Self::UnsupportedMediaType => {
                (415, Code::InvalidArgument, "unsupported_media_type", "Unsupported media type", None)
            }
            Self::Overloaded => (429, Code::ResourceExhausted, "overloaded", "Too many requests", Some(1)),
            Self::IngestBusy => (429, Code::ResourceExhausted, "ingest_busy", "Too many writes", Some(1)),
            Self::Internal => (500, Code::Internal, "internal", "Internal error", None),
            Self::IngestOff => (503, Code::Unavailable, "ingest_off", "The log is read-only", Some(30)),
            Self::EraseUnfinished => {
                (503, Code::Unavailable, "erase_unfinished", "The erasure is not finished", Some(30))
            }
            Self::RegistryBusy => (503, Code::Unavailable, "registry_busy", "The registry is held", Some(30)),
            Self::Loading => (503, Code::Unavailable, "loading", "The server is loading", Some(1)),
            Self::ShuttingDown => (503, Code::Unavailable, "shutting_down", "The server is shutting down", Some(1)),
            Self::DeadlineExceeded { .. } => {
                (504, Code::DeadlineExceeded, "deadline_exceeded", "The deadline has passed", None)
            }
            Self::DiskFull => (507, Code::ResourceExhausted, "disk_full", "The disk is full", Some(30)),
        };
        // Every number of the table is a status; the test below walks it.
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Told { status, grpc, code, title, retry_after }
    }

    /// The field at fault, as the caller wrote it.
    pub(crate) fn field(&self) -> Option<&str> {
        match self {
            Self::Invalid(invalid) => Some(&invalid.field),
            _ => None,
        }
    }
}

impl From<RecommendError> for ApiError {
    fn from(error: RecommendError) -> Self {
        match error {
            RecommendError::Invalid(invalid) => Self::Invalid(invalid),
            RecommendError::UnknownItem { item_id } => Self::ItemNotFound { item_id },
            RecommendError::UnknownPage { request_id } => Self::PageNotFound { request_id },
        }
    }
}

impl From<BundleError> for ApiError {
    fn from(error: BundleError) -> Self {
        let is_damaged = matches!(error, BundleError::Store(StoreError::DamagedBundle { .. }));
        match error {
            BundleError::Store(error) if !is_damaged => error.into(),
            refused => {
                counter!(BUNDLES_REFUSED).increment(1);
                tracing::error!(error = %refused, "the bundle was not promoted");
                if is_damaged { Self::BundleDamaged } else { Self::BundleUnfit }
            }
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Invalid(invalid) => Self::Invalid(invalid),
            StoreError::Busy { .. } | StoreError::DatabaseBusy => Self::IngestBusy,
            StoreError::BatchTooLarge { .. } => Self::BodyTooLarge,
            StoreError::DiskFull => Self::DiskFull,
            StoreError::LogStopped { .. } => Self::IngestOff,
            StoreError::WalHeld => Self::EraseUnfinished,
            StoreError::BundleNotFound { .. } => Self::BundleNotFound,
            StoreError::DamagedBundle { .. } => Self::BundleDamaged,
            StoreError::NothingToRollBack => Self::NothingToRollBack,
            StoreError::RegistryBusy => Self::RegistryBusy,
            other => {
                tracing::error!(error = %other, "the store failed");
                Self::Internal
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_are_refused_together_are_told_different_times_none_too_early() {
        let told = ApiError::RateLimited.told();
        let mut drawn: Vec<_> = (0..1_000).map(|_| told.come_again().unwrap()).collect();
        drawn.sort_unstable();
        let (first, last) = (drawn[0], drawn[999]);
        assert!(first >= Duration::from_secs(1) && last < Duration::from_secs(4), "{first:?} {last:?}");
        // Evenly: a fifth of the range holds a fifth of them, not a crowd.
        let most = drawn.chunk_by(|a, b| a.as_millis() / 600 == b.as_millis() / 600).map(<[_]>::len).max();
        assert!(most.is_some_and(|most| most < 300), "{most:?}");
        assert!(ApiError::Unauthenticated.told().come_again().is_none());
    }

    #[test]
    fn every_error_keeps_its_statuses_and_its_code() {
        let id = || "x".to_owned();
        let errors = [
            ApiError::Invalid(InvalidInput::new("k", "must be 1 to 500, got 0")),
            ApiError::InvalidJson { reason: "expected value at line 1 column 1".to_owned() },
            ApiError::InvalidMessage,
            ApiError::Unauthenticated,
            ApiError::PermissionDenied { needs: Role::Write },
            ApiError::RateLimited,
            ApiError::BundleNotFound,
            ApiError::BundleDamaged,
            ApiError::BundleUnfit,
            ApiError::NothingToRollBack,
            ApiError::ItemNotFound { item_id: id() },
            ApiError::PageNotFound { request_id: id() },
            ApiError::UserNotFound { user_id: id() },
            ApiError::NoSuchEndpoint,
            ApiError::MethodNotAllowed,
            ApiError::BodyTimeout,
            ApiError::BodyTooLarge,
            ApiError::UnsupportedMediaType,
            ApiError::Overloaded,
            ApiError::IngestBusy,
            ApiError::Internal,
            ApiError::IngestOff,
            ApiError::EraseUnfinished,
            ApiError::RegistryBusy,
            ApiError::Loading,
            ApiError::ShuttingDown,
            ApiError::DeadlineExceeded { timeout_ms: 100 },
            ApiError::DiskFull,
        ];
        let table: String = errors
            .iter()
            .map(|error| {
                let Told { status, grpc, code, retry_after, .. } = error.told();
                let retry = retry_after.map_or(String::new(), |seconds| format!(", retry after {seconds} s"));
                format!("{} {grpc:?} {code}{retry}: {error}\n", status.as_u16())
            })
            .collect();
        insta::assert_snapshot!(table, @r#"
        400 InvalidArgument invalid_input: k: must be 1 to 500, got 0
        400 InvalidArgument invalid_json: the body is not JSON: expected value at line 1 column 1
        400 InvalidArgument invalid_message: the message is not one of this method, or holds text that is not UTF-8
        401 Unauthenticated unauthenticated: send a key that the server knows as `authorization: Bearer KEY`
        403 PermissionDenied permission_denied: the key may not do this; it takes one with the role write
        429 ResourceExhausted rate_limited, retry after 1 s: the key has made more requests than its rate allows; try again shortly
        404 NotFound bundle_not_found: no bundle is called so; the list of bundles names those that there are
        409 FailedPrecondition bundle_damaged: the bundle is damaged and cannot serve; the current one stays
        409 FailedPrecondition bundle_unfit: the bundle cannot serve here; the log of the server says why, and the current one stays
        409 FailedPrecondition nothing_to_roll_back: no bundle was current before this one
        404 NotFound item_not_found: no item is called "x"
        404 NotFound page_not_found: no order is kept of an answer called "x" for this user and surface; ask again without it
        404 NotFound user_not_found: nothing is known of a user called "x"
        404 Unimplemented no_such_endpoint: there is no such endpoint; /openapi.json lists those that there are
        405 Unimplemented method_not_allowed: the endpoint does not take this method; the `allow` header lists those that it takes
        408 Aborted body_timeout: the body did not arrive in time
        413 ResourceExhausted body_too_large: the body has more than 2097152 bytes; send smaller batches
        415 InvalidArgument unsupported_media_type: send a body with `content-type: application/json` and without `content-encoding`
        429 ResourceExhausted overloaded, retry after 1 s: too many requests are being served; try again shortly
        429 ResourceExhausted ingest_busy, retry after 1 s: too much waits for the log; nothing was kept, send it again shortly
        500 Internal internal: something failed inside; the log of the server has the details under this request's id
        503 Unavailable ingest_off, retry after 30 s: the log takes no more records until the server is restarted; recommendations go on
        503 Unavailable erase_unfinished, retry after 30 s: he is erased, but for bytes that a reader of the log keeps in its write-ahead file; erase again shortly
        503 Unavailable registry_busy, retry after 30 s: a training or a backup holds the registry of bundles; try again when it is done
        503 Unavailable loading, retry after 1 s: the server is loading its state and its bundle; try again shortly
        503 Unavailable shutting_down, retry after 1 s: the server is shutting down; go on at another one, or here when it is back
        504 DeadlineExceeded deadline_exceeded: there was no answer within 100 ms; a write may still happen
        507 ResourceExhausted disk_full, retry after 30 s: the disk of the server is full; nothing was kept, send it again when there is space
        "#);
    }
}
