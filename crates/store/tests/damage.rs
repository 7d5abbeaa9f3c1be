//! What a damaged log says of itself, and what is saved of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "functions beside the tests are tests too")]

mod support;

use rusqlite::Connection;
use shortlist_store::{Appended, RecordDamage, Store, StoreConfig, StoreError};
use shortlist_types::LogSeq;
use support::{event, events, read, store};

fn change(store: &Store, sql: &str) {
    Connection::open(store.dir().join("shortlist.db")).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_log_that_lost_its_end_takes_nothing_and_names_what_is_gone() {
    for (sql, first, lost) in [("DELETE FROM log WHERE log_seq > 90", 91, 10), ("DELETE FROM log", 1, 100)] {
        let (_folder, store, _) = store();
        store.lock_log().unwrap().append(&events(0..100)).unwrap();
        change(&store, sql);
        for error in [store.lock_log().map(drop).unwrap_err(), read(&store, LogSeq(0)).unwrap_err()] {
            let StoreError::DamagedRecord { log_seq, damage: RecordDamage::Missing } = error else { panic!("{error}") };
            assert_eq!(log_seq, LogSeq(first));
        }
        let report = store.reader().unwrap().verify(&mut |_| ()).unwrap();
        assert_eq!((report.damaged, report.damages), (lost, vec![(LogSeq(first), RecordDamage::Missing)]));
    }
}

#[test]
fn an_older_log_in_a_folder_that_went_on_is_refused() {
    let (_folder, store, _) = store();
    let database = store.dir().join("shortlist.db");
    let append = |numbers| store.lock_log().unwrap().append(&events(numbers)).unwrap();
    append(0..50);
    store.empty_wal().unwrap();
    let older = fs_err::read(&database).unwrap();
    append(50..100);
    let head = store.reader().unwrap().head().unwrap();
    let checkpoint = store.add_checkpoint(head, "schema", |_| Ok::<_, StoreError>(())).unwrap();
    store.empty_wal().unwrap();
    fs_err::write(&database, older).unwrap();
    let error = store.lock_log().unwrap_err().to_string();
    let expected = format!("the log ends at record 50, and checkpoints/{} was made after it", checkpoint.file);
    assert!(error.starts_with(&expected), "{error}");
    assert!(error.contains("store restore"), "{error}");
    fs_err::remove_dir_all(store.dir().join("checkpoints")).unwrap();
    append(50..60);
}

#[test]
fn a_gap_of_any_length_is_one_step() {
    let (folder, store, _) = store();
    store.lock_log().unwrap().append(&events(0..100)).unwrap();
    let far = 1_u64 << 50;
    change(&store, &format!("UPDATE log SET log_seq = {far} WHERE log_seq = 60"));
    let report = store.reader().unwrap().verify(&mut |_| ()).unwrap();
    let told: Vec<_> = report.damages.iter().map(|(log_seq, damage)| (log_seq.0, *damage)).collect();
    let (missing, unchecked) = (RecordDamage::Missing, RecordDamage::Unchecked);
    assert_eq!(told, [(60, missing), (61, unchecked), (101, missing), (far, unchecked)]);
    let target = Store::open_or_create(folder.path().join("saved")).unwrap();
    let salvaged = store.reader().unwrap().salvage(&target, &mut |_| ()).unwrap();
    assert_eq!((salvaged.whole, salvaged.unchecked, salvaged.lost), (98, 2, 1 + (far - 101)));
    assert_eq!(read(&target, LogSeq(0)).unwrap().len(), 100);
}

#[test]
fn what_is_salvaged_is_judged_no_second_time() {
    let (folder, store, time) = store();
    let mut appender = store.lock_log().unwrap();
    appender.append(&events(0..10)).unwrap();
    time.add_days(8);
    while appender.forget_event_ids(StoreConfig::default().deduplication_window()).unwrap() {}
    assert_eq!(appender.append(&events([3, 20])).unwrap(), [Appended::New(LogSeq(11)), Appended::New(LogSeq(12))]);
    drop(appender);
    let target = Store::open_or_create(folder.path().join("saved")).unwrap();
    let salvaged = store.reader().unwrap().salvage(&target, &mut |_| ()).unwrap();
    assert_eq!((salvaged.whole, salvaged.lost), (12, 0));
    assert_eq!(read(&target, LogSeq(0)).unwrap(), read(&store, LogSeq(0)).unwrap());
    // From here on a retry counts once.
    assert_eq!(target.lock_log().unwrap().append(&[event(3)]).unwrap(), [Appended::Duplicate]);
    assert!(target.reader().unwrap().verify(&mut |_| ()).unwrap().is_whole());
}

#[test]
fn a_log_whose_pages_cannot_be_reached_has_an_end() {
    for table in ["log", "event_ids_in_order", "arrivals"] {
        let (folder, store, _) = store();
        store.lock_log().unwrap().append(&events(0..100)).unwrap();
        store.empty_wal().unwrap();
        let path = store.dir().join("shortlist.db");
        let root: i64 = {
            let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
            Connection::open(&path).unwrap().query_row(sql, [table], |row| row.get(0)).unwrap()
        };
        let mut bytes = fs_err::read(&path).unwrap();
        // The kind of the page that all others hang from.
        bytes[(usize::try_from(root).unwrap() - 1) * 4_096] = 77;
        fs_err::write(&path, bytes).unwrap();
        assert!(store.lock_log().is_err(), "{table}");
        let Ok(report) = store.reader().unwrap().verify(&mut |_| ()) else { continue };
        assert!(!report.is_whole(), "{table}");
        if table == "log" {
            assert_eq!((report.damaged, report.damages[0]), (100, (LogSeq(1), RecordDamage::Unreadable)));
            let target = Store::open_or_create(folder.path().join("saved")).unwrap();
            let salvaged = store.reader().unwrap().salvage(&target, &mut |_| ()).unwrap();
            assert_eq!((salvaged.whole, salvaged.lost), (0, 100));
        }
    }
}
