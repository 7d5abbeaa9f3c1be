use std::time::Duration;

use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

use crate::Retention;

/// `[store]`: how much the store keeps, and how often it checkpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct StoreConfig {
    /// Records after which the next checkpoint of the fold is made: a restart replays about as many.
    pub checkpoint_records: u64,
    /// Days for which the id of an event is known, so that sending it again counts once.
    pub deduplication_days: f64,
    /// Days for which the log keeps a record; for ever, if absent.
    pub retention_days: Option<f64>,
    /// Bytes of the log beyond which its oldest records are removed; no limit, if absent.
    pub log_bytes_max: Option<u64>,
    /// Bundles that are kept; the one that serves, the one before it and the newest always are.
    pub bundles_kept: usize,
    /// Share of the requests that the served log keeps; 0 keeps none, and there is no such log.
    pub served_share: f64,
    /// Bytes of the served log beyond which its oldest requests make room.
    pub served_bytes_max: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Fields {
    checkpoint_records: u64,
    deduplication_days: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_days: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_bytes_max: Option<u64>,
    bundles_kept: usize,
    served_share: f64,
    served_bytes_max: u64,
}

/// Least bytes of a served log: a few requests with many candidates.
const SERVED_BYTES_MIN: u64 = 1_000_000;
/// Longest time in days that can be asked for: a thousand years.
const DAYS_MAX: f64 = 365_250.0;

impl Default for Fields {
    fn default() -> Self {
        Self {
            checkpoint_records: 250_000,
            deduplication_days: 7.0,
            retention_days: None,
            log_bytes_max: None,
            bundles_kept: 5,
            served_share: 0.01,
            served_bytes_max: 1_000_000_000,
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self::of(Fields::default())
    }
}

impl TryFrom<Fields> for StoreConfig {
    type Error = InvalidInput;
    fn try_from(fields: Fields) -> Result<Self, InvalidInput> {
        let Fields { checkpoint_records, deduplication_days, retention_days, bundles_kept, served_share, .. } = fields;
        if checkpoint_records < 1_000 {
            let reason = format!("must be at least 1000, got {checkpoint_records}");
            return Err(InvalidInput::new("checkpoint_records", reason));
        }
        let days = [("deduplication_days", Some(deduplication_days)), ("retention_days", retention_days)];
        for (name, days) in days {
            if days.is_some_and(|days| !(days > 0.0 && days <= DAYS_MAX)) {
                return Err(InvalidInput::new(name, format!("must be above 0 and at most {DAYS_MAX}")));
            }
        }
        if bundles_kept < 2 {
            let reason = format!("must be at least 2, so that one can be rolled back to, got {bundles_kept}");
            return Err(InvalidInput::new("bundles_kept", reason));
        }
        if !(0.0..=1.0).contains(&served_share) {
            return Err(InvalidInput::new("served_share", format!("must be 0 to 1, got {served_share}")));
        }
        if fields.served_bytes_max < SERVED_BYTES_MIN {
            let reason = format!("must be at least {SERVED_BYTES_MIN}, got {}", fields.served_bytes_max);
            return Err(InvalidInput::new("served_bytes_max", reason));
        }
        Ok(Self::of(fields))
    }
}

impl From<StoreConfig> for Fields {
    fn from(config: StoreConfig) -> Self {
        Self {
            checkpoint_records: config.checkpoint_records,
            deduplication_days: config.deduplication_days,
            retention_days: config.retention_days,
            log_bytes_max: config.log_bytes_max,
            bundles_kept: config.bundles_kept,
            served_share: config.served_share,
            served_bytes_max: config.served_bytes_max,
        }
    }
}

impl StoreConfig {
    fn of(fields: Fields) -> Self {
        Self {
            checkpoint_records: fields.checkpoint_records,
            deduplication_days: fields.deduplication_days,
            retention_days: fields.retention_days,
            log_bytes_max: fields.log_bytes_max,
            bundles_kept: fields.bundles_kept,
            served_share: fields.served_share,
            served_bytes_max: fields.served_bytes_max,
        }
    }

    /// How long an id is known.
    pub fn deduplication_window(&self) -> Duration {
        days(self.deduplication_days)
    }

    /// How long and how much the log keeps.
    pub fn retention(&self) -> Retention {
        Retention { age_max: self.retention_days.map(days), bytes_max: self.log_bytes_max }
    }
}

fn days(days: f64) -> Duration {
    Duration::from_secs_f64(days * 86_400.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_table_is_the_default_and_what_is_out_of_range_is_refused_by_name() {
        let parse = |json: &str| serde_json::from_str::<StoreConfig>(json).map_err(|error| error.to_string());
        assert_eq!(parse("{}").unwrap(), StoreConfig::default());
        for (json, expected) in [
            (r#"{"checkpoint_records":1}"#, "checkpoint_records: must be at least 1000"),
            (r#"{"deduplication_days":0}"#, "deduplication_days: must be above 0"),
            (r#"{"retention_days":-1}"#, "retention_days: must be above 0"),
            (r#"{"bundles_kept":1}"#, "bundles_kept: must be at least 2"),
            (r#"{"served_share":1.5}"#, "served_share: must be 0 to 1, got 1.5"),
            (r#"{"served_bytes_max":5}"#, "served_bytes_max: must be at least 1000000"),
            (r#"{"bundle_kept":1}"#, "unknown field `bundle_kept`"),
        ] {
            let error = parse(json).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
