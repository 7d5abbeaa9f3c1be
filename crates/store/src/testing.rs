//! Records for the tests of this crate.

use shortlist_types::{AttributeValue, Attributes, Event, EventId, Item, ItemId, LogRecord, Timestamp, UserId};

pub(crate) fn time(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds).unwrap()
}

/// An event without an id of its own.
pub(crate) fn event(n: u32) -> LogRecord {
    LogRecord::Event(Event {
        event_id: None,
        user_id: UserId::parse(&format!("user-{}", n % 1_000)).unwrap(),
        item_id: ItemId::parse(&format!("item-{}", n % 5_000)).unwrap(),
        event_type: "click".to_owned(),
        value: Some(0.1 * n as f32),
        timestamp: time(i64::from(n)),
        request_id: None,
        position: Some(n % 10),
        context: Attributes::default(),
    })
}

/// An event that a retry would name again.
pub(crate) fn named_event(n: u32) -> LogRecord {
    let LogRecord::Event(event) = event(n) else { unreachable!() };
    LogRecord::Event(Event { event_id: Some(EventId::parse(&format!("event-{n}")).unwrap()), ..event })
}

pub(crate) fn item_put(seconds: i64, item_id: &str, title: &str) -> LogRecord {
    let attributes = Attributes::parse([("title".to_owned(), AttributeValue::Text(title.to_owned()))]).unwrap();
    let item = Item { item_id: ItemId::parse(item_id).unwrap(), attributes, available: true, embedding: None };
    LogRecord::ItemPut { timestamp: time(seconds), item }
}
