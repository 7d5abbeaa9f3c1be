use std::time::Duration;

/// Why a load cannot be driven. What becomes of its requests is no error: see [`crate::Outcome`].
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The target is no URL that requests can be sent to.
    #[error("the target must be like http://127.0.0.1:8080, got {url:?}: {reason}")]
    Target {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody takes connections there.
    #[error("cannot connect to {target}: {reason}; is the server running there?")]
    Unreachable {
        /// Host and port.
        target: String,
        /// What the system said.
        reason: String,
    },
    /// The connection was taken, and then nothing came.
    #[error("{target} took the connection and did not answer within {} s", .waited.as_secs())]
    Silent {
        /// Host and port.
        target: String,
        /// How long.
        waited: Duration,
    },
    /// What answers is no shortlist, or does not let us in.
    #[error("{target} did not answer a question as shortlist does: {reason}")]
    Answer {
        /// Host and port.
        target: String,
        /// What came instead.
        reason: String,
    },
    /// The connection was closed before the request went out.
    #[error("the connection was closed before the request was sent, or what came over it is no HTTP")]
    Closed,
    /// A connection broke, or what came over it is no HTTP.
    #[error("the connection broke: {reason}")]
    Broken {
        /// What the protocol said.
        reason: String,
    },
    /// A number is out of its range.
    #[error("{what} must be {range}, got {got}")]
    Range {
        /// Which number.
        what: &'static str,
        /// What it may be.
        range: String,
        /// What it is.
        got: String,
    },
    /// The system gives no threads.
    #[error("the driver could not start: {0}")]
    Threads(#[from] std::io::Error),
}
