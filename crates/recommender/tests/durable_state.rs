//! However a state is found, by the whole log, by a checkpoint and a tail, or from where a cut log begins,
//! it is the same, bit for bit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "functions beside the tests are tests too")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use shortlist_faulty_disk::{Fault, FaultyDisk};
use shortlist_features::FeatureState;
use shortlist_recommender::{DurableState, RestoreError};
use shortlist_simulator::{MarketConfig, Marketplace};
use shortlist_store::{Checkpoint, LogAppender, Store};
use shortlist_types::{Attributes, Event, EventTypes, ItemId, LogRecord, LogSeq, Timestamp, UserId};

const RECORDS: u64 = 3_000;

struct World {
    _folder: tempfile::TempDir,
    store: Store,
    state: DurableState,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let config = MarketConfig {
        users: 60,
        items: 90,
        events: 4_000,
        ..MarketConfig::new(5, Timestamp::parse("2026-06-01T00:00:00Z").unwrap())
    };
    let records = Marketplace::generate(&config).unwrap().records;
    store.lock_log().unwrap().append(&records[..usize::try_from(RECORDS).unwrap()]).unwrap();
    let state = DurableState::new(store.clone(), Arc::default());
    World { _folder: folder, store, state }
}

fn bytes_of(state: &FeatureState) -> Vec<u8> {
    let mut bytes = Vec::new();
    state.write_to(&mut bytes).unwrap();
    bytes
}

fn checkpoint(world: &World, at: LogSeq) -> Checkpoint {
    world.state.hold_checkpoints().make(at, &|| false).unwrap()
}

/// The bytes of the state after the last record, and how many records were replayed for it.
fn restored(world: &World) -> (Vec<u8>, u64) {
    let mut replayed = 0;
    let state = world.state.restore(&mut |_| replayed += 1).unwrap();
    assert_eq!(state.log_seq(), LogSeq(RECORDS));
    (bytes_of(&state), replayed)
}

#[test]
fn a_checkpoint_and_its_tail_are_the_whole_log() {
    let world = world();
    let (whole, replayed) = restored(&world);
    assert_eq!(replayed, RECORDS);
    for at in [1_000, 2_000, 2_900] {
        checkpoint(&world, LogSeq(at));
        assert_eq!(restored(&world), (whole.clone(), RECORDS - at));
    }
}

#[test]
fn a_checkpoint_that_is_stopped_leaves_nothing() {
    let world = world();
    let error = world.state.hold_checkpoints().make(LogSeq(2_000), &|| true).unwrap_err();
    assert!(matches!(error, RestoreError::Stopped), "{error}");
    assert!(world.store.checkpoints().unwrap().is_empty());
}

#[test]
fn the_older_checkpoint_is_used_when_the_newest_is_damaged() {
    let world = world();
    let (whole, _) = restored(&world);
    checkpoint(&world, LogSeq(1_000));
    let newest = checkpoint(&world, LogSeq(2_000));
    let path = world.store.dir().join("checkpoints").join(&newest.file);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(restored(&world), (whole.clone(), 2_000));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(restored(&world), (whole, 2_000));
}

#[test]
fn other_event_types_replay_the_log() {
    let world = world();
    checkpoint(&world, LogSeq(2_000));
    let mut types = BTreeMap::from(EventTypes::default());
    types.remove("click");
    let other = DurableState::new(world.store.clone(), Arc::new(EventTypes::parse(types).unwrap()));
    let mut replayed = 0;
    other.restore(&mut |_| replayed += 1).unwrap();
    assert_eq!(replayed, RECORDS);
    // Once the log is cut there is nothing to replay: it says what to do instead.
    world.store.lock_log().unwrap().cut(LogSeq(2_000)).unwrap();
    let error = other.restore(&mut |_| ()).unwrap_err();
    assert!(matches!(error, RestoreError::NoState { start: LogSeq(2_000) }), "{error}");
    assert!(error.to_string().contains("put back the [events]"), "{error}");
}

#[test]
fn a_cut_log_begins_with_its_checkpoint() {
    let world = world();
    let (whole, _) = restored(&world);
    let first = checkpoint(&world, LogSeq(1_500));
    let mut appender = world.store.lock_log().unwrap();
    while appender.cut(first.at.log_seq).unwrap() {}
    for at in [2_000, 2_500, 2_800] {
        checkpoint(&world, LogSeq(at));
        world.store.prune_checkpoints().unwrap();
    }
    assert_eq!(world.state.first().unwrap().log_seq(), LogSeq(1_500));
    assert_eq!(restored(&world), (whole.clone(), 200));
    let positions: Vec<_> = world.store.checkpoints().unwrap().iter().map(|one| one.at.log_seq.0).collect();
    assert_eq!(positions, [2_800, 2_500, 1_500]);
    // Whoever begins where the log begins gets the same.
    let mut state = world.state.first().unwrap();
    world
        .store
        .reader()
        .unwrap()
        .read(state.log_seq(), LogSeq(u64::MAX), |log_seq, record| {
            state.apply(log_seq, &record).unwrap();
            Ok::<_, RestoreError>(())
        })
        .unwrap();
    assert_eq!(bytes_of(&state), whole);
}

fn erase(world: &World, appender: &mut LogAppender, user_id: &UserId) -> Result<usize, RestoreError> {
    world.state.hold_checkpoints().erase(appender, user_id, || ())
}

