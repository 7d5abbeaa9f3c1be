use serde::{Deserialize, Serialize};
use shortlist_types::Timestamp;

use crate::Tally;

/// Parts of the day that affinities tell apart, four hours each, in UTC.
pub(crate) const DAY_PARTS: usize = 6;
/// Days of the week.
pub(crate) const WEEKDAYS: usize = 7;
const HOUR_MICROS: i64 = 3_600_000_000;

/// The part of the day of `time`.
pub(crate) fn day_part(time: Timestamp) -> usize {
    usize::from(hour(time)) * DAY_PARTS / 24
}

/// The hour of the day of `time`, in UTC.
pub(crate) fn hour(time: Timestamp) -> u8 {
    u8::try_from(time.as_micros().div_euclid(HOUR_MICROS).rem_euclid(24)).unwrap_or(0)
}

/// The day of the week of `time`, in UTC; 0 is Monday.
pub(crate) fn weekday(time: Timestamp) -> u8 {
    // The epoch was a Thursday.
    u8::try_from((time.as_micros().div_euclid(24 * HOUR_MICROS) + 3).rem_euclid(7)).unwrap_or(0)
}

/// What users did with the items that carry one attribute text, or with all items. 120 bytes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct TextStats {
    /// Users who wanted such an item, once per item.
    pub(crate) wanted: Tally,
    /// Users who did not want one.
    pub(crate) unwanted: u32,
    pub(crate) by_day_part: [u32; DAY_PARTS],
    pub(crate) by_weekday: [u32; WEEKDAYS],
}

impl TextStats {
    pub(crate) fn add_wanted(&mut self, time: Timestamp) {
        self.wanted.add(time);
        let slots = [&mut self.by_day_part[day_part(time)], &mut self.by_weekday[usize::from(weekday(time))]];
        for slot in slots {
            *slot = slot.saturating_add(1);
        }
    }

    /// The share that was wanted of what users judged.
    pub(crate) fn share_wanted(&self) -> f64 {
        share(self.wanted.ever(), f64::from(self.wanted.ever()) + f64::from(self.unwanted))
    }

    /// The share of `text` of these wishes, held away from 0 so that its logarithm is finite.
    pub(crate) fn share_of(&self, text: &Self) -> f64 {
        share(text.wanted.ever(), f64::from(self.wanted.ever()))
    }
}

/// `part / total`, held away from 0 so that its logarithm is finite.
pub(crate) fn share(part: u32, total: f64) -> f64 {
    (f64::from(part) + 0.5) / (total + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_day_and_days_of_the_week_hold_before_1970() {
        for second in [-1, 0, 86_399, -86_400, 1_700_000_000] {
            let time = Timestamp::from_seconds(second).unwrap();
            assert!(day_part(time) < DAY_PARTS && usize::from(weekday(time)) < WEEKDAYS);
        }
        let before = Timestamp::from_seconds(-1).unwrap();
        assert_eq!((day_part(before), weekday(before), hour(before)), (DAY_PARTS - 1, 2, 23));
        let known = Timestamp::parse("2026-11-25T13:00:00Z").unwrap();
        assert_eq!((weekday(known), hour(known)), (2, 13), "a Wednesday");
    }
}
