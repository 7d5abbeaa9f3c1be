//! Every limit of the service, in one place. Each states what happens beyond it.

crate::limits! {
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
    /// Most entries of one page of a list; a larger `limit` is refused.
    pub const PAGE_MAX: usize = 1_000;
    /// Largest request body in bytes, REST and gRPC alike; a larger one is refused before it is parsed.
    pub const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
    /// Most items or users that one log may name: ids are `u32`, and one value is kept free.
    pub const ENTITIES_MAX: usize = u32::MAX as usize - 1;
    /// Most event types in the config; one more is refused when the config is read.
    pub const EVENT_TYPES_MAX: usize = 64;
    /// Items that a user has seen and that stay hidden from him, the latest at least; those before them are
    /// forgotten and may be recommended again.
    pub const USER_ITEMS_MAX: usize = 10_000;
    /// Items kept per user with what he did with them, and wanted items that move his vector, newest first; older
    /// ones no longer count in fold-in, which costs time in proportion.
    pub const FOLD_IN_MAX: usize = 1_000;
    /// Impressions remembered per user, newest kept.
    pub const SHOWN_MAX: usize = 100;
    /// Most distinct attribute texts that affinities tell apart, and most pairs of an attribute and a value
    /// that have a set of items; further ones are kept as attributes but not counted, and have no set.
    pub const LABELS_MAX: usize = 1_000_000;
    /// Most distinct names of numeric attributes that distances look at; further ones are kept as
    /// attributes but not compared.
    pub const NUMBERS_MAX: usize = 1_024;
    /// Most (item, user attribute text) pairs that are counted; further ones are not.
    pub const AUDIENCE_MAX: usize = 4_000_000;
    /// Most kinds of users whose wishes are counted per item: those of further ones are not.
    pub const AUDIENCE_ITEM_MAX: usize = 1_024;
    /// Furthest that a page may begin in the order of an answer.
    pub const OFFSET_MAX: usize = 5_000;
    /// Most candidates that a caller proposes; more are refused.
    pub const GIVEN_MAX: usize = 1_000;
    /// Items of which one request may ask why they are not in the answer; a longer list is refused.
    pub const WHY_NOT_MAX: usize = 100;
    /// Most bytes of a filter expression; a longer one is refused.
    pub const FILTER_BYTES_MAX: usize = 16_384;
    /// Deepest nesting of a filter expression; a deeper one is refused.
    pub const FILTER_DEPTH_MAX: usize = 32;
    /// Most values that a filter expression names; more are refused.
    pub const FILTER_VALUES_MAX: usize = 1_000;
    /// Most features of a ranker; a schema with more is refused.
    pub const FEATURES_MAX: usize = 256;
    /// Most categories of a ranker; a schema with more is refused.
    pub const CATEGORIES_MAX: usize = 64;
    /// Items on the popularity board; a user who has had them all gets the rest by a full scan.
    pub const POPULAR_MAX: usize = 1_000;
    /// How far the timestamp of an event may lie in the future, in seconds; further is refused, because
    /// a wrong clock would poison every decayed counter.
    pub const FUTURE_SECONDS_MAX: i64 = 300;
    /// Shortest deadline of a request in milliseconds.
    pub const DEADLINE_MS_MIN: u64 = 1;
    /// Longest deadline of a request in milliseconds; a larger one is refused.
    pub const DEADLINE_MS_MAX: u64 = 10_000;
    /// Deadline of a request that names none, in milliseconds.
    pub const DEADLINE_MS_DEFAULT: u64 = 100;
}
