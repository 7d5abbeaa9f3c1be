use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::AUTHORIZATION;

use super::keys::Known;
use super::{Keys, Role};
use crate::api_error::ApiError;
use crate::endpoint::Endpoint;
use crate::grpc;

/// Before every request of both protocols, where there are keys: lets through who has one for the endpoint's role.
pub(crate) async fn authorize(State(keys): State<Keys>, mut request: Request, next: Next) -> Response {
    let Some(needs) = Endpoint::of(&request).needs else { return next.run(request).await };
    match check(Some(&keys), needs, &request) {
        Ok(known) => {
            request.extensions_mut().insert(known.priority());
            next.run(request).await
        }
        Err(error) => grpc::in_protocol_of(&request, error),
    }
}

/// Before every request of an administrator: without keys there is none.
pub(crate) async fn admit_admin(State(keys): State<Option<Keys>>, request: Request, next: Next) -> Response {
    match check(keys.as_ref(), Role::Admin, &request) {
        Ok(_) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn check(keys: Option<&Keys>, needs: Role, request: &Request) -> Result<Arc<Known>, ApiError> {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let text =
        header.and_then(|header| header.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let known = text.and_then(|(_, text)| keys?.find(text.trim())).ok_or(ApiError::Unauthenticated)?;
    if known.role() < needs {
        return Err(ApiError::PermissionDenied { needs });
    }
    if !known.is_within_rate() {
        return Err(ApiError::RateLimited);
    }
    tracing::debug!(key = known.name(), "let in");
    Ok(known)
}
