use std::collections::HashMap;

use axum::body::Body;
use axum::response::Response;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::api_error::ApiError;
use crate::observe::GRPC_ERROR_CODE;

/// Whose the codes in the details are.
const DOMAIN: &str = "shortlist";

impl From<ApiError> for Status {
    fn from(error: ApiError) -> Self {
        let told = error.told();
        let mut metadata = MetadataMap::new();
        metadata.insert(GRPC_ERROR_CODE, MetadataValue::from_static(told.code));
        let mut details = ErrorDetails::with_error_info(told.code, DOMAIN, HashMap::new());
        if let Some(field) = error.field() {
            details.add_bad_request_violation(field, error.to_string());
        }
        if let Some(wait) = told.come_again() {
            metadata.insert("retry-after", wait.as_secs().into());
            // Clients that retry by their service config wait for this long, and not for their own backoff.
            metadata.insert("grpc-retry-pushback-ms", u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).into());
            details.set_retry_info(Some(wait));
        }
        Status::with_error_details_and_metadata(told.grpc, error.to_string(), details, metadata)
    }
}

/// The answer to a method that no service has.
pub(crate) fn unknown_method() -> Response {
    Status::from(ApiError::NoSuchEndpoint).into_http::<Body>()
}

/// An answer that the library gave before a handler heard of the call: a message that is too large, or no message. It
/// counts the second as a failure of ours, and its text names types.
pub(super) fn in_our_words(response: Response) -> Response {
    let headers = response.headers();
    if headers.contains_key(GRPC_ERROR_CODE) {
        return response;
    }
    let error = match headers.get(Status::GRPC_STATUS).map(|status| Code::from_bytes(status.as_bytes())) {
        Some(Code::OutOfRange) => ApiError::BodyTooLarge,
        Some(Code::Internal) => ApiError::InvalidMessage,
        _ => return response,
    };
    Status::from(error).into_http::<Body>()
}
