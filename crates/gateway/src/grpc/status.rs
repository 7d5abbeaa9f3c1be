use std::collections::HashMap;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use tonic::Status;
use tonic::metadata::{MetadataMap, MetadataValue};
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
        if let Some(seconds) = told.come_again() {
            metadata.insert("retry-after", seconds.into());
            details.set_retry_info(Some(Duration::from_secs(seconds.into())));
        }
        Status::with_error_details_and_metadata(told.grpc, error.to_string(), details, metadata)
    }
}

/// The answer to a method that no service has.
pub(crate) fn unknown_method(path: &str) -> Response {
    Status::unimplemented(format!("there is no method {path:?}")).into_http::<Body>()
}
