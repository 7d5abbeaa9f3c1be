use http::Uri;
use http::uri::Scheme;
use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

use crate::limits::{SERVICE_NAME_BYTES_MAX, TRACES_PER_SECOND_MAX};

/// `[telemetry]`: where traces go, and of how many requests there are any.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields")]
pub struct TelemetryConfig {
    /// The collector, by OTLP over gRPC; none: nothing is traced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp_endpoint: Option<String>,
    /// Share of the requests without a `traceparent` that are traced.
    pub sample: f64,
    /// Most requests per second that are traced, those included whose callers ask for it.
    pub traces_per_second: u32,
    /// What the service calls itself.
    pub service_name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Fields {
    otlp_endpoint: Option<String>,
    sample: f64,
    traces_per_second: u32,
    service_name: String,
}

impl Default for Fields {
    fn default() -> Self {
        let TelemetryConfig { otlp_endpoint, sample, traces_per_second, service_name } = TelemetryConfig::default();
        Self { otlp_endpoint, sample, traces_per_second, service_name }
    }
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { otlp_endpoint: None, sample: 0.01, traces_per_second: 50, service_name: "shortlist".to_owned() }
    }
}

impl TryFrom<Fields> for TelemetryConfig {
    type Error = InvalidInput;
    fn try_from(fields: Fields) -> Result<Self, InvalidInput> {
        let Fields { otlp_endpoint, sample, traces_per_second, service_name } = fields;
        if let Some(endpoint) = &otlp_endpoint
            && !is_collector(endpoint)
        {
            let reason = format!("must be such as http://127.0.0.1:4317, without TLS; got {endpoint:?}");
            return Err(InvalidInput::new("otlp_endpoint", reason));
        }
        if !(0.0..=1.0).contains(&sample) {
            return Err(InvalidInput::new("sample", format!("must be 0 to 1, got {sample}")));
        }
        if !(1..=TRACES_PER_SECOND_MAX).contains(&traces_per_second) {
            let reason = format!("must be 1 to {TRACES_PER_SECOND_MAX}, got {traces_per_second}");
            return Err(InvalidInput::new("traces_per_second", reason));
        }
        if service_name.is_empty() || service_name.len() > SERVICE_NAME_BYTES_MAX {
            let reason = format!("must have 1 to {SERVICE_NAME_BYTES_MAX} bytes, got {}", service_name.len());
            return Err(InvalidInput::new("service_name", reason));
        }
        Ok(Self { otlp_endpoint, sample, traces_per_second, service_name })
    }
}

fn is_collector(endpoint: &str) -> bool {
    endpoint.parse::<Uri>().is_ok_and(|uri| uri.scheme() == Some(&Scheme::HTTP) && uri.authority().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_refused_by_name() {
        for (json, expected) in [
            (r#"{"otlp_endpoint":"collector:4317"}"#, "otlp_endpoint: must be such as http://127.0.0.1:4317"),
            (r#"{"otlp_endpoint":"https://collector:4317"}"#, "without TLS"),
            (r#"{"otlp_endpoint":""}"#, "otlp_endpoint: must be such as"),
            (r#"{"sample":1.5}"#, "sample: must be 0 to 1, got 1.5"),
            (r#"{"traces_per_second":0}"#, "traces_per_second: must be 1 to 1000, got 0"),
            (r#"{"service_name":""}"#, "service_name: must have 1 to 128 bytes, got 0"),
            (r#"{"endpoint":""}"#, "unknown field `endpoint`"),
        ] {
            let error = serde_json::from_str::<TelemetryConfig>(json).unwrap_err().to_string();
            assert!(error.contains(expected), "{json}: {error}");
        }
        assert_eq!(serde_json::from_str::<TelemetryConfig>("{}").unwrap(), TelemetryConfig::default());
    }
}
