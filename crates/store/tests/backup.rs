//! Copies of a store: where they may go, and what damage they do without.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "functions beside the tests are tests too")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use shortlist_store::{BundleId, Store, StoreError};
use shortlist_types::{LogSeq, Timestamp};
use support::{event, events, read, store};

fn publish(store: &Store, content: u8) -> BundleId {
    let files = BTreeMap::from([("a".to_owned(), vec![content; 10])]);
    let now = Timestamp::from_seconds(i64::from(content)).unwrap();
    store.registry().publish(&files, now, &mut |_| ()).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs_err::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("shortlist.db-"))
        .collect();
    names.sort();
    names
}

fn copy(store: &Store, target: &Path) -> Result<shortlist_store::Copied, StoreError> {
    store.copy_to(target, &mut |_| ())
}

#[test]
fn a_copy_goes_into_a_folder_of_its_own_disk() {
    let (folder, store, _) = store();
    store.lock_log().unwrap().append(&events(0..100)).unwrap();
    publish(&store, 1);
    // A new file system; and what a copy of before left that was killed.
    let target = folder.path().join("disk");
    for inside in ["lost+found", ".tmp-copy/bundles"] {
        fs_err::create_dir_all(target.join(inside)).unwrap();
    }
    fs_err::write(target.join(".copy.lock"), "").unwrap();
    let copied = copy(&store, &target).unwrap();
    assert_eq!((copied.records, copied.bundles, copied.left_out.len()), (100, 1, 0));
    let expected = ["bundles", "lost+found", "registry.json", "registry.lock", "shortlist.db"];
    assert_eq!(names(&target), expected);
    let restored = Store::open(&target).unwrap();
    assert_eq!(read(&restored, LogSeq(0)).unwrap(), read(&store, LogSeq(0)).unwrap());
    assert!(matches!(copy(&store, &target), Err(StoreError::NotEmpty { .. })));
}

#[test]
fn two_copies_into_one_folder_do_not_meet() {
    let (folder, store, _) = store();
    store.lock_log().unwrap().append(&events(0..10)).unwrap();
    let target = folder.path().join("copy");
    let mut second = None;
    store.copy_to(&target, &mut |_| second = Some(copy(&store, &target))).unwrap();
    assert!(matches!(second, Some(Err(StoreError::CopyUnderWay { .. }))));
    assert_eq!(read(&Store::open(&target).unwrap(), LogSeq(0)).unwrap().len(), 10);
}

#[test]
fn a_copy_that_fails_leaves_no_store_and_the_folder_can_be_used_again() {
    let (folder, store, _) = store();
    store.lock_log().unwrap().append(&events(0..10)).unwrap();
    let id = publish(&store, 1);
    store.registry().promote(&id, Timestamp::EPOCH).unwrap();
    let file = store.dir().join("bundles").join(id.as_str()).join("a");
    fs_err::write(&file, [9; 10]).unwrap();
    let target = folder.path().join("copy");
    assert!(matches!(copy(&store, &target), Err(StoreError::DamagedBundle { .. })));
    assert!(names(&target).is_empty());
    fs_err::write(&file, [1; 10]).unwrap();
    copy(&store, &target).unwrap();
}

#[test]
fn damage_that_a_copy_can_do_without_is_left_out_and_named() {
    let (folder, store, _) = store();
    let mut appender = store.lock_log().unwrap();
    appender.append(&events(0..10)).unwrap();
    let (old, current) = (publish(&store, 1), publish(&store, 2));
    store.registry().promote(&current, Timestamp::EPOCH).unwrap();
    fs_err::remove_file(store.dir().join("bundles").join(old.as_str()).join("a")).unwrap();
    let add = |n: u8| {
        let head = store.reader().unwrap().head().unwrap();
        store.add_checkpoint(head, "schema", |out| Ok::<_, StoreError>(out.write_all(&[n])?)).unwrap()
    };
    let first = add(1);
    appender.append(&[event(99)]).unwrap();
    let second = add(2);
    fs_err::write(store.dir().join("checkpoints").join(&second.file), "x").unwrap();
    // A store with damaged bundles still says what it holds.
    assert_eq!(store.info().unwrap().bundles.len(), 2);

    let copied = copy(&store, &folder.path().join("copy")).unwrap();
    assert_eq!((copied.bundles, copied.checkpoints), (1, 1));
    assert!(copied.left_out[0].contains(&second.file), "{:?}", copied.left_out);
    assert!(copied.left_out[1].contains(old.as_str()), "{:?}", copied.left_out);
    // A log that was cut needs one that can be read.
    assert!(!appender.cut(first.at.log_seq).unwrap());
    fs_err::write(store.dir().join("checkpoints").join(&first.file), "x").unwrap();
    let error = copy(&store, &folder.path().join("another")).unwrap_err();
    assert!(matches!(error, StoreError::DamagedCheckpoint { .. }), "{error}");
}
