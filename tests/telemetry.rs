//! What an operator sees of the service: metrics, traces, logs.
#![allow(clippy::float_cmp)] // counts
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails

mod harness;

#[path = "telemetry/collector.rs"]
mod collector;
#[path = "telemetry/dashboards.rs"]
mod dashboards;
#[path = "telemetry/logs.rs"]
mod logs;
#[path = "telemetry/metrics.rs"]
mod metrics;
#[path = "telemetry/traces.rs"]
mod traces;
