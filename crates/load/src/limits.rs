//! The limits of the load. Each states what happens beyond it.

use std::time::Duration;

/// Most requests per second; a greater rate is refused.
pub const RATE_MAX: f64 = 1_000_000.0;
/// Longest load; a longer one is refused.
pub const DURATION_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Most users that a schedule draws from; more are refused.
pub const USERS_MAX: usize = 100_000_000;
/// REST connections at once; a request beyond them waits, and its waiting counts.
pub const REST_CONNECTIONS_MAX: usize = 256;
/// How long a REST connection may be idle and be used again: there are servers that close it after five seconds.
pub const IDLE_MAX: Duration = Duration::from_secs(3);
/// gRPC connections, which share the requests in turn.
pub const GRPC_CONNECTIONS: usize = 4;
/// How long a REST connection may take to open; then its request has failed.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Requests that wait for an answer at once; one beyond them is not sent and has failed.
pub const IN_FLIGHT_MAX: u32 = 100_000;
/// After this long a request has failed.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Different texts of failures that are kept to be shown.
pub const FAILURES_SHOWN: usize = 3;
/// Parts of a load whose numbers are kept apart: longer loads have longer parts, of a second at least.
pub const SLICES_MAX: u32 = 600;
