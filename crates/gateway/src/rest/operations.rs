use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::RestState;
use crate::Service;
use crate::api::{Alive, Readiness};
use crate::metric;
use crate::observe::ErrorCode;

/// The text format of Prometheus.
pub(crate) const METRICS_TYPE: &str = "text/plain; version=0.0.4";

/// Whether the process runs
#[utoipa::path(get, path = "/healthz", tag = "operations",
    responses((status = 200, description = "It runs", body = Alive)))]
pub(crate) async fn healthz() -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// Whether traffic should come here
#[utoipa::path(get, path = "/readyz", tag = "operations",
    responses((status = 200, description = "It should", body = Readiness),
        (status = 503, description = "It should not, for the named reasons", body = Readiness)))]
pub(super) async fn readyz(State(service): State<Arc<Service>>) -> Response {
    tell_readiness(service.readiness())
}

/// The answer of `/readyz`; the first reason is what it is counted under.
pub(crate) fn tell_readiness(readiness: Readiness) -> Response {
    match readiness.reasons.first().copied() {
        None => Json(readiness).into_response(),
        Some(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, Extension(ErrorCode(reason)), Json(readiness)).into_response()
        }
    }
}

/// Metrics in the text format of Prometheus
#[utoipa::path(get, path = "/metrics", tag = "operations",
    responses((status = 200, description = "Metrics", body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(state): State<RestState>) -> Response {
    let Readiness { bundle, .. } = state.service.readiness();
    let page = metric::page(&state.metrics, &bundle, state.service.bundle_age_seconds());
    ([(CONTENT_TYPE, METRICS_TYPE)], page).into_response()
}

/// This description
#[utoipa::path(get, path = "/openapi.json", tag = "operations",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json")))]
pub(super) async fn openapi(State(state): State<RestState>) -> Response {
    ([(CONTENT_TYPE, "application/json")], state.openapi).into_response()
}
