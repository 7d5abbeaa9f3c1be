//! Before the service is there: whoever comes is told that it is loading.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::middleware::from_fn;
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use metrics_exporter_prometheus::PrometheusHandle;
use shortlist_types::LogSeq;
use tokio::sync::watch;

use crate::api::Readiness;
use crate::api_error::ApiError;
use crate::connections::Connections;
use crate::limits::CONNECTIONS_MAX;
use crate::server::{Doors, guarded};
use crate::trace::Traces;
use crate::{GatewayError, grpc, part, rest};

/// How far the state has been loaded.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    log_seq: Arc<AtomicU64>,
}

impl Loaded {
    /// The state holds the log up to this record.
    pub fn at(&self, log_seq: LogSeq) {
        self.log_seq.store(log_seq.0, Ordering::Relaxed);
    }
}

/// Takes connections while `loading` runs: the process lives, is not ready, and refuses everything else with the code
/// `loading`, so that nobody hangs in the backlog. Gives the doors back with what was loaded.
///
/// # Errors
/// The API descriptions cannot be made.
pub async fn while_loading<T>(
    doors: Doors,
    metrics: PrometheusHandle,
    so_far: Loaded,
    loading: impl Future<Output = T>,
) -> Result<(Doors, T), GatewayError> {
    let Doors { api, admin, access } = doors;
    let (stop, stopped) = watch::channel(());
    let router = guarded(router(metrics, so_far).await?, &access, &Traces::default());
    let mut connections = Connections::new(api, router, access.tls.clone(), CONNECTIONS_MAX, stopped);
    let mut loading = std::pin::pin!(loading);
    let loaded = loop {
        tokio::select! {
            loaded = &mut loading => break loaded,
            () = connections.next() => {}
        }
    };
    drop(stop);
    Ok((Doors { api: connections.leave(), admin, access }, loaded))
}

async fn router(metrics: PrometheusHandle, so_far: Loaded) -> Result<Router, GatewayError> {
    let page = async move || ([(CONTENT_TYPE, rest::METRICS_TYPE)], metrics.render());
    let router = Router::new()
        .route("/healthz", get(rest::healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(page))
        .with_state(so_far)
        .merge(grpc::health_of_nothing().await)
        .fallback(async |request: axum::extract::Request| grpc::in_protocol_of(&request, ApiError::Loading));
    // What comes next is to meet the service itself.
    Ok(router.layer(from_fn(part::part)))
}

async fn readyz(State(so_far): State<Loaded>) -> (StatusCode, Json<Readiness>) {
    let readiness = Readiness {
        ready: false,
        bundle: "no_bundle".to_owned(),
        log_seq: so_far.log_seq.load(Ordering::Relaxed),
        ingest: "off",
        reasons: vec!["loading"],
    };
    (StatusCode::SERVICE_UNAVAILABLE, Json(readiness))
}
