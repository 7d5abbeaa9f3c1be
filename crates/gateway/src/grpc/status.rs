use axum::body::Body;
use axum::response::Response;
use tonic::Status;
use tonic::metadata::{MetadataMap, MetadataValue};

use crate::api_error::ApiError;
use crate::observe::GRPC_ERROR_CODE;

impl From<ApiError> for Status {
    fn from(error: ApiError) -> Self {
        let told = error.told();
        let mut metadata = MetadataMap::new();
        metadata.insert(GRPC_ERROR_CODE, MetadataValue::from_static(told.code));
        if let Some(seconds) = told.come_again() {
            metadata.insert("retry-after", seconds.into());
        }
        Status::with_metadata(told.grpc, error.to_string(), metadata)
    }
}

/// The answer to a method that no service has.
pub(crate) fn unknown_method(path: &str) -> Response {
    Status::unimplemented(format!("there is no method {path:?}")).into_http::<Body>()
}
