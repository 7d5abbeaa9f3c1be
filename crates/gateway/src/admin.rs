//! `/admin/v1`: the registry of bundles, on a listener of its own.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use shortlist_recommender::Bundle;
use shortlist_store::BundleId;
use shortlist_types::Timestamp;

use crate::access::{Keys, admit_admin};
use crate::api_error::ApiError;
use crate::received::Received;
use crate::{Service, observe};

/// All bundles, the newest first.
#[derive(Debug, Serialize)]
struct Bundles {
    bundles: Vec<BundleView>,
}

#[derive(Debug, Serialize)]
struct BundleView {
    id: String,
    published_at: Timestamp,
    current: bool,
}

/// The bundle that is current now. The server sees that within a second, loads and warms it, and swaps.
#[derive(Debug, Serialize)]
struct Current {
    current: String,
}

/// The routes of an administrator; each needs a key with his role.
pub(crate) fn router(service: Arc<Service>, keys: Option<Keys>) -> Router {
    let traces = service.traces().clone();
    Router::new()
        .route("/admin/v1/bundles", get(list))
        .route("/admin/v1/bundles/{id}/promote", post(promote))
        .route("/admin/v1/rollback", post(roll_back))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .fallback(async || ApiError::NoSuchEndpoint)
        .with_state(service)
        .layer(from_fn_with_state(keys, admit_admin))
        .layer(from_fn_with_state(traces, observe::observe))
}

async fn list(State(service): State<Arc<Service>>) -> Result<Json<Bundles>, ApiError> {
    let registry = service.store().registry();
    let listed = service.administer(move || Ok(registry.list()?)).await?;
    let view = |bundle: shortlist_store::BundleInfo| BundleView {
        id: bundle.id.to_string(),
        published_at: bundle.published_at,
        current: bundle.current,
    };
    Ok(Json(Bundles { bundles: listed.into_iter().rev().map(view).collect() }))
}

async fn promote(State(service): State<Arc<Service>>, Path(id): Path<String>) -> Result<Json<Current>, ApiError> {
    let id = BundleId::parse(&id)?;
    let store = service.store().clone();
    let promoted = service.administer(move || {
        // A bundle that cannot serve would leave the server with what it has, and nobody would hear of it.
        Bundle::promote(&store, &id, Received::new().now)?;
        Ok(id)
    });
    Ok(Json(Current { current: promoted.await?.to_string() }))
}

async fn roll_back(State(service): State<Arc<Service>>) -> Result<Json<Current>, ApiError> {
    let registry = service.store().registry();
    let current = service.administer(move || Ok(registry.rollback(Received::new().now)?)).await?;
    Ok(Json(Current { current: current.to_string() }))
}
