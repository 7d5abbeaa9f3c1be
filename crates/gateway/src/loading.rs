//! Before the service is there: whoever comes is told that it is loading.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use metrics_exporter_prometheus::PrometheusHandle;
use shortlist_types::LogSeq;
use tokio::sync::watch;
use tonic_health::server::HealthReporter;

use crate::api::{NO_BUNDLE, Readiness};
use crate::api_error::ApiError;
use crate::connections::Connections;
use crate::limits::{ADMIN_CONNECTIONS_MAX, CONNECTIONS_MAX, HEADER_READ_TIMEOUT};
use crate::server::{Doors, guarded, next_of};
use crate::trace::Traces;
use crate::{grpc, metric, observe, part, rest};

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
pub async fn while_loading<T>(
    doors: Doors,
    metrics: PrometheusHandle,
    so_far: Loaded,
    loading: impl Future<Output = T>,
) -> (Doors, T) {
    let Doors { api, admin, access } = doors;
    let (stop, stopped) = watch::channel(());
    let (router, health) = router(metrics, so_far).await;
    let router = guarded(router, &access, &Traces::default());
    let (tls, idle) = (&access.tls, HEADER_READ_TIMEOUT);
    let mut api = Connections::new(api, router, tls.clone(), CONNECTIONS_MAX, idle, stopped.clone());
    let mut admin =
        admin.map(|admin| Connections::new(admin, refusing(), tls.clone(), ADMIN_CONNECTIONS_MAX, idle, stopped));
    let mut loading = std::pin::pin!(loading);
    let loaded = loop {
        tokio::select! {
            loaded = &mut loading => break loaded,
            () = api.next() => {}
            () = next_of(&mut admin) => {}
        }
    };
    grpc::let_watchers_go(health).await;
    drop(stop);
    (Doors { api: api.leave(), admin: admin.map(Connections::leave), access }, loaded)
}

/// For administrators: there is nothing that they could do yet.
fn refusing() -> Router {
    let router = Router::new().fallback(async || ApiError::Loading).layer(from_fn(part::part));
    router.layer(from_fn_with_state(Traces::default(), observe::observe))
}

async fn router(metrics: PrometheusHandle, so_far: Loaded) -> (Router, HealthReporter) {
    let page = async move || ([(CONTENT_TYPE, rest::METRICS_TYPE)], metric::page(&metrics, NO_BUNDLE, None));
    let (grpc, health) = grpc::health_of_nothing().await;
    let router = Router::new()
        .route("/healthz", get(rest::healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(page))
        .with_state(so_far)
        .merge(grpc)
        .fallback(async |request: Request| grpc::in_protocol_of(&request, ApiError::Loading));
    // What comes next is to meet the service itself.
    (router.layer(from_fn(part::part)), health)
}

async fn readyz(State(so_far): State<Loaded>) -> Response {
    rest::tell_readiness(Readiness {
        ready: false,
        bundle: NO_BUNDLE.to_owned(),
        log_seq: so_far.log_seq.load(Ordering::Relaxed),
        ingest: "off",
        reasons: vec!["loading"],
    })
}
