use std::time::{Instant, SystemTime};

use shortlist_types::Timestamp;
use uuid::{NoContext, Uuid};

/// The arrival of one request. The clock is read here, once, and passed down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received {
    /// Names the request in the answer, the logs and the events that follow from it.
    pub(crate) request_id: Uuid,
    /// The time of day, in whole milliseconds: the request's name tells it, so that whoever has an answer can say what
    /// the same question would have got.
    pub(crate) now: Timestamp,
    /// Where durations are counted from.
    pub(crate) at: Instant,
}

impl Received {
    pub(crate) fn new() -> Self {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let uuid_time = uuid::Timestamp::from_unix(NoContext, since_1970.as_secs(), since_1970.subsec_nanos());
        let millis = i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX);
        Self {
            request_id: Uuid::new_v7(uuid_time),
            // A clock beyond the year 9998 is as wrong as one before 1970.
            now: Timestamp::from_micros(millis.saturating_mul(1_000)).unwrap_or(Timestamp::EPOCH),
            at: Instant::now(),
        }
    }

    /// A random number of its own, which its name ends with.
    pub(crate) fn random(&self) -> u32 {
        let [.., a, b, c, d] = *self.request_id.as_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// A later part of the same request: a stream may last for hours.
    pub(crate) fn again(&self) -> Self {
        Self { request_id: self.request_id, ..Self::new() }
    }
}
