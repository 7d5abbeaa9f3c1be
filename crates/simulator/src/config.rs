use shortlist_types::Timestamp;

use crate::{Result, SimulatorError};

/// Fewest users: below it there is no community to learn from.
pub const USERS_MIN: usize = 10;
/// Most users; more are refused, because all records are held in memory.
pub const USERS_MAX: usize = 1_000_000;
/// Users unless said otherwise.
pub const USERS_DEFAULT: usize = 1_000;
/// Fewest items: one page.
pub const ITEMS_MIN: usize = 10;
/// Most items; more are refused, because all records are held in memory.
pub const ITEMS_MAX: usize = 1_000_000;
/// Items unless said otherwise.
pub const ITEMS_DEFAULT: usize = 2_000;
/// Most events; more are refused, because an event takes about a kilobyte of memory.
pub const EVENTS_MAX: usize = 5_000_000;
/// Events unless said otherwise.
pub const EVENTS_DEFAULT: usize = 400_000;
/// Days that the log spans.
pub const LOG_DAYS: u32 = 60;

/// Size, seed and end of a simulated marketplace.
///
/// ```
/// use shortlist_simulator::MarketConfig;
/// use shortlist_types::Timestamp;
/// let end = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
/// let config = MarketConfig { users: 5, ..MarketConfig::new(7, end) };
/// assert_eq!(config.check().unwrap_err().to_string(), "users: expected 10 to 1000000, got 5");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarketConfig {
    /// Number of users; a fifth of them joins while the log runs.
    pub users: usize,
    /// Number of items; a quarter of them appears while the log runs.
    pub items: usize,
    /// Number of events, met exactly; catalogue records come on top.
    pub events: usize,
    /// Everything random follows from it.
    pub seed: u64,
    /// When the log ends; it starts [`LOG_DAYS`] days earlier.
    pub end: Timestamp,
}

impl MarketConfig {
    /// The default size.
    pub fn new(seed: u64, end: Timestamp) -> Self {
        Self { users: USERS_DEFAULT, items: ITEMS_DEFAULT, events: EVENTS_DEFAULT, seed, end }
    }

    /// When the log starts.
    pub fn start(&self) -> Timestamp {
        self.end.plus_seconds(-i64::from(LOG_DAYS) * 86_400)
    }

    /// Whether a marketplace of this kind can be made.
    ///
    /// # Errors
    /// A size outside its limits, or an end so early that the log would begin before year 1.
    pub fn check(&self) -> Result<()> {
        let ranges = [
            ("users", self.users, USERS_MIN, USERS_MAX),
            ("items", self.items, ITEMS_MIN, ITEMS_MAX),
            ("events", self.events, 0, EVENTS_MAX),
        ];
        for (field, got, min, max) in ranges {
            if !(min..=max).contains(&got) {
                return Err(SimulatorError::OutOfRange { field, got, min, max });
            }
        }
        // A start that was held at the first valid time lies nearer than the log is long.
        if self.end.as_micros() - self.start().as_micros() != i64::from(LOG_DAYS) * MICROS_PER_DAY {
            return Err(SimulatorError::EndTooEarly { end: self.end });
        }
        Ok(())
    }
}

/// Microseconds of one day.
pub(crate) const MICROS_PER_DAY: i64 = 86_400 * 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> MarketConfig {
        MarketConfig::new(1, Timestamp::parse("2026-06-01T00:00:00Z").unwrap())
    }

    #[test]
    fn the_default_is_taken() {
        assert_eq!(config().check(), Ok(()));
        assert_eq!(config().start().to_string(), "2026-04-02T00:00:00Z");
    }

    #[test]
    fn sizes_outside_their_limits_are_named() {
        let few = MarketConfig { items: 9, ..config() }.check().unwrap_err();
        assert_eq!(few.to_string(), "items: expected 10 to 1000000, got 9");
        let many = MarketConfig { events: EVENTS_MAX + 1, ..config() }.check().unwrap_err();
        assert_eq!(many.to_string(), "events: expected 0 to 5000000, got 5000001");
    }

    #[test]
    fn the_log_must_not_begin_before_year_1() {
        let end = Timestamp::parse("0001-02-01T00:00:00Z").unwrap();
        let error = MarketConfig { end, ..config() }.check().unwrap_err();
        let text = "end: expected a time at least 60 days after the start of year 1, got 0001-02-01T00:00:00Z";
        assert_eq!(error.to_string(), text);
    }
}
