//! Events with ids of their own, and what a log says of them.

use std::collections::HashSet;

use shortlist_store::{Store, StoreError};
use shortlist_types::{Attributes, Event, EventId, ItemId, LogRecord, LogSeq, Timestamp, UserId};

pub const LAST: LogSeq = LogSeq(u64::MAX);

/// The event called `id`.
pub fn event(id: &str) -> LogRecord {
    let number = id.bytes().fold(0_i64, |sum, byte| sum * 31 % 100_003 + i64::from(byte));
    LogRecord::Event(Event {
        event_id: Some(EventId::parse(id).unwrap()),
        user_id: UserId::parse(&format!("user-{}", number % 97)).unwrap(),
        item_id: ItemId::parse(&format!("item-{}", number % 1_009)).unwrap(),
        event_type: "click".to_owned(),
        value: None,
        timestamp: Timestamp::from_seconds(1_700_000_000 + number).unwrap(),
        request_id: None,
        position: None,
        context: Attributes::default(),
    })
}

/// The records after `after`, each checked by the reader.
pub fn read(store: &Store, after: LogSeq) -> Result<Vec<LogRecord>, StoreError> {
    let mut records = Vec::new();
    let mut expected = after;
    store.reader()?.read(after, LAST, |log_seq, record| {
        expected = expected.next();
        assert_eq!(log_seq, expected, "the log has a gap");
        records.push(record);
        Ok::<_, StoreError>(())
    })?;
    Ok(records)
}

/// The ids of the events among `records`; none may stand twice.
pub fn ids(records: &[LogRecord]) -> HashSet<String> {
    let mut ids = HashSet::new();
    for record in records {
        if let LogRecord::Event(Event { event_id: Some(id), .. }) = record {
            assert!(ids.insert(id.to_string()), "{id} stands in the log twice");
        }
    }
    ids
}

pub fn head(store: &Store) -> LogSeq {
    store.reader().unwrap().head().unwrap().log_seq
}
