use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;
use shortlist_types::limits::{DEADLINE_MS_DEFAULT, DEADLINE_MS_MAX, DEADLINE_MS_MIN};

use crate::access::TlsConfig;
use crate::limits::{
    CONCURRENCY_MAX, CORS_ORIGINS_MAX, IDLE_TIMEOUT_MS_MAX, IDLE_TIMEOUT_MS_MIN, SHUTDOWN_DELAY_MS_MAX, THREADS_MAX,
};

/// `[gateway]`: how much is served at once, how long it may take, and who may come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct GatewayConfig {
    /// Requests in the service at once, both protocols together; one more is refused with 429.
    pub concurrency_max: usize,
    /// Deadline of a question that names none, in milliseconds.
    pub default_deadline_ms: u64,
    /// Threads that compute answers; 0 for one per core.
    pub threads: usize,
    /// How long a server that was told to stop goes on serving, not ready any more, so that whoever sends it traffic can
    /// see that and look elsewhere, in milliseconds.
    pub shutdown_delay_ms: u64,
    /// How long an HTTP/1 connection may be idle between two requests, in milliseconds: for longer than a load balancer
    /// before it keeps one, or the balancer asks on a connection that is being closed. Five seconds at most while half of the
    /// places are taken.
    pub idle_timeout_ms: u64,
    /// One recommendation in so many is repeated by an exact search, to know what the neighbour search finds; 0 for none.
    pub recall_probe_every: u64,
    /// File of the API keys; without it everybody on this machine may do everything, and nobody else anything.
    pub keys_file: Option<PathBuf>,
    /// Address of the administrator's routes; loopback, at the port after that of the API, if absent.
    pub admin_listen: Option<SocketAddr>,
    /// Origins of the web pages that may call from a browser.
    pub cors_origins: Vec<String>,
    /// What the server shows who it is by; without it connections are not encrypted.
    pub tls: Option<TlsConfig>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Fields {
    concurrency_max: usize,
    default_deadline_ms: u64,
    threads: usize,
    shutdown_delay_ms: u64,
    idle_timeout_ms: u64,
    recall_probe_every: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin_listen: Option<SocketAddr>,
    cors_origins: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<TlsConfig>,
}

impl Default for Fields {
    fn default() -> Self {
        GatewayConfig::default().into()
    }
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            concurrency_max: 256,
            default_deadline_ms: DEADLINE_MS_DEFAULT,
            threads: 0,
            shutdown_delay_ms: 1_000,
            // Load balancers keep a connection for 60 seconds, as they come.
            idle_timeout_ms: 75_000,
            recall_probe_every: 1_000,
            keys_file: None,
            admin_listen: None,
            cors_origins: Vec::new(),
            tls: None,
        }
    }
}

impl TryFrom<Fields> for GatewayConfig {
    type Error = InvalidInput;
    fn try_from(fields: Fields) -> Result<Self, InvalidInput> {
        let Fields { concurrency_max, default_deadline_ms, threads, cors_origins, .. } = &fields;
        if !(1..=CONCURRENCY_MAX).contains(concurrency_max) {
            let reason = format!("must be 1 to {CONCURRENCY_MAX}, got {concurrency_max}");
            return Err(InvalidInput::new("concurrency_max", reason));
        }
        if !(DEADLINE_MS_MIN..=DEADLINE_MS_MAX).contains(default_deadline_ms) {
            let reason = format!("must be {DEADLINE_MS_MIN} to {DEADLINE_MS_MAX}, got {default_deadline_ms}");
            return Err(InvalidInput::new("default_deadline_ms", reason));
        }
        if *threads > THREADS_MAX {
            return Err(InvalidInput::new("threads", format!("must be 0 to {THREADS_MAX}, got {threads}")));
        }
        if fields.shutdown_delay_ms > SHUTDOWN_DELAY_MS_MAX {
            let reason = format!("must be 0 to {SHUTDOWN_DELAY_MS_MAX}, got {}", fields.shutdown_delay_ms);
            return Err(InvalidInput::new("shutdown_delay_ms", reason));
        }
        if !(IDLE_TIMEOUT_MS_MIN..=IDLE_TIMEOUT_MS_MAX).contains(&fields.idle_timeout_ms) {
            let reason =
                format!("must be {IDLE_TIMEOUT_MS_MIN} to {IDLE_TIMEOUT_MS_MAX}, got {}", fields.idle_timeout_ms);
            return Err(InvalidInput::new("idle_timeout_ms", reason));
        }
        if cors_origins.len() > CORS_ORIGINS_MAX {
            let reason = format!("must have at most {CORS_ORIGINS_MAX} entries, got {}", cors_origins.len());
            return Err(InvalidInput::new("cors_origins", reason));
        }
        Ok(Self {
            concurrency_max: fields.concurrency_max,
            default_deadline_ms: fields.default_deadline_ms,
            threads: fields.threads,
            shutdown_delay_ms: fields.shutdown_delay_ms,
            idle_timeout_ms: fields.idle_timeout_ms,
            recall_probe_every: fields.recall_probe_every,
            keys_file: fields.keys_file,
            admin_listen: fields.admin_listen,
            cors_origins: fields.cors_origins,
            tls: fields.tls,
        })
    }
}

impl From<GatewayConfig> for Fields {
    fn from(config: GatewayConfig) -> Self {
        Self {
            concurrency_max: config.concurrency_max,
            default_deadline_ms: config.default_deadline_ms,
            threads: config.threads,
            shutdown_delay_ms: config.shutdown_delay_ms,
            idle_timeout_ms: config.idle_timeout_ms,
            recall_probe_every: config.recall_probe_every,
            keys_file: config.keys_file,
            admin_listen: config.admin_listen,
            cors_origins: config.cors_origins,
            tls: config.tls,
        }
    }
}

impl GatewayConfig {
    pub(crate) fn default_timeout(&self) -> Duration {
        Duration::from_millis(self.default_deadline_ms)
    }

    pub(crate) fn shutdown_delay(&self) -> Duration {
        Duration::from_millis(self.shutdown_delay_ms)
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<GatewayConfig, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_table_is_the_default() {
        assert_eq!(parse("{}").unwrap(), GatewayConfig::default());
        assert_eq!(parse(r#"{"threads":3}"#).unwrap().threads, 3);
    }

    #[test]
    fn what_is_out_of_range_or_unknown_is_refused_by_name() {
        for (json, expected) in [
            (r#"{"concurrency_max":0}"#, "concurrency_max: must be 1 to 65536, got 0"),
            (r#"{"default_deadline_ms":10001}"#, "default_deadline_ms: must be 1 to 10000, got 10001"),
            (r#"{"threads":1025}"#, "threads: must be 0 to 1024, got 1025"),
            (r#"{"shutdown_delay_ms":60001}"#, "shutdown_delay_ms: must be 0 to 60000, got 60001"),
            (r#"{"idle_timeout_ms":999}"#, "idle_timeout_ms: must be 1000 to 1800000, got 999"),
            (r#"{"thread":1}"#, "unknown field `thread`"),
        ] {
            let error = parse(json).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
