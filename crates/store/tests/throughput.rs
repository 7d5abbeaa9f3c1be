//! Measurements, not checks: `cargo test --release -p shortlist-store --test throughput -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "functions beside the tests are tests too")]

use std::time::Instant;

use shortlist_store::{LogWriter, Store, StoreError};
use shortlist_types::{Attributes, Event, EventId, ItemId, LogRecord, LogSeq, Timestamp, UserId};

fn event(n: u64, event_id: Option<String>) -> LogRecord {
    LogRecord::Event(Event {
        event_id: event_id.map(|id| EventId::parse(&id).unwrap()),
        user_id: UserId::parse(&format!("user-{}", n % 10_007)).unwrap(),
        item_id: ItemId::parse(&format!("item-{}", n % 5_003)).unwrap(),
        event_type: "click".to_owned(),
        value: Some((n % 5) as f32),
        timestamp: Timestamp::from_seconds(1_700_000_000 + i64::try_from(n).unwrap()).unwrap(),
        request_id: None,
        position: None,
        context: Attributes::default(),
    })
}

fn say(what: &str, count: u64, start: Instant) {
    let rate = count as f64 / start.elapsed().as_secs_f64();
    eprintln!("{what}: {rate:.0}/s ({count} in {:.2} s)", start.elapsed().as_secs_f64());
}

fn bulk(what: &str, events: u64, event_id: impl Fn(u64) -> Option<String>) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open_or_create(dir.path()).unwrap();
    let mut appender = store.lock_log().unwrap();
    let records: Vec<_> = (0..events).map(|n| Ok::<_, StoreError>(event(n, event_id(n)))).collect();
    let start = Instant::now();
    appender.append_all(records, &mut |_| ()).unwrap();
    say(&format!("bulk append, {what}"), events, start);
    let start = Instant::now();
    let mut seen = 0;
    let each = |_, _| {
        seen += 1;
        Ok::<_, StoreError>(())
    };
    store.reader().unwrap().read(LogSeq(0), LogSeq(u64::MAX), each).unwrap();
    say(&format!("read and checked, {what}"), seen, start);
}

#[test]
#[ignore = "a measurement"]
fn bulk_append() {
    bulk("no event ids", 1_000_000, |_| None);
    bulk("event ids in order", 1_000_000, |n| Some(format!("import-{n:012}")));
    bulk("event ids at random", 1_000_000, |n| Some(format!("{:016x}", (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))));
}

#[test]
#[ignore = "a measurement"]
fn group_commit() {
    for callers in [1, 8, 64] {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_or_create(dir.path()).unwrap();
        let writer = LogWriter::start(store.lock_log().unwrap(), 10_000, Box::new(|_| ())).unwrap();
        let each = 30_000 / (callers + 16);
        let start = Instant::now();
        std::thread::scope(|scope| {
            for caller in 0..callers {
                let writer = &writer;
                scope.spawn(move || {
                    for i in 0..each {
                        let (sender, receiver) = std::sync::mpsc::channel();
                        let record = event(i, Some(format!("{caller}-{i}")));
                        writer.submit(vec![record], Box::new(move |r| sender.send(r).unwrap())).unwrap();
                        receiver.recv().unwrap().unwrap();
                    }
                });
            }
        });
        say(&format!("group commit, {callers} callers, one event each"), callers * each, start);
        writer.close().unwrap();
    }
}
