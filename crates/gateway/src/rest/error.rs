use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};

use crate::api::Problem;
use crate::api_error::ApiError;
use crate::observe::ErrorCode;

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let told = self.told();
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, PROBLEM_JSON)]);
        if let Some(wait) = told.come_again() {
            headers.insert(RETRY_AFTER, wait.as_secs().into());
        }
        if self == Self::Unauthenticated {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // A struct of texts and numbers always serialises.
        let body = serde_json::to_vec(&Problem::from(&self)).unwrap_or_default();
        let mut response = (told.status, headers, body).into_response();
        response.extensions_mut().insert(ErrorCode(told.code));
        response
    }
}
