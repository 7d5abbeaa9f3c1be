use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use metrics::{counter, gauge};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::access::{Access, Keys, authorize};
use crate::api_error::ApiError;
use crate::connections::Connections;
use crate::limits::{ADMIN_CONNECTIONS_MAX, CONNECTIONS_MAX, UPKEEP_INTERVAL};
use crate::metric::{ADMITTED, EFFORT, INGEST_HEALTHY, LOG_SEQ, LOG_WAITING, SERVED_DROPPED, SERVED_WAITING, WAITING};
use crate::part::part_when_leaving;
use crate::trace::Traces;
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

/// Serves REST and gRPC on one listener, and the administrator's routes on another, until `shutdown` is ready. Then it
/// is not ready any more, and serves for `shutdown_delay_ms` those who have not heard of it yet; takes no more
/// connections, answers what is running, within ten seconds, and returns.
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
    let (grpc, health) = grpc::router(Arc::clone(&service))?;
    let router = rest::router(Arc::clone(&service), metrics.clone())?.merge(grpc).fallback(answer_unknown);
    let router = router.layer(from_fn_with_state(service.leaving(), part_when_leaving));
    let router = guarded(router, &access, service.traces());
    let Access { keys, tls, .. } = access;

    let export = service.traces().start_export()?;
    let (stop, stopped) = watch::channel(());
    let admin_router = admin::router(Arc::clone(&service), keys.clone());
    let idle = service.idle_timeout();
    let mut open = Open {
        api: Connections::new(api, router, tls.clone(), CONNECTIONS_MAX, idle, stopped.clone()),
        admin: admin.map(|admin| Connections::new(admin, admin_router, tls, ADMIN_CONNECTIONS_MAX, idle, stopped)),
        upkeep: Upkeep { service: Arc::clone(&service), metrics, health, keys },
    };
    open.until(shutdown).await;

    service.leave();
    tracing::info!(delay = ?service.shutdown_delay(), "no longer ready; what comes is still served for a moment");
    open.until(sleep(service.shutdown_delay())).await;

    let Open { api, admin, upkeep } = open;
    grpc::let_watchers_go(upkeep.health).await;
    let (api, admin) = (api.close(), admin.map(Connections::close));
    drop(stop);
    let admin_drained = async {
        if let Some(admin) = admin {
            admin.drain("administrators").await;
        }
    };
    tokio::join!(api.drain("REST and gRPC"), admin_drained);
    if let Some(export) = export {
        export.finish().await;
    }
    Ok(())
}

/// What every request of the API passes first.
pub(crate) fn guarded(mut router: Router, access: &Access, traces: &Traces) -> Router {
    if let Some(keys) = &access.keys {
        router = router.layer(from_fn_with_state(keys.clone(), authorize));
    }
    if let Some(cors) = &access.cors {
        // A browser asks for leave without a key.
        router = router.layer(cors.clone());
    }
    router.layer(from_fn_with_state(traces.clone(), observe::observe))
}

/// Both listeners, and what is kept up beside them.
struct Open {
    api: Connections,
    admin: Option<Connections>,
    upkeep: Upkeep,
}

impl Open {
    /// Takes connections until `end`.
    async fn until(&mut self, end: impl Future<Output = ()>) {
        let mut end = std::pin::pin!(end);
        // Before anybody comes in, or asks again: health is known then, or that it is over.
        self.upkeep.keep_up().await;
        let mut ticks = interval_at(Instant::now() + UPKEEP_INTERVAL, UPKEEP_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.upkeep.keep_up().await,
                () = &mut end => return,
                () = self.api.next() => {}
                () = next_of(&mut self.admin) => {}
            }
        }
    }
}

pub(crate) async fn next_of(connections: &mut Option<Connections>) {
    match connections {
        Some(connections) => connections.next().await,
        None => std::future::pending().await,
    }
}

/// What matches no route, in the caller's protocol.
async fn answer_unknown(request: Request) -> Response {
    if grpc::is_grpc(&request) { grpc::unknown_method() } else { ApiError::NoSuchEndpoint.into_response() }
}

/// What is told about the server, and what it is told by files.
struct Upkeep {
    service: Arc<Service>,
    metrics: PrometheusHandle,
    health: HealthReporter,
    keys: Option<Keys>,
}

impl Upkeep {
    /// Brings it up to date.
    async fn keep_up(&self) {
        let Self { service, metrics, health, keys } = self;
        metrics.run_upkeep();
        let readiness = service.readiness();
        gauge!(INGEST_HEALTHY).set(if readiness.ingest == "on" { 1.0 } else { 0.0 });
        counter!(SERVED_DROPPED).absolute(service.served_dropped());
        gauge!(LOG_SEQ).set(readiness.log_seq as f64);
        gauge!(WAITING).set(service.waiting() as f64);
        gauge!(LOG_WAITING).set(service.log_waiting() as f64);
        gauge!(SERVED_WAITING).set(service.served_waiting() as f64);
        gauge!(ADMITTED).set(service.admitted() as f64);
        gauge!(EFFORT).set(service.effort());
        let status = if readiness.ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in grpc::HEALTH_NAMES {
            health.set_service_status(name, status).await;
        }
        if let Some(keys) = keys {
            keys.follow_file();
        }
    }
}
