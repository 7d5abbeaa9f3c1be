use std::time::{SystemTime, UNIX_EPOCH};

use shortlist_types::Timestamp;

/// The wall clock; everything below takes the time as an argument.
pub(crate) fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(micros).unwrap_or(Timestamp::EPOCH)
}

/// Midnight UTC at the begin of the day of `time`.
pub(crate) fn midnight(time: Timestamp) -> Timestamp {
    const DAY_MICROS: i64 = 86_400_000_000;
    Timestamp::from_micros(time.as_micros().div_euclid(DAY_MICROS) * DAY_MICROS).unwrap_or(time)
}
