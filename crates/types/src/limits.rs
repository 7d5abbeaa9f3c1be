//! Every limit of the service, in one place. Each states what happens beyond it.

/// Longest id in bytes of UTF-8; a longer one is refused.
pub const ID_BYTES_MAX: usize = 128;
/// Most attributes of one item or user; more are refused.
pub const ATTRIBUTES_MAX: usize = 64;
/// Longest attribute or context name in bytes; a longer one is refused.
pub const ATTRIBUTE_NAME_BYTES_MAX: usize = 64;
/// Longest attribute string in bytes; a longer one is refused.
pub const ATTRIBUTE_STRING_BYTES_MAX: usize = 1024;
/// Most strings in one multi-valued attribute; more are refused.
pub const ATTRIBUTE_LIST_MAX: usize = 64;
/// Most dimensions of an embedding; more are refused.
pub const DIMENSIONS_MAX: usize = 4096;
/// Most items in one answer; a larger `k` is refused with 400 / `INVALID_ARGUMENT`.
pub const K_MAX: usize = 500;
/// Most ids in the `exclude` list of one request; more are refused.
pub const EXCLUDE_MAX: usize = 10_000;
/// Most events in the `recent` list of one request; more are refused.
pub const RECENT_MAX: usize = 500;
/// Most events, items or users in one batch call; more are refused.
pub const BATCH_MAX: usize = 1_000;
/// Largest request body in bytes, REST and gRPC alike; a larger one is refused before it is parsed.
pub const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most items or users that one log may name: ids are `u32`, and one value is kept free.
pub const ENTITIES_MAX: usize = u32::MAX as usize - 1;
/// Most event types in the config; one more is refused when the config is read.
pub const EVENT_TYPES_MAX: usize = 64;
/// Events kept per user for features and fold-in, newest first out last in; older ones still count in
/// counters and in the seen-set.
pub const HISTORY_MAX: usize = 500;
/// Seen items kept per user; beyond it the oldest are forgotten and may be recommended again.
pub const SEEN_MAX: usize = 10_000;
/// How far the timestamp of an event may lie in the future, in seconds; further is refused, because
/// a wrong clock would poison every decayed counter.
pub const FUTURE_SECONDS_MAX: i64 = 300;
/// Shortest deadline of a request in milliseconds.
pub const DEADLINE_MS_MIN: u64 = 1;
/// Longest deadline of a request in milliseconds; a larger one is refused.
pub const DEADLINE_MS_MAX: u64 = 10_000;
/// Deadline of a request that names none, in milliseconds.
pub const DEADLINE_MS_DEFAULT: u64 = 100;
