use std::time::Duration;

use hdrhistogram::Histogram;

use crate::Outcome;
use crate::limits::{ANSWER_TIMEOUT, FAILURES_SHOWN};

/// Points of a curve between one nine and the next, such as .9 and .99.
const CURVE_STEPS: u32 = 10;

/// What became of requests.
#[derive(Debug, Clone)]
pub struct Tally {
    /// All of them.
    pub sent: u64,
    /// Answered with all that was asked.
    pub ok: u64,
    /// Answered with less.
    pub degraded: u64,
    /// Turned away at the door.
    pub refused: u64,
    /// Callers who waited no longer.
    pub hung_up: u64,
    /// All else.
    pub failed: u64,
    /// Those of the failed whose connection nobody took.
    pub unreachable: u64,
    /// Why, in the words of some that differ.
    pub failures: Vec<String>,
    /// Microseconds of what was answered, from the intended moment of sending.
    latencies: Histogram<u64>,
    /// The same of what was refused.
    refusals: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        let (sent, ok, degraded, refused, hung_up, failed, unreachable, failures) = Default::default();
        let [latencies, refusals] = [(); 2].map(|()| histogram());
        Self { sent, ok, degraded, refused, hung_up, failed, unreachable, failures, latencies, refusals }
    }
}

/// Three digits, and as wide as what it holds.
pub(crate) fn histogram() -> Histogram<u64> {
    // Between 0 and 5 digits there always is one.
    #[allow(clippy::unwrap_used)]
    Histogram::new(3).unwrap()
}

/// A histogram grows with what it is given, up to times that nobody waits.
pub(crate) fn record(times: &mut Histogram<u64>, time: Duration) {
    let micros = u64::try_from(time.min(ANSWER_TIMEOUT * 100).as_micros()).unwrap_or_default();
    let _ = times.record(micros);
}

impl Tally {
    /// Counts one.
    pub(crate) fn add(&mut self, outcome: Outcome, latency: Duration) {
        self.sent += 1;
        match outcome {
            Outcome::Ok => self.ok += 1,
            Outcome::Degraded => self.degraded += 1,
            Outcome::Refused => self.refused += 1,
            Outcome::HungUp => self.hung_up += 1,
            Outcome::Unreachable(_) => {
                self.failed += 1;
                self.unreachable += 1;
            }
            Outcome::Failed(_) => self.failed += 1,
        }
        match outcome {
            Outcome::Ok | Outcome::Degraded => record(&mut self.latencies, latency),
            Outcome::Refused => record(&mut self.refusals, latency),
            Outcome::Unreachable(reason) | Outcome::Failed(reason) => self.keep(reason),
            Outcome::HungUp => {}
        }
    }

    /// Counts all of another.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.ok += other.ok;
        self.degraded += other.degraded;
        self.refused += other.refused;
        self.hung_up += other.hung_up;
        self.failed += other.failed;
        self.unreachable += other.unreachable;
        // A histogram that grows takes all of another one of the same precision.
        let _ = self.latencies.add(&other.latencies);
        let _ = self.refusals.add(&other.refusals);
        other.failures.iter().cloned().for_each(|reason| self.keep(reason));
    }

    fn keep(&mut self, reason: String) {
        if self.failures.len() < FAILURES_SHOWN && !self.failures.contains(&reason) {
            self.failures.push(reason);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sent == 0
    }

    /// Answers, whole or degraded.
    pub fn answered(&self) -> u64 {
        self.ok + self.degraded
    }

    /// So many of a hundred answers took at most this long, in milliseconds; 0 if there were none.
    pub fn percentile_ms(&self, percentile: f64) -> f64 {
        self.latencies.value_at_percentile(percentile) as f64 / 1e3
    }

    /// The same of what was refused.
    pub fn refused_percentile_ms(&self, percentile: f64) -> f64 {
        self.refusals.value_at_percentile(percentile) as f64 / 1e3
    }

    /// Answers that took longer than this.
    pub fn slower_than_ms(&self, ms: f64) -> u64 {
        // A float becomes the nearest number of microseconds that there is.
        let micros = (ms * 1e3) as u64;
        let in_time = self.latencies.iter_recorded().filter(|value| value.value_iterated_to() <= micros);
        self.latencies.len() - in_time.map(|value| value.count_at_value()).sum::<u64>()
    }

    /// So many points of the curve of times: the share of answers, and the milliseconds within which it came.
    pub fn curve(&self) -> Vec<(f64, f64)> {
        let steps = self.latencies.iter_quantiles(CURVE_STEPS);
        steps.map(|step| (step.quantile_iterated_to(), step.value_iterated_to() as f64 / 1e3)).collect()
    }

    /// The slowest answer, in milliseconds.
    pub fn max_ms(&self) -> f64 {
        self.latencies.max() as f64 / 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_have_times_and_all_else_is_counted() {
        let mut tally = Tally::default();
        for ms in 1..=100 {
            tally.add(Outcome::Ok, Duration::from_millis(ms));
        }
        tally.add(Outcome::Degraded, Duration::from_millis(200));
        tally.add(Outcome::Refused, Duration::from_millis(900));
        tally.add(Outcome::HungUp, Duration::from_millis(900));
        for reason in ["a", "a", "b", "c", "d"] {
            tally.add(Outcome::Failed(reason.to_owned()), Duration::from_secs(10));
        }
        assert_eq!((tally.sent, tally.answered(), tally.failed), (108, 101, 5));
        assert_eq!(tally.failures, ["a", "b", "c"]);
        assert!((tally.percentile_ms(50.0) - 51.0).abs() < 0.1 && (tally.max_ms() - 200.0).abs() < 0.3);
        assert!((tally.refused_percentile_ms(50.0) - 900.0).abs() < 1.0);
        assert_eq!([0.5, 50.4, 100.1, 201.0].map(|ms| tally.slower_than_ms(ms)), [101, 51, 1, 0]);
        let mut both = tally.clone();
        both.merge(&tally);
        assert_eq!((both.sent, both.slower_than_ms(50.4), both.failures.len()), (216, 102, 3));
    }
}
