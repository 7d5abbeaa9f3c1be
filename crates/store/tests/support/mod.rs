//! A store with a clock that the test sets, and records for it.
#![allow(dead_code, unreachable_pub)] // each test target uses a part of it

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use shortlist_store::{Clock, Store, StoreError};
use shortlist_types::{Attributes, Event, EventId, ItemId, LogRecord, LogSeq, Timestamp, User, UserId};
use tempfile::TempDir;

pub const LAST: LogSeq = LogSeq(u64::MAX);
/// When every test begins.
pub const BEGIN: i64 = 1_700_000_000;

/// A clock in seconds.
#[derive(Clone, Default)]
pub struct Time(Arc<AtomicI64>);

impl Time {
    pub fn add_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn add_days(&self, days: i64) {
        self.add_seconds(days * 86_400);
    }
}

/// A new store in a folder that goes with the test.
pub fn store() -> (TempDir, Store, Time) {
    let folder = tempfile::tempdir().unwrap();
    let time = Time::default();
    let theirs = time.clone();
    let clock = Clock::new(move || Timestamp::from_seconds(BEGIN + theirs.0.load(Ordering::SeqCst)).unwrap());
    let store = Store::open_or_create(folder.path()).unwrap().with_clock(clock);
    (folder, store, time)
}

/// Event `n` of `user`, with an id of its own.
pub fn event_of(user: &str, n: u64) -> LogRecord {
    LogRecord::Event(Event {
        event_id: Some(EventId::parse(&format!("event-{n}")).unwrap()),
        user_id: UserId::parse(user).unwrap(),
        item_id: ItemId::parse(&format!("item-{}", n % 50)).unwrap(),
        event_type: "click".to_owned(),
        value: Some(0.1 * n as f32),
        timestamp: Timestamp::from_seconds(i64::try_from(n).unwrap()).unwrap(),
        request_id: None,
        position: None,
        context: Attributes::default(),
    })
}

pub fn event(n: u64) -> LogRecord {
    event_of(&format!("user-{}", n % 7), n)
}

pub fn user(id: &str) -> LogRecord {
    let user = User { user_id: UserId::parse(id).unwrap(), attributes: Attributes::default() };
    LogRecord::UserPut { timestamp: Timestamp::EPOCH, user }
}

pub fn events(numbers: impl IntoIterator<Item = u64>) -> Vec<LogRecord> {
    numbers.into_iter().map(event).collect()
}

/// All that the log gives after `after`.
pub fn read(store: &Store, after: LogSeq) -> Result<Vec<(u64, LogRecord)>, StoreError> {
    let mut records = Vec::new();
    store.reader()?.read(after, LAST, |log_seq, record| {
        records.push((log_seq.0, record));
        Ok::<_, StoreError>(())
    })?;
    Ok(records)
}
