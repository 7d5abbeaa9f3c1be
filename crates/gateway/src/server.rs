use std::future::Future;
use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use metrics::{counter, gauge};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::access::{Access, authorize};
use crate::api_error::ApiError;
use crate::connections::Connections;
use crate::limits::{ADMIN_CONNECTIONS_MAX, CONNECTIONS_MAX, UPKEEP_INTERVAL};
use crate::metric::{ADMITTED, EFFORT, INGEST_HEALTHY, LOG_SEQ, LOG_WAITING, SERVED_DROPPED, SERVED_WAITING, WAITING};
use crate::{GatewayError, Service, admin, grpc, observe, rest};

/// Where requests come in, and what stands there.
pub struct Doors {
    /// For REST and gRPC.
    pub api: TcpListener,
    /// For the administrator's routes.
    pub admin: Option<TcpListener>,
    /// Who may come in.
    pub access: Access,
}

impl From<TcpListener> for Doors {
    /// REST and gRPC for everybody who reaches the address.
    fn from(api: TcpListener) -> Self {
        Self { api, admin: None, access: Access::default() }
    }
}

/// Serves REST and gRPC on one listener, and the administrator's routes on another, until `shutdown` is ready; then
/// answers what is running, within ten seconds, and returns.
///
/// # Errors
/// The API descriptions cannot be made. A failing connection or accept is logged and is no error.
pub async fn serve(
    doors: impl Into<Doors>,
    service: Arc<Service>,
    metrics: PrometheusHandle,
    shutdown: impl Future<Output = ()>,
) -> Result<(), GatewayError> {
    let Doors { api, admin, access } = doors.into();
    let Access { keys, tls, cors } = access;
    let (grpc, health) = grpc::router(Arc::clone(&service))?;
    let mut router = rest::router(Arc::clone(&service), metrics.clone())?.merge(grpc).fallback(answer_unknown);
    if let Some(keys) = &keys {
        router = router.layer(from_fn_with_state(keys.clone(), authorize));
    }
    if let Some(cors) = cors {
        // A browser asks for leave without a key.
        router = router.layer(cors);
    }
    let router = router.layer(from_fn_with_state(Arc::clone(&service), observe::observe));
    let export = service.traces().start_export()?;

    keep_up(&service, &metrics, &health).await;

    let (stop, stopped) = watch::channel(());
    let mut api = Connections::new(api, router, tls.clone(), CONNECTIONS_MAX, stopped.clone());
    let admin_router = admin::router(Arc::clone(&service), keys.clone());
    let mut admin = admin.map(|listener| Connections::new(listener, admin_router, tls, ADMIN_CONNECTIONS_MAX, stopped));
    let mut upkeep = interval(UPKEEP_INTERVAL);
    upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            () = api.next() => {}
            () = next_of(&mut admin) => {}
            _ = upkeep.tick() => {
                keep_up(&service, &metrics, &health).await;
                if let Some(keys) = &keys {
                    keys.follow_file();
                }
            }
        }
    }

    service.shut_down();
    keep_up(&service, &metrics, &health).await;
    drop(stop);
    let (admin, api) = (
        async {
            if let Some(admin) = admin {
                admin.drain().await
            }
        },
        api.drain(),
    );
    tokio::join!(admin, api);
    if let Some(export) = export {
        export.finish().await;
    }
    Ok(())
}

async fn next_of(connections: &mut Option<Connections>) {
    match connections {
        Some(connections) => connections.next().await,
        None => std::future::pending().await,
    }
}

/// What matches no route, in the caller's protocol.
async fn answer_unknown(request: Request) -> Response {
    if grpc::is_grpc(&request) { grpc::unknown_method() } else { ApiError::NoSuchEndpoint.into_response() }
}

/// Brings what is told about the server up to date.
async fn keep_up(service: &Service, metrics: &PrometheusHandle, health: &HealthReporter) {
    metrics.run_upkeep();
    let readiness = service.readiness();
    gauge!(INGEST_HEALTHY).set(if readiness.reasons.contains(&"ingest_off") { 0.0 } else { 1.0 });
    counter!(SERVED_DROPPED).absolute(service.served_dropped());
    gauge!(LOG_SEQ).set(readiness.log_seq as f64);
    gauge!(WAITING).set(service.waiting() as f64);
    gauge!(LOG_WAITING).set(service.log_waiting() as f64);
    gauge!(SERVED_WAITING).set(service.served_waiting() as f64);
    gauge!(ADMITTED).set(service.admitted() as f64);
    gauge!(EFFORT).set(service.effort());
    let status = if readiness.ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    for name in ["", grpc::SERVICE_NAME] {
        health.set_service_status(name, status).await;
    }
}
