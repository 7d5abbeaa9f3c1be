//! What grows old: event ids beyond the window, records beyond retention, and who holds them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "functions beside the tests are tests too")]

mod support;

use std::time::Duration;

use rusqlite::Connection;
use shortlist_store::limits::{MAINTAINED_RECORDS_MAX, PIN_LEASE};
use shortlist_store::{Appended, LogAppender, LogHead, Retention, Store, StoreConfig, StoreError};
use shortlist_types::LogSeq;
use support::{event, event_of, events, read, store};

const A_DAY: Duration = Duration::from_secs(86_400);

fn forget_all(appender: &mut LogAppender) {
    let window = StoreConfig::default().deduplication_window();
    while appender.forget_event_ids(window).unwrap() {}
}

/// Cuts behind a checkpoint after `to`, or after the last record.
fn cut_all(store: &Store, appender: &mut LogAppender, to: LogSeq) {
    let at = LogHead { log_seq: to.min(appender.head().log_seq), chain: 0 };
    let chain = store.reader().unwrap().chain_at(at.log_seq).unwrap();
    // A position that was cut before needs no checkpoint.
    if let Some(chain) = chain {
        store.add_checkpoint(LogHead { chain, ..at }, "schema", |_| Ok::<_, StoreError>(())).unwrap();
    }
    while appender.cut(to).unwrap() {}
}

#[test]
fn nothing_is_cut_that_no_checkpoint_holds() {
    let (_folder, store, _) = store();
    let mut appender = store.lock_log().unwrap();
    appender.append(&events(0..100)).unwrap();
    let start = || store.reader().unwrap().start().unwrap().log_seq;
    assert!(!appender.cut(LogSeq(60)).unwrap());
    assert_eq!(start(), LogSeq(0));
    cut_all(&store, &mut appender, LogSeq(40));
    assert!(!appender.cut(LogSeq(60)).unwrap());
    assert_eq!(start(), LogSeq(40));
}

#[test]
fn an_id_is_known_for_the_window_and_forgotten_after_it() {
    let (_folder, store, time) = store();
    let mut appender = store.lock_log().unwrap();
    appender.append(&events(0..5_000)).unwrap();
    time.add_days(5);
    appender.append(&events(5_000..5_010)).unwrap();
    time.add_days(1);
    forget_all(&mut appender);
    let again = appender.append(&events([0, 4_999, 5_000])).unwrap();
    assert_eq!(again, [Appended::Duplicate; 3]);
    time.add_days(2);
    forget_all(&mut appender);
    let again = appender.append(&events([5_000, 0, 4_999])).unwrap();
    assert_eq!(again, [Appended::Duplicate, Appended::New(LogSeq(5_011)), Appended::New(LogSeq(5_012))]);
}

#[test]
fn a_clock_that_jumps_does_not_forget_what_is_young() {
    for jump in [-3_600, 3_600, -86_400, 86_400, -10, -400 * 86_400] {
        let (_folder, store, time) = store();
        let mut appender = store.lock_log().unwrap();
        time.add_days(1_000);
        appender.append(&[event(1)]).unwrap();
        time.add_seconds(jump);
        appender.append(&[event(2)]).unwrap();
        forget_all(&mut appender);
        time.add_seconds(120 - jump);
        appender.append(&[event(3)]).unwrap();
        forget_all(&mut appender);
        let again = appender.append(&events([1, 2, 3])).unwrap();
        assert_eq!(again, [Appended::Duplicate; 3], "after a jump of {jump} s");
    }
}

#[test]
fn a_cut_within_the_window_forgets_no_id() {
    let (_folder, store, time) = store();
    let mut appender = store.lock_log().unwrap();
    appender.append(&events(0..100)).unwrap();
    time.add_days(1);
    appender.append(&events(100..200)).unwrap();
    cut_all(&store, &mut appender, LogSeq(150));
    forget_all(&mut appender);
    assert_eq!(appender.append(&events([0, 99, 149, 150])).unwrap(), [Appended::Duplicate; 4]);
    // What is beyond the window is forgotten all the same, and later cuts take its arrivals along.
    time.add_days(7);
    appender.append(&events([300])).unwrap();
    forget_all(&mut appender);
    assert_eq!(appender.append(&events([0])).unwrap(), [Appended::New(LogSeq(202))]);
}

