use serde::{Deserialize, Serialize};
use shortlist_types::Timestamp;

use crate::HalfLife;
use crate::portable_math::{exp2, log2};

/// Half-lives in a microsecond, for each of [`HalfLife::ALL`].
const RATES: [f64; 4] = {
    let mut rates = [0.0; 4];
    let mut which = 0;
    while which < 4 {
        rates[which] = 1.0 / (HalfLife::DAYS[which] as f64 * 86_400.0 * 1e6);
        which += 1;
    }
    rates
};
/// Greatest log2 of a decayed count: a clock that went back cannot make a feature infinite.
const LOG2_MAX: f64 = 30.0;

/// How often something happened: ever, and decayed at each half-life. 40 bytes.
///
/// A decayed count is kept as log2 of the sum of 2^(time / half-life): adding an event never needs to know
/// when the last one came, so late events count exactly as if they had come in order, and counts of the same
/// half-life compare without being brought to the same time.
///
/// **Cost**: four exponentials and four logarithms per event. All arithmetic gives the same bits on every machine.
///
/// **Source**: forward decay, Cormode, Shkapenyuk, Srivastava, Xu, "Forward Decay", ICDE 2009.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    ever: u32,
    log2_sums: [f64; 4],
}

impl Default for Tally {
    fn default() -> Self {
        Self { ever: 0, log2_sums: [f64::NEG_INFINITY; 4] }
    }
}

/// A time in half-lives.
pub(crate) fn age(half_life: HalfLife, time: Timestamp) -> f64 {
    time.as_micros() as f64 * RATES[half_life as usize]
}

impl Tally {
    /// Counts one event.
    pub fn add(&mut self, time: Timestamp) {
        self.ever = self.ever.saturating_add(1);
        let micros = time.as_micros() as f64;
        for (sum, rate) in self.log2_sums.iter_mut().zip(RATES) {
            let age = micros * rate;
            let (low, high) = if *sum < age { (*sum, age) } else { (age, *sum) };
            *sum = high + log2(1.0 + exp2(low - high));
        }
    }

    /// Events ever, at most 2^32 - 1.
    pub fn ever(&self) -> u32 {
        self.ever
    }

    /// The decayed count as it is worth at `now`: an event of `now` counts one; next to
    /// nothing, 2^-1022, where there was none.
    ///
    /// Before the latest event the value is above the number of events; it is held below 2^30.
    pub fn recent(&self, half_life: HalfLife, now: Timestamp) -> f64 {
        exp2(self.log2_recent(half_life, age(half_life, now)))
    }

    /// The logarithm to base 2 of [`Self::recent`], where `age` is that of the time; the least there is where
    /// there was no event.
    pub(crate) fn log2_recent(&self, half_life: HalfLife, age: f64) -> f64 {
        (self.log2_sums[half_life as usize] - age).min(LOG2_MAX)
    }

    /// A number that orders counts of the same half-life, whatever the time.
    pub fn order(&self, half_life: HalfLife) -> f64 {
        self.log2_sums[half_life as usize]
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
        let mut tally = Tally::default();
        assert!(tally.recent(HalfLife::Week, at_day(0.0)) < 1e-300);
        tally.add(at_day(0.0));
        tally.add(at_day(7.0));
        assert!((tally.recent(HalfLife::Week, at_day(7.0)) - 1.5).abs() < 1e-6);
        assert!((tally.recent(HalfLife::Week, at_day(14.0)) - 0.75).abs() < 1e-6);
        assert_eq!(tally.ever(), 2);
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_hardly_matters(days in prop::collection::vec(0.0..100.0_f64, 1..40)) {
            let (mut there, mut back) = (Tally::default(), Tally::default());
            days.iter().for_each(|day| there.add(at_day(*day)));
            days.iter().rev().for_each(|day| back.add(at_day(*day)));
            for half_life in HalfLife::ALL {
                let (a, b) = (there.recent(half_life, at_day(100.0)), back.recent(half_life, at_day(100.0)));
                prop_assert!((a - b).abs() < 1e-6 * (a + 1.0));
                let length = f64::from(half_life.days());
                let plain: f64 = days.iter().map(|day| 0.5_f64.powf((100.0 - day) / length)).sum();
                prop_assert!((a - plain).abs() < 1e-3 * plain);
            }
        }

        #[test]
        fn any_times_give_finite_counts(times in prop::collection::vec(-62_135_596_800_i64..253_370_764_799, 1..20), now in -62_135_596_800_i64..253_370_764_799) {
            let mut tally = Tally::default();
            for time in times {
                tally.add(Timestamp::from_seconds(time).unwrap());
            }
            let now = Timestamp::from_seconds(now).unwrap();
            prop_assert!(HalfLife::ALL.iter().all(|half_life| tally.recent(*half_life, now).is_finite()));
        }
    }
}
