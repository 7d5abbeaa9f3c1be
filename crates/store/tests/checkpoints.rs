//! Checkpoints appear whole, are checked when read, and only those that are needed stay.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "functions beside the tests are tests too")]

mod support;

use shortlist_store::{Checkpoint, Store, StoreError};
use shortlist_types::LogSeq;
use support::{events, store};

fn add(store: &Store, log_seq: u64, content: &[u8]) -> Checkpoint {
    let reader = store.reader().unwrap();
    let at = shortlist_store::LogHead {
        log_seq: LogSeq(log_seq),
        chain: reader.chain_at(LogSeq(log_seq)).unwrap().unwrap(),
    };
    store.add_checkpoint(at, "schema", |out| Ok::<_, StoreError>(out.write_all(content)?)).unwrap()
}

fn positions(store: &Store) -> Vec<u64> {
    store.checkpoints().unwrap().iter().map(|checkpoint| checkpoint.at.log_seq.0).collect()
}

fn files(store: &Store) -> usize {
    fs_err::read_dir(store.dir().join("checkpoints")).unwrap().count()
}

#[test]
fn the_newest_two_stay_and_the_one_that_a_cut_log_begins_at() {
    let (_folder, store, _) = store();
    let mut appender = store.lock_log().unwrap();
    appender.append(&events(0..100)).unwrap();
    for at in [10, 20, 30, 40, 50] {
        add(&store, at, b"state");
    }
    assert_eq!(positions(&store), [50, 40, 30, 20, 10]);
    assert!(!appender.cut(LogSeq(20)).unwrap());
    store.prune_checkpoints().unwrap();
    assert_eq!(positions(&store), [50, 40, 20]);
    assert_eq!(files(&store), 3);
    appender.finish_erasure(None, None).unwrap();
    store.remove_unlisted_checkpoints().unwrap();
    assert_eq!((positions(&store).len(), files(&store)), (0, 0));
}

#[test]
fn a_write_that_fails_leaves_nothing() {
    let (_folder, store, _) = store();
    let at = store.reader().unwrap().head().unwrap();
    let result = store.add_checkpoint(at, "schema", |out| {
        out.write_all(b"half")?;
        Err(StoreError::WriterPanicked)
    });
    assert!(matches!(result, Err(StoreError::WriterPanicked)));
    assert_eq!((positions(&store).len(), files(&store)), (0, 0));
}

#[test]
fn every_damage_is_named() {
    let (_folder, store, _) = store();
    store.lock_log().unwrap().append(&events(0..10)).unwrap();
    let checkpoint = add(&store, 10, b"state");
    assert_eq!(store.read_checkpoint(&checkpoint).unwrap(), b"state");
    let path = store.dir().join("checkpoints").join(&checkpoint.file);
    for (content, damage) in
        [(&b"stats"[..], "does not match its sha256"), (b"stat", "another length"), (b"states", "another length")]
    {
        fs_err::write(&path, content).unwrap();
        let error = store.read_checkpoint(&checkpoint).unwrap_err().to_string();
        assert!(error.contains(damage) && error.contains(&checkpoint.file), "{error}");
    }
    fs_err::remove_file(&path).unwrap();
    assert!(store.read_checkpoint(&checkpoint).unwrap_err().to_string().contains("is missing"));
}

#[test]
fn a_checkpoint_of_another_log_is_not_listed() {
    let (_folder, store, _) = store();
    store.lock_log().unwrap().append(&events(0..10)).unwrap();
    add(&store, 10, b"state");
    let database = rusqlite::Connection::open(store.dir().join("shortlist.db")).unwrap();
    database.execute("UPDATE checkpoints SET chain = chain + 1", []).unwrap();
    assert!(positions(&store).is_empty());
}
