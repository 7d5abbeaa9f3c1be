//! Traces for OpenTelemetry: one span per request, one per stage of it, sent by OTLP. Off unless the configuration names
//! a collector; then a request that is not traced costs one look at its headers.
//!
//! [`Traces`] decides which requests are traced, [`RequestTrace`] gathers what one of them did, and `export` sends it,
//! beside the requests: what a slow or absent collector does not take is dropped and counted.

mod export;
mod request_trace;
mod telemetry_config;
mod traces;

pub(crate) use request_trace::{RequestTrace, current};
pub use telemetry_config::TelemetryConfig;
pub(crate) use traces::Traces;
