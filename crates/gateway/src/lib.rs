//! REST and gRPC on one port.
//!
//! Floor 4, and the only crate that knows HTTP and gRPC. Both protocols are thin: they turn what came
//! over the wire into the words of [`api`], and call one [`Service`], which admits, checks, hands CPU
//! work to a pool beside the I/O threads, and answers. Errors become statuses in one table.
//!
//! On a request's path: accept loop -> TLS -> request id, span and clock -> `access`: key, role, rate -> body or
//! message within its limit -> admission -> [`Service`] -> `Recommender` or `LogWriter`.

mod access;
mod admin;
pub mod api;
mod api_error;
mod call;
mod client_timeouts;
mod connections;
mod endpoint;
mod error;
mod gateway_config;
mod grpc;
mod limits;
mod loading;
mod metric;
mod observe;
mod part;
mod priority;
mod recall_probe;
mod received;
mod rest;
mod server;
mod service;
mod stand_back;
mod trace;
mod work_queue;
mod workers;

pub use access::{Access, ApiKey, KeyEntry, KeyFile, KeyFileError, Role, TlsConfig};
pub use error::GatewayError;
pub use gateway_config::GatewayConfig;
pub use limits::ALL as LIMITS;
pub use loading::{Loaded, while_loading};
pub use metric::{
    BUNDLES_REFUSED, Metric, MetricKind, SWAPS, TRAINING_SECONDS, TRAININGS, all as all_metrics, install_metrics,
};
pub use priority::Priority;
pub use server::{Doors, serve};
pub use service::{Parts, Service};
pub use stand_back::{behind, stand_back};
pub use trace::TelemetryConfig;

/// An answer that was computed without a server, in the words of the API: `POST /v1/recommend`
/// would say the same.
pub fn answer_as_json(answer: &shortlist_recommender::Answer) -> api::RecommendResponse {
    let total = answer.timings.iter().map(|timing| timing.elapsed).sum();
    let request_id = received::Received::new().request_id.to_string();
    api::RecommendResponse::new(request_id, answer, std::time::Duration::ZERO, total)
}
