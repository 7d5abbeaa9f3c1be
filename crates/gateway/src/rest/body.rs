use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRef, FromRequest, FromRequestParts, Path, Request};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use shortlist_types::InvalidInput;
use shortlist_types::limits::BODY_BYTES_MAX;

use super::json::{self, Events};
use crate::Service;
use crate::api_error::ApiError;
use crate::call::{Call, timeout_of_header};
use crate::limits::{BODY_READ_TIMEOUT, DISCARD_BYTES_MAX, INLINE_PARSE_BYTES_MAX};
use crate::priority::{PRIORITY_HEADER, Priority};
use crate::received::Received;

/// An admitted request without a body.
pub(super) struct Admitted(pub(super) Call);

/// An admitted request with its parsed JSON body.
pub(super) struct AdmittedJson<T> {
    pub(super) call: Call,
    pub(super) body: T,
}

/// A body and how it is read.
pub(super) trait ReadBody: Sized + Send + 'static {
    fn read(bytes: &[u8]) -> Result<Self, ApiError>;
}

impl<T: DeserializeOwned + Send + 'static> ReadBody for T {
    fn read(bytes: &[u8]) -> Result<Self, ApiError> {
        json::parse(bytes)
    }
}

impl ReadBody for Events {
    fn read(bytes: &[u8]) -> Result<Self, ApiError> {
        json::parse_events(bytes)
    }
}

/// The id in a path, percent-decoded: it may hold anything, a slash too.
pub(super) struct PathId(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(id) = path.map_err(|_| InvalidInput::new("path", "must be UTF-8, percent-encoded where needed"))?;
        Ok(Self(id))
    }
}

impl<S: Sync> FromRequestParts<S> for Admitted
where
    Arc<Service>: FromRef<S>,
{
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        admit(parts, &Arc::from_ref(state)).map(Self)
    }
}

impl<T: ReadBody, S: Sync> FromRequest<S> for AdmittedJson<T>
where
    Arc<Service>: FromRef<S>,
{
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let service: Arc<Service> = Arc::from_ref(state);
        let (parts, body) = request.into_parts();
        if !is_plain_json(&parts.headers) {
            return Err(ApiError::UnsupportedMediaType);
        }
        let read = tokio::time::timeout(BODY_READ_TIMEOUT, read_whole(body));
        let bytes = read.await.map_err(|_| ApiError::BodyTimeout)??;
        // After the body: a slow sender takes no place.
        let call = admit(&parts, &service)?;
        let body = if bytes.len() <= INLINE_PARSE_BYTES_MAX {
            T::read(&bytes)?
        } else {
            service.offload(call.priority, move || T::read(&bytes)).await?
        };
        Ok(Self { call, body })
    }
}

fn admit(parts: &Parts, service: &Service) -> Result<Call, ApiError> {
    let received = parts.extensions.get::<Received>().copied().unwrap_or_else(Received::new);
    let header = parts.headers.get("x-request-timeout");
    let timeout: Option<Duration> =
        header.map(|value| timeout_of_header(value.to_str().unwrap_or_default())).transpose()?;
    let header = parts.headers.get(PRIORITY_HEADER).map(|value| value.to_str().unwrap_or_default());
    let priority = Priority::of(header, parts.extensions.get().copied())?;
    service.admit(received, timeout, priority)
}

fn is_plain_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    is_json && headers.get(CONTENT_ENCODING).is_none_or(|encoding| *encoding == HeaderValue::from_static("identity"))
}

/// The whole body, if it is within [`BODY_BYTES_MAX`].
async fn read_whole(mut body: Body) -> Result<Bytes, ApiError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        // Whoever breaks off does not read the answer.
        let frame = frame.map_err(|_| ApiError::BodyTimeout)?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > BODY_BYTES_MAX {
            drop(bytes);
            discard(body).await;
            return Err(ApiError::BodyTooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}

/// Reads on, up to a limit, so that the client gets to reading the answer.
async fn discard(mut body: Body) {
    let mut left = DISCARD_BYTES_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