#[test]
fn a_cut_log_keeps_its_chain_and_says_where_it_begins() {
    let (_folder, store, time) = store();
    let mut appender = store.lock_log().unwrap();
    let old = u64::try_from(MAINTAINED_RECORDS_MAX).unwrap() * 2 + 100;
    appender.append(&events(0..old)).unwrap();
    time.add_days(10);
    appender.append(&events(old..old + 50)).unwrap();
    let reader = store.reader().unwrap();
    let chain = reader.chain_at(LogSeq(old)).unwrap();
    let retention = Retention { age_max: Some(A_DAY), bytes_max: None };
    let due = reader.due_cut(retention, store.now()).unwrap();
    assert_eq!(due, LogSeq(old));
    cut_all(&store, &mut appender, due);

    let start = reader.start().unwrap();
    assert_eq!((start.log_seq, Some(start.chain)), (due, chain));
    assert_eq!(read(&store, due).unwrap().len(), 50);
    let error = read(&store, LogSeq(old - 1)).unwrap_err();
    assert!(matches!(error, StoreError::BeforeStart { asked, start } if asked.0 == old - 1 && start == due), "{error}");
    // Nothing is cut twice, and the log goes on where it was, also after all of it was cut.
    assert!(!appender.cut(due).unwrap());
    cut_all(&store, &mut appender, LogSeq(u64::MAX));
    drop(appender);
    let mut appender = store.lock_log().unwrap();
    assert_eq!(appender.append(&[event(99_999)]).unwrap(), [Appended::New(LogSeq(old + 51))]);
}

#[test]
fn a_pinned_reader_is_waited_for_until_its_lease_ends() {
    let (_folder, store, time) = store();
    let mut appender = store.lock_log().unwrap();
    appender.append(&events(0..100)).unwrap();
    let pin = store.pin("train", LogSeq(40)).unwrap();
    cut_all(&store, &mut appender, LogSeq(100));
    assert_eq!(store.reader().unwrap().start().unwrap().log_seq, LogSeq(40));
    drop(pin);
    cut_all(&store, &mut appender, LogSeq(60));
    assert_eq!(store.reader().unwrap().start().unwrap().log_seq, LogSeq(60));
    // A reader that was killed says nothing any more.
    std::mem::forget(store.pin("killed", LogSeq(70)).unwrap());
    cut_all(&store, &mut appender, LogSeq(100));
    assert_eq!(store.reader().unwrap().start().unwrap().log_seq, LogSeq(70));
    time.add_seconds(i64::try_from(PIN_LEASE.as_secs()).unwrap() + 1);
    cut_all(&store, &mut appender, LogSeq(100));
    assert_eq!(store.reader().unwrap().start().unwrap().log_seq, LogSeq(100));
}

#[test]
fn a_size_cuts_the_oldest_records_and_counts_no_ids() {
    let (_folder, store, _) = store();
    let mut appender = store.lock_log().unwrap();
    // The second half has larger records than the first.
    appender.append(&events(0..10_000)).unwrap();
    let name = "somebody-with-a-name-that-is-much-longer-than-those-of-the-others-before-him";
    appender.append(&(10_000..20_000).map(|n| event_of(name, n)).collect::<Vec<_>>()).unwrap();
    let database = Connection::open(store.dir().join("shortlist.db")).unwrap();
    let pages = "SELECT sum(pgsize) FROM dbstat WHERE name = 'log'";
    let log_bytes = || database.query_row(pages, [], |row| row.get::<_, i64>(0)).unwrap().cast_unsigned();
    let all = log_bytes();
    let reader = store.reader().unwrap();
    let due = |bytes_max| {
        let retention = Retention { age_max: None, bytes_max: Some(bytes_max) };
        reader.due_cut(retention, store.now()).unwrap().0
    };
    assert_eq!(due(all + all / 20), 0);
    assert!(due(all - all / 20) > 0);
    let half = due(all / 2);
    assert!(half > 10_100, "{half} records, though the later ones are larger");
    cut_all(&store, &mut appender, LogSeq(half));
    let left = log_bytes() as f64 / all as f64;
    assert!((0.45..0.55).contains(&left), "{left} of the bytes are left");
}
