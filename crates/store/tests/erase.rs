//! An erased user leaves tombstones: the chain holds, and no byte of him is left in the store.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "functions beside the tests are tests too")]

mod support;

use rusqlite::Connection;
use shortlist_store::{Appended, Erasure, Store, StoreError};
use shortlist_types::{LogRecord, LogSeq, UserId};
use support::{LAST, event_of, read, store, user};

const NAME: &str = "quite-a-rare-name";

fn is_anywhere(store: &Store, text: &str) -> bool {
    let files = fs_err::read_dir(store.dir()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.is_file()).any(|path| {
        let bytes = fs_err::read(path).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

fn erasures(store: &Store) -> Vec<Erasure> {
    let mut found = Vec::new();
    let result = store.reader().unwrap().read_user(&UserId::parse(NAME).unwrap(), LogSeq(0), LAST, |log_seq, _| {
        found.push(Erasure { log_seq, new_user: found.is_empty() });
        Ok::<_, StoreError>(())
    });
    result.unwrap();
    found
}

#[test]
fn tombstones_take_the_place_of_all_records_of_a_user() {
    let (_folder, store, _) = store();
    let mut appender = store.lock_log().unwrap();
    let records: Vec<_> =
        (0..3_000).map(|n| event_of(if n % 3 == 1 { NAME } else { "another" }, n)).chain([user(NAME)]).collect();
    appender.append(&records).unwrap();
    let head = appender.head();
    let before = read(&store, LogSeq(0)).unwrap();
    let of_him = erasures(&store);
    assert_eq!(of_him.len(), 1_001);
    assert!(is_anywhere(&store, NAME));

    appender.erase(&of_him).unwrap();
    store.empty_wal().unwrap();
    assert!(!is_anywhere(&store, NAME));
    assert!(erasures(&store).is_empty());

    let after = read(&store, LogSeq(0)).unwrap();
    assert_eq!(after.len(), before.len());
    for ((log_seq, was), (_, is)) in before.iter().zip(&after) {
        match was {
            LogRecord::Event(event) if event.user_id.as_str() == NAME => {
                let (timestamp, item_id) = (event.timestamp, Some(event.item_id.clone()));
                assert_eq!(*is, LogRecord::Erased { timestamp, item_id, new_user: *log_seq == 2 });
            }
            LogRecord::Event(_) => assert_eq!(is, was),
            _ => assert!(matches!(is, LogRecord::Erased { item_id: None, new_user: false, .. })),
        }
    }
    // The head is the last tombstone; the chain of what follows does not know of the erasure.
    assert_eq!(store.reader().unwrap().head().unwrap(), head);
    drop(appender);
    let mut appender = store.lock_log().unwrap();
    assert_eq!(appender.head(), head);
    assert_eq!(appender.append(&[event_of("later", 9_000)]).unwrap(), [Appended::New(LogSeq(3_002))]);
    assert_eq!(read(&store, LogSeq(0)).unwrap().len(), 3_002);
    // To erase again what is erased changes nothing.
    appender.erase(&of_him).unwrap();
    assert_eq!(read(&store, LogSeq(3_001)).unwrap().len(), 1);
    // A retry that was on its way does not bring him back.
    assert_eq!(appender.append(&[event_of(NAME, 1)]).unwrap(), [Appended::Duplicate]);
}

#[test]
fn a_damaged_tombstone_is_named() {
    let columns =
        ["payload = replace(payload, '\"chain\":\"', '\"chain\":\"0')", "checksum = checksum + 1", "time = time + 1"];
    for change in columns {
        let (_folder, store, _) = store();
        let mut appender = store.lock_log().unwrap();
        appender.append(&(0..5).map(|n| event_of(NAME, n)).collect::<Vec<_>>()).unwrap();
        appender.erase(&[Erasure { log_seq: LogSeq(3), new_user: false }]).unwrap();
        let database = Connection::open(store.dir().join("shortlist.db")).unwrap();
        let sql = format!("UPDATE log SET {change} WHERE log_seq = 3");
        assert_eq!(database.execute(&sql, []).unwrap(), 1);
        let error = read(&store, LogSeq(0)).unwrap_err();
        assert!(matches!(error, StoreError::DamagedRecord { log_seq: LogSeq(3), .. }), "{change}: {error}");
    }
}
