//! However a state is found, by the whole log, by a checkpoint and a tail, or from where a cut log begins,
//! it is the same, bit for bit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "functions beside the tests are tests too")]

use std::collections::BTreeMap;
use std::sync::Arc;

use shortlist_features::FeatureState;
use shortlist_recommender::{DurableState, RestoreError};
use shortlist_simulator::{MarketConfig, Marketplace};
use shortlist_store::Store;
use shortlist_types::{EventTypes, LogSeq, Timestamp, UserId};

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
        world.state.checkpoint(LogSeq(at), &|| false).unwrap();
        assert_eq!(restored(&world), (whole.clone(), RECORDS - at));
    }
}

#[test]
fn a_checkpoint_that_is_stopped_leaves_nothing() {
    let world = world();
    let error = world.state.checkpoint(LogSeq(2_000), &|| true).unwrap_err();
    assert!(matches!(error, RestoreError::Stopped), "{error}");
    assert!(world.store.checkpoints().unwrap().is_empty());
}

#[test]
fn the_older_checkpoint_is_used_when_the_newest_is_damaged() {
    let world = world();
    let (whole, _) = restored(&world);
    world.state.checkpoint(LogSeq(1_000), &|| false).unwrap();
    let newest = world.state.checkpoint(LogSeq(2_000), &|| false).unwrap();
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
    world.state.checkpoint(LogSeq(2_000), &|| false).unwrap();
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
    let first = world.state.checkpoint(LogSeq(1_500), &|| false).unwrap();
    let mut appender = world.store.lock_log().unwrap();
    while appender.cut(first.at.log_seq).unwrap() {}
    for at in [2_000, 2_500, 2_800] {
        world.state.checkpoint(LogSeq(at), &|| false).unwrap();
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

#[test]
fn an_erasure_that_cannot_write_leaves_a_cut_log_its_begin() {
    let world = world();
    world.state.checkpoint(LogSeq(1_500), &|| false).unwrap();
    let mut appender = world.store.lock_log().unwrap();
    while appender.cut(LogSeq(1_500)).unwrap() {}
    let before = restored(&world);
    // A folder stands where the new checkpoint would be staged.
    let staging = format!(".tmp-1500-{}", std::process::id());
    std::fs::create_dir(world.store.dir().join("checkpoints").join(staging)).unwrap();
    assert!(world.state.forget_in_checkpoints(&UserId::parse("user-7").unwrap()).is_err());
    assert_eq!(restored(&world), before);
}

#[test]
fn an_erased_user_is_in_no_checkpoint_and_the_others_keep_their_numbers() {
    for cut in [0, 1_500] {
        let world = world();
        let before = world.state.restore(&mut |_| ()).unwrap();
        let mut appender = world.store.lock_log().unwrap();
        if cut > 0 {
            world.state.checkpoint(LogSeq(cut), &|| false).unwrap();
            while appender.cut(LogSeq(cut)).unwrap() {}
        }
        world.state.checkpoint(LogSeq(2_500), &|| false).unwrap();
        let user_id = UserId::parse("user-7").unwrap();
        let erased = world.state.erase(&mut appender, &user_id).unwrap();
        assert!(erased > 5, "{erased} records");
        let name = user_id.as_str().as_bytes();
        for entry in std::fs::read_dir(world.store.dir().join("checkpoints")).into_iter().flatten() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            // Names end where the next field begins.
            let found =
                bytes.windows(name.len() + 1).any(|at| at.starts_with(name) && !at[name.len()].is_ascii_digit());
            assert!(!found, "a checkpoint of a log cut at {cut} holds him");
        }
        let after = world.state.restore(&mut |_| ()).unwrap();
        assert!(after.user("user-7").is_none());
        for (number, _) in before.users() {
            let name = before.user_id(number).unwrap();
            assert!(name == &user_id || after.user_id(number) == Some(name), "{name} has another number");
        }
        for (index, item) in before.catalog().iter() {
            assert_eq!(after.catalog().find(item.id.as_str()), Some(index));
        }
    }
}
