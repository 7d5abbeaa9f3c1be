use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use metrics::{counter, gauge};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::api_error::ApiError;
use crate::limits::{
    ACCEPT_PAUSE, CONNECTIONS_MAX, HEADER_BYTES_MAX, HEADER_READ_TIMEOUT, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIMEOUT,
    SHUTDOWN_GRACE, STREAMS_MAX, UPKEEP_INTERVAL,
};
use crate::metric::{ADMITTED, EFFORT, INGEST_HEALTHY, LOG_SEQ, SERVED_DROPPED, WAITING};
use crate::{GatewayError, Service, grpc, observe, rest};

/// Serves REST and gRPC on one listener until `shutdown` is ready; then answers what is running,
/// within ten seconds, and returns.
///
/// # Errors
/// The API descriptions cannot be made. A failing connection or accept is logged and is no error.
pub async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    metrics: PrometheusHandle,
    shutdown: impl Future<Output = ()>,
) -> Result<(), GatewayError> {
    let (grpc, health) = grpc::router(Arc::clone(&service))?;
    let router = rest::router(Arc::clone(&service), metrics.clone())?
        .merge(grpc)
        .fallback(answer_unknown)
        .layer(axum::middleware::from_fn(observe::observe));

    keep_up(&service, &metrics, &health).await;

    let mut connections = JoinSet::new();
    let (stop, stopped) = watch::channel(());
    let mut upkeep = interval(UPKEEP_INTERVAL);
    upkeep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_connection(stream, router.clone(), stopped.clone()));
                }
                Err(error) => {
                    // Such as no free file descriptor: that passes, and the server must outlive it.
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = upkeep.tick() => keep_up(&service, &metrics, &health).await,
        }
    }

    service.shut_down();
    keep_up(&service, &metrics, &health).await;
    drop(listener);
    drop(stop);
    let open = connections.len();
    tracing::info!(open, "shutting down");
    let drained = timeout(SHUTDOWN_GRACE, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(open = connections.len(), "connections were cut at the end of the grace period");
        connections.shutdown().await;
    }
    Ok(())
}

/// One connection, from its first byte to its end, or until the answers that run at shutdown are sent.
async fn serve_connection(stream: TcpStream, router: Router, mut stopped: watch::Receiver<()>) {
    // Answers are small and wait for nothing.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "the connection keeps Nagle's delay");
    }
    // The builder finds out the protocol before its own timeouts begin.
    let mut first = [0];
    tokio::select! {
        peeked = timeout(HEADER_READ_TIMEOUT, stream.peek(&mut first)) => match peeked {
            Ok(Ok(1..)) => {}
            _ => return,
        },
        _ = stopped.changed() => return,
    }
    let builder = connection_builder();
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended with an error");
    }
}

fn connection_builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // Without a timer the timeout has no effect.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX);
    builder
}

/// What matches no route, in the caller's protocol.
async fn answer_unknown(request: Request) -> Response {
    let content_type = request.headers().get(CONTENT_TYPE).map(http::HeaderValue::as_bytes).unwrap_or_default();
    if content_type.starts_with(b"application/grpc") {
        grpc::unknown_method(request.uri().path())
    } else {
        ApiError::NoSuchEndpoint.into_response()
    }
}

/// Brings what is told about the server up to date.
async fn keep_up(service: &Service, metrics: &PrometheusHandle, health: &HealthReporter) {
    metrics.run_upkeep();
    let readiness = service.readiness();
    gauge!(INGEST_HEALTHY).set(if readiness.reasons.contains(&"ingest_off") { 0.0 } else { 1.0 });
    counter!(SERVED_DROPPED).absolute(service.served_dropped());
    gauge!(LOG_SEQ).set(readiness.log_seq as f64);
    gauge!(WAITING).set(service.waiting() as f64);
    gauge!(ADMITTED).set(service.admitted() as f64);
    gauge!(EFFORT).set(service.effort());
    let status = if readiness.ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    for name in ["", grpc::SERVICE_NAME] {
        health.set_service_status(name, status).await;
    }
}
