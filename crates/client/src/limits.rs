//! The limits of the client. Each states what happens beyond it.

use std::time::Duration;

/// How long a call waits for its answer, with all its repetitions, when the caller says nothing: longer than the longest
/// deadline that the service keeps, 10 s.
pub(crate) const ANSWER_WAIT: Duration = Duration::from_secs(12);
/// The same of an erasure, which reads the whole log of the server.
pub(crate) const ERASURE_WAIT: Duration = Duration::from_secs(620);
/// How long a connection may take to open.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Silence of a connection in use after which a ping is sent.
pub(crate) const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// How long the answer to a ping may take; then the connection is given up and another one opened.
pub(crate) const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Repetitions of one call when the caller says nothing.
pub(crate) const RETRIES: u32 = 3;
/// Wait before the first repetition; doubled each time, and up to as much again is added by chance.
pub(crate) const BACKOFF_MIN: Duration = Duration::from_millis(20);
/// Longest wait that the client chooses by itself; the server may ask for more.
pub(crate) const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// Repetitions that all clones of a client have together: this share of their calls of the last ten seconds ...
pub(crate) const BUDGET_SHARE: f32 = 0.1;
/// ... and so many a second beside them. Beyond that nothing is repeated: a server in trouble is not asked more.
pub(crate) const BUDGET_PER_SECOND: u32 = 2;
/// Over which time calls and repetitions are counted.
pub(crate) const BUDGET_WINDOW: Duration = Duration::from_secs(10);
