//! REST under `/v1`, and the endpoints of operations.

mod body;
mod catalog;
mod docs;
mod error;
mod events;
mod json;
mod openapi;
mod operations;
mod query;
mod questions;

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::FromRef;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use tower_http::catch_panic::CatchPanicLayer;

use crate::api_error::ApiError;
use crate::{GatewayError, Service};

pub(crate) use operations::{METRICS_TYPE, healthz, tell_readiness};

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct RestState {
    service: Arc<Service>,
    metrics: PrometheusHandle,
    openapi: Bytes,
}

impl FromRef<RestState> for Arc<Service> {
    fn from_ref(state: &RestState) -> Self {
        Arc::clone(&state.service)
    }
}

/// All REST routes; what matches none is left to the caller's fallback.
pub(crate) fn router(service: Arc<Service>, metrics: PrometheusHandle) -> Result<Router, GatewayError> {
    let state = RestState { service, metrics, openapi: openapi::to_json()?.into() };
    let router = Router::new()
        .route("/v1/recommend", post(questions::recommend))
        .route("/v1/users/{user_id}/recommendations", get(questions::recommendations_of_user))
        .route("/v1/similar", post(questions::similar))
        .route("/v1/search", post(questions::search))
        .route("/v1/rank", post(questions::rank))
        .route("/v1/events", post(events::ingest))
        .route("/v1/items", get(catalog::list_items).post(catalog::put_items))
        .route(
            "/v1/items/{item_id}",
            get(catalog::get_item).put(catalog::put_item).patch(catalog::patch_item).delete(catalog::delete_item),
        )
        .route("/v1/users", get(catalog::list_users).post(catalog::put_users))
        .route("/v1/users/{user_id}", get(catalog::get_user).put(catalog::put_user).delete(catalog::delete_user))
        .route("/healthz", get(operations::healthz))
        .route("/readyz", get(operations::readyz))
        .route("/metrics", get(operations::metrics))
        .route("/openapi.json", get(operations::openapi))
        .route("/docs", get(docs::enter))
        .route("/docs/", get(docs::page))
        .route("/docs/{*file}", get(docs::file))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(CatchPanicLayer::custom(answer_panic))
        .with_state(state);
    Ok(router)
}

/// A panic in a handler costs its own request, and says nothing outside.
fn answer_panic(_panic: Box<dyn Any + Send>) -> Response {
    tracing::error!("a REST handler panicked");
    ApiError::Internal.into_response()
}
