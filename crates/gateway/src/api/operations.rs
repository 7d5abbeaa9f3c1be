use serde::Serialize;
use utoipa::ToSchema;

/// The answer of `/healthz`: the process runs.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Alive {
    /// Always `ok`.
    #[schema(value_type = String)]
    pub status: &'static str,
}

/// In place of the name of a bundle, where none serves.
pub(crate) const NO_BUNDLE: &str = "no_bundle";

/// The answer of `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether traffic should come here.
    pub ready: bool,
    /// The bundle of models that serves, or `no_bundle`: popular and fresh items.
    pub bundle: String,
    /// Last record of the log that the state holds.
    pub log_seq: u64,
    /// Whether events and changes are taken: `on`, `disk_full` while there is too little space, `off`
    /// until a restart after the disk failed. Questions are answered all the same.
    #[schema(value_type = String)]
    pub ingest: &'static str,
    /// Why it is not ready: `loading` until the state and the bundle are there, `ingest_off` when the log takes no
    /// records until a restart, `shutting_down`.
    #[schema(value_type = Vec<String>)]
    pub reasons: Vec<&'static str>,
}
