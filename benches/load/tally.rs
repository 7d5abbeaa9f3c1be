use std::time::Duration;

use hdrhistogram::Histogram;

use crate::client::Outcome;

/// Texts of failures that are kept to be shown.
const FAILURES_SHOWN: usize = 3;

/// What became of the requests of one kind.
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) ok: u64,
    pub(crate) degraded: u64,
    pub(crate) refused: u64,
    pub(crate) hung_up: u64,
    pub(crate) failed: u64,
    pub(crate) failures: Vec<String>,
    /// Microseconds of what was answered, from the intended moment of sending.
    latencies: Histogram<u64>,
    /// The same of what was refused.
    refusals: Histogram<u64>,
}

impl Tally {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let (latencies, refusals) = (Histogram::new(3)?, Histogram::new(3)?);
        let (sent, ok, degraded, refused, hung_up, failed, failures) = Default::default();
        Ok(Self { sent, ok, degraded, refused, hung_up, failed, failures, latencies, refusals })
    }

    pub(crate) fn add(&mut self, outcome: Outcome, latency: Duration) -> anyhow::Result<()> {
        self.sent += 1;
        match outcome {
            Outcome::Ok => self.ok += 1,
            Outcome::Degraded => self.degraded += 1,
            Outcome::Refused => {
                self.refused += 1;
                self.refusals.record(u64::try_from(latency.as_micros())?)?;
                return Ok(());
            }
            Outcome::HungUp => {
                self.hung_up += 1;
                return Ok(());
            }
            Outcome::Failed(reason) => {
                self.failed += 1;
                if self.failures.len() < FAILURES_SHOWN {
                    self.failures.push(reason);
                }
                return Ok(());
            }
        }
        self.latencies.record(u64::try_from(latency.as_micros())?)?;
        Ok(())
    }

    /// So many of a hundred answers took at most this long, in milliseconds.
    pub(crate) fn percentile_ms(&self, percentile: f64) -> f64 {
        self.latencies.value_at_percentile(percentile) as f64 / 1e3
    }

    /// The same of what was refused.
    pub(crate) fn refused_percentile_ms(&self, percentile: f64) -> f64 {
        self.refusals.value_at_percentile(percentile) as f64 / 1e3
    }

    pub(crate) fn max_ms(&self) -> f64 {
        self.latencies.max() as f64 / 1e3
    }
}
