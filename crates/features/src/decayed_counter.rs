use serde::{Deserialize, Serialize};
use shortlist_types::Timestamp;

/// Microseconds in a day.
const DAY: f64 = 86_400.0 * 1e6;

/// A count in which each event halves in worth after a fixed time.
///
/// Kept as log2 of the sum of 2^(time / half-life): adding an event never needs to know when the
/// last one came, so late events count exactly as if they had come in order, and two counters with
/// the same half-life compare without being brought to the same time.
///
/// **Cost**: two transcendental functions per event; 8 bytes. The functions are software ones, so
/// that every machine computes the same bits.
///
/// **Source**: forward decay, Cormode, Shkapenyuk, Srivastava, Xu, "Forward Decay", ICDE 2009.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DecayedCounter {
    log2_sum: f64,
}

impl Default for DecayedCounter {
    fn default() -> Self {
        Self { log2_sum: f64::NEG_INFINITY }
    }
}

impl DecayedCounter {
    /// Counts one event.
    pub fn add(&mut self, time: Timestamp, half_life_days: f64) {
        let age = time.as_micros() as f64 / (half_life_days * DAY);
        let (low, high) = if self.log2_sum < age { (self.log2_sum, age) } else { (age, self.log2_sum) };
        self.log2_sum = high + libm::log2(1.0 + libm::exp2(low - high));
    }

    /// The count as it is worth at `now`: events of `now` count one each.
    ///
    /// Before the latest event the value is above the number of events; it is held below 1e9, so
    /// that a clock that went back cannot make a feature infinite.
    pub fn at(&self, now: Timestamp, half_life_days: f64) -> f64 {
        let age = now.as_micros() as f64 / (half_life_days * DAY);
        libm::exp2((self.log2_sum - age).min(30.0))
    }

    /// A number that orders counters of the same half-life, whatever the time.
    pub fn order(&self) -> f64 {
        self.log2_sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at_day(day: f64) -> Timestamp {
        #[allow(clippy::cast_possible_truncation)]
        Timestamp::from_seconds((day * 86_400.0) as i64 + 1_700_000_000).unwrap()
    }

    #[test]
    fn an_event_is_worth_half_after_a_half_life() {
        let mut counter = DecayedCounter::default();
        assert_eq!(counter.at(at_day(0.0), 7.0).to_bits(), 0.0_f64.to_bits());
        counter.add(at_day(0.0), 7.0);
        counter.add(at_day(7.0), 7.0);
        assert!((counter.at(at_day(7.0), 7.0) - 1.5).abs() < 1e-6);
        assert!((counter.at(at_day(14.0), 7.0) - 0.75).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_hardly_matters(days in prop::collection::vec(0.0..100.0_f64, 1..40)) {
            let (mut there, mut back) = (DecayedCounter::default(), DecayedCounter::default());
            days.iter().for_each(|day| there.add(at_day(*day), 7.0));
            days.iter().rev().for_each(|day| back.add(at_day(*day), 7.0));
            let (a, b) = (there.at(at_day(100.0), 7.0), back.at(at_day(100.0), 7.0));
            prop_assert!((a - b).abs() < 1e-6 * (a + 1.0));
            let plain: f64 = days.iter().map(|day| 0.5_f64.powf((100.0 - day) / 7.0)).sum();
            prop_assert!((a - plain).abs() < 1e-3 * plain);
        }

        #[test]
        fn any_times_give_finite_counts(times in prop::collection::vec(-62_135_596_800_i64..253_370_764_799, 1..20), now in -62_135_596_800_i64..253_370_764_799) {
            let mut counter = DecayedCounter::default();
            for time in times {
                counter.add(Timestamp::from_seconds(time).unwrap(), 1.0);
            }
            prop_assert!(counter.at(Timestamp::from_seconds(now).unwrap(), 1.0).is_finite());
        }
    }
}
