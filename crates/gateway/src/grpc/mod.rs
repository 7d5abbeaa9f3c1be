//! The gRPC package `shortlist.v1`, health and reflection.

mod from_wire;
mod handler;
mod status;
mod stream_group;
mod timed_body;
mod to_wire;

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use shortlist_proto::v1::FILE_DESCRIPTOR_SET;
use shortlist_proto::v1::shortlist_service_server::ShortlistServiceServer;
use shortlist_types::limits::BODY_BYTES_MAX;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};
use tonic_reflection::server::Builder;
use tower_http::catch_panic::CatchPanicLayer;

use crate::api_error::ApiError;
use crate::{GatewayError, Service};
use handler::Handler;
pub(crate) use status::unknown_method;
use timed_body::time_body;

pub(crate) const SERVICE_NAME: &str = "shortlist.v1.ShortlistService";
/// The names under which health is asked for; the empty name asks for the whole server.
pub(crate) const HEALTH_NAMES: [&str; 2] = ["", SERVICE_NAME];

/// All gRPC routes, without a fallback of their own, and what sets the health status.
pub(crate) fn router(service: Arc<Service>) -> Result<(Router, HealthReporter), GatewayError> {
    let handler = ShortlistServiceServer::new(Handler { service }).max_decoding_message_size(BODY_BYTES_MAX);
    let (reporter, health) = health_reporter();
    // Clients in use ask the one or the other.
    let reflection = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let mut routes = Routes::builder();
    routes
        .add_service(handler)
        .add_service(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    let router = routes.routes().prepare().into_axum_router().reset_fallback();
    let router = router.layer(from_fn(time_body)).layer(CatchPanicLayer::custom(answer_panic));
    Ok((router, reporter))
}

/// The health of a server that has no service yet, and what ends its watchers.
pub(crate) async fn health_of_nothing() -> (Router, HealthReporter) {
    let (reporter, health) = health_reporter();
    for name in HEALTH_NAMES {
        reporter.set_service_status(name, ServingStatus::NotServing).await;
    }
    (Routes::new(health).prepare().into_axum_router().reset_fallback(), reporter)
}

/// Ends the streams of those who watch the health: they would last as long as their connections.
pub(crate) async fn let_watchers_go(mut health: HealthReporter) {
    for name in HEALTH_NAMES {
        health.clear_service_status(name).await;
    }
}

/// An error before a handler was reached, as the caller's protocol tells it.
pub(crate) fn in_protocol_of(request: &Request, error: ApiError) -> Response {
    if is_grpc(request) { tonic::Status::from(error).into_http() } else { error.into_response() }
}

/// Whether the request is gRPC's.
pub(crate) fn is_grpc(request: &Request) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE).map(http::HeaderValue::as_bytes).unwrap_or_default();
    content_type.starts_with(b"application/grpc")
}

/// A panic in a handler costs its own request, and says nothing outside.
fn answer_panic(_panic: Box<dyn Any + Send>) -> Response<Body> {
    tracing::error!("a gRPC handler panicked");
    tonic::Status::from(ApiError::Internal).into_http()
}
