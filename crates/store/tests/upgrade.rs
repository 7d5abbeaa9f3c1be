//! A store of the format before is brought up to date when it is opened.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "functions beside the tests are tests too")]

mod support;

use rusqlite::Connection;
use shortlist_store::{Appended, Store, StoreError};
use shortlist_types::LogSeq;
use support::{events, read, store};

/// Turns a new store into what the release before would have written.
fn as_format_1(store: &Store) {
    let database = Connection::open(store.dir().join("shortlist.db")).unwrap();
    database
        .execute_batch(
            "CREATE TABLE old (event_id TEXT PRIMARY KEY NOT NULL, log_seq INTEGER NOT NULL) WITHOUT ROWID;
             INSERT INTO old SELECT event_id, log_seq FROM events;
             DROP TABLE event_ids; ALTER TABLE old RENAME TO event_ids;
             DROP TABLE arrivals; DROP TABLE log_bounds; DROP TABLE pins; DROP TABLE checkpoints;
             PRAGMA user_version = 1;",
        )
        .unwrap();
}

#[test]
fn an_older_format_is_upgraded_with_all_that_it_holds() {
    let (folder, store, _) = store();
    store.lock_log().unwrap().append(&events(0..500)).unwrap();
    let before = read(&store, LogSeq(0)).unwrap();
    as_format_1(&store);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(read(&store, LogSeq(0)).unwrap(), before);
    let mut appender = store.lock_log().unwrap();
    let again = appender.append(&events([0, 499, 500])).unwrap();
    assert_eq!(again, [Appended::Duplicate, Appended::Duplicate, Appended::New(LogSeq(501))]);
}

#[test]
fn a_store_that_an_older_server_has_open_is_left_alone() {
    let (folder, store, _) = store();
    let appender = store.lock_log().unwrap();
    as_format_1(&store);
    assert!(matches!(Store::open(folder.path()), Err(StoreError::Locked { .. })));
    drop(appender);
    Store::open(folder.path()).unwrap();
}