fn user_7() -> UserId {
    UserId::parse("user-7").unwrap()
}

/// A world whose log begins after record `cut`, with a checkpoint further on.
fn world_cut_at(cut: u64) -> (World, LogAppender) {
    let world = world();
    let mut appender = world.store.lock_log().unwrap();
    if cut > 0 {
        checkpoint(&world, LogSeq(cut));
        while appender.cut(LogSeq(cut)).unwrap() {}
    }
    checkpoint(&world, LogSeq(2_500));
    (world, appender)
}

/// Whether any file below `folder` holds `name`, and no longer name that begins like it.
fn holds(folder: &Path, name: &str) -> bool {
    let name = name.as_bytes();
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return holds(&path, std::str::from_utf8(name).unwrap());
        }
        let bytes = std::fs::read(&path).unwrap();
        bytes.windows(name.len() + 1).any(|at| at.starts_with(name) && !at[name.len()].is_ascii_digit())
    })
}

/// Everybody but him, by number.
fn others(world: &World) -> Vec<Option<UserId>> {
    let state = world.state.restore(&mut |_| ()).unwrap();
    state.users().map(|(number, _)| state.user_id(number).filter(|name| **name != user_7()).cloned()).collect()
}

#[test]
fn an_erasure_that_cannot_write_leaves_a_cut_log_its_begin() {
    let (world, mut appender) = world_cut_at(1_500);
    let before = others(&world);
    // A folder stands where the new checkpoint would be staged.
    let staging = world.store.dir().join("checkpoints").join(format!(".tmp-1500-{}", std::process::id()));
    std::fs::create_dir(&staging).unwrap();
    let erased = world.state.hold_checkpoints().erase(&mut appender, &user_7(), || panic!("too early"));
    assert!(erased.is_err());
    assert_eq!(others(&world), before);
    // What is left of him is found the next time.
    std::fs::remove_dir(&staging).unwrap();
    erase(&world, &mut appender, &user_7()).unwrap();
    assert_eq!(others(&world), before);
    assert!(!holds(world.store.dir(), "user-7"));
}

#[test]
fn an_erased_user_is_nowhere_and_the_others_keep_their_numbers() {
    for cut in [0, 1_500] {
        let (world, mut appender) = world_cut_at(cut);
        let before = world.state.restore(&mut |_| ()).unwrap();
        let names = others(&world);
        let erased = erase(&world, &mut appender, &user_7()).unwrap();
        assert!(erased > 5, "{erased} records");
        assert!(!holds(world.store.dir(), "user-7"), "a store cut at {cut} holds him");
        let after = world.state.restore(&mut |_| ()).unwrap();
        assert!(after.user("user-7").is_none());
        assert_eq!(others(&world), names);
        for (index, item) in before.catalog().iter() {
            assert_eq!(after.catalog().find(item.id.as_str()), Some(index));
        }
    }
}

#[test]
fn an_erasure_that_is_interrupted_anywhere_is_finished_by_the_next() {
    for cut in [0, 1_500] {
        let mut interrupted = 0;
        for write in 0.. {
            let (world, mut appender) = world_cut_at(cut);
            let names = others(&world);
            drop(appender);
            let disk = FaultyDisk::under(world.store.dir()).unwrap();
            appender = world.store.lock_log().unwrap();
            disk.set_fault(Some(Fault::FullAfterWrites(write)));
            let erased = erase(&world, &mut appender, &user_7());
            disk.set_fault(None);
            // As after a kill: all is read again.
            drop(appender);
            assert_eq!(others(&world), names, "cut at {cut}, interrupted at write {write}");
            if erased.is_ok() {
                break;
            }
            interrupted += 1;
            let mut appender = world.store.lock_log().unwrap();
            erase(&world, &mut appender, &user_7()).unwrap();
            assert_eq!(others(&world), names, "cut at {cut}, finished after write {write}");
            assert!(!holds(world.store.dir(), "user-7"), "cut at {cut}, finished after write {write}");
            assert!(world.store.reader().unwrap().verify(&mut |_| ()).unwrap().is_whole());
        }
        assert!(interrupted > 10, "{interrupted} interruptions");
    }
}

#[test]
fn an_erasure_of_nobody_leaves_the_checkpoints() {
    for cut in [0, 1_500] {
        let (world, mut appender) = world_cut_at(cut);
        let before = world.store.checkpoints().unwrap();
        assert_eq!(erase(&world, &mut appender, &UserId::parse("nobody").unwrap()).unwrap(), 0);
        assert_eq!(world.store.checkpoints().unwrap(), before);
        restored(&world);
    }
}

#[test]
fn a_user_who_comes_back_is_another_one_and_can_be_erased_again() {
    let (world, mut appender) = world_cut_at(0);
    let names = others(&world);
    erase(&world, &mut appender, &user_7()).unwrap();
    let event = Event {
        event_id: None,
        user_id: user_7(),
        item_id: ItemId::parse("item-1").unwrap(),
        event_type: "click".to_owned(),
        value: None,
        timestamp: Timestamp::parse("2026-06-20T00:00:00Z").unwrap(),
        request_id: None,
        position: None,
        context: Attributes::default(),
    };
    appender.append(&[LogRecord::Event(event)]).unwrap();
    assert_eq!(erase(&world, &mut appender, &user_7()).unwrap(), 1);
    assert_eq!(others(&world), [&names[..], &[None]].concat());
}
