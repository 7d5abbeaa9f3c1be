//! The page that shows the description to people. All of its files are in the binary: a browser loads nothing from
//! elsewhere, and is told not to.

use std::sync::{Arc, LazyLock};

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderValue;
use http::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use utoipa_swagger_ui::{Config, serve};

use crate::api_error::ApiError;

/// Scripts and calls of this server alone; the page sets styles of its own as it goes.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

static CONFIG: LazyLock<Arc<Config<'static>>> =
    LazyLock::new(|| Arc::new(Config::new(["/openapi.json"]).validator_url("none").try_it_out_enabled(true)));

/// To where the page's files lie beside it.
pub(super) async fn enter() -> Redirect {
    Redirect::permanent("/docs/")
}

/// The page itself.
pub(super) async fn page() -> Result<Response, ApiError> {
    file(Path("index.html".to_owned())).await
}

/// One file of the page, compressed as it lies in the binary.
pub(super) async fn file(Path(path): Path<String>) -> Result<Response, ApiError> {
    let found = serve(&path, Arc::clone(&CONFIG)).map_err(|error| {
        tracing::error!(error = error.to_string(), "a file of the documentation cannot be served");
        ApiError::Internal
    })?;
    let found = found.ok_or(ApiError::NoSuchEndpoint)?;
    let content_type = HeaderValue::try_from(found.content_type).map_err(|_| ApiError::Internal)?;
    let mut response = found.bytes.into_owned().into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if found.gzpipped {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}
