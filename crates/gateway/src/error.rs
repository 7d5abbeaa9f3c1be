/// Why the gateway cannot start or serve. Requests have errors of their own.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The system gives no threads for the pool.
    #[error("the worker pool could not start: {0}")]
    Workers(std::io::Error),
    /// Metrics are installed once per process.
    #[error("the metrics could not be installed: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// Traces cannot be sent as the configuration says.
    #[error("traces cannot be sent: {0}")]
    Telemetry(String),
    /// The description of the gRPC service does not decode: a broken build.
    #[error("the gRPC reflection service could not start: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The API description does not serialise: a broken build.
    #[error("the OpenAPI description could not be written: {0}")]
    OpenApi(#[from] serde_json::Error),
}
