//! A state comes back from its bytes bit for bit, and goes on as if it had never been away.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "functions beside the tests are tests too")]

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use proptest::prelude::*;
use shortlist_features::{FeatureState, StateError};
use shortlist_types::{
    AttributeValue, Attributes, Embedding, Event, EventTypes, Item, ItemId, ItemPatch, LogRecord, LogSeq, Timestamp,
    User, UserId,
};

fn attributes(n: u32) -> Attributes {
    let genres = (0..n % 4).map(|g| format!("genre-{g}")).collect();
    let pairs = [
        ("genre", AttributeValue::List(genres)),
        ("adult", AttributeValue::Bool(n.is_multiple_of(2))),
        ("price", AttributeValue::Number(f64::from(n) / 3.0)),
        ("country", AttributeValue::Text(format!("land-{}", n % 5))),
    ];
    Attributes::parse(pairs.map(|(name, value)| (name.to_owned(), value))).unwrap()
}

/// Record `n` of a small world in which everything happens.
fn record(n: u32) -> LogRecord {
    let timestamp = Timestamp::from_seconds(1_700_000_000 + i64::from(n) * 977).unwrap();
    let item_id = ItemId::parse(&format!("item-{}", n * 7 % 41)).unwrap();
    let user_id = UserId::parse(&format!("user-{}", n * 5 % 17)).unwrap();
    match n % 12 {
        0 => LogRecord::ItemPut {
            timestamp,
            item: Item {
                item_id,
                attributes: attributes(n),
                available: !n.is_multiple_of(5),
                embedding: n.is_multiple_of(24).then(|| Embedding::parse(vec![n as f32, 1.0]).unwrap()),
            },
        },
        5 => LogRecord::ItemPatch {
            timestamp,
            patch: ItemPatch {
                item_id,
                attributes: attributes(n + 1),
                remove: vec!["price".to_owned()],
                available: n.is_multiple_of(2).then_some(true),
            },
        },
        1 => LogRecord::UserPut { timestamp, user: User { user_id, attributes: attributes(n) } },
        2 if n % 36 == 2 => LogRecord::ItemDelete { timestamp, item_id },
        3 if n % 60 == 3 => LogRecord::UserDelete { timestamp, user_id },
        4 => LogRecord::Erased { timestamp, item_id: Some(item_id), new_user: n % 24 == 4 },
        kind => LogRecord::Event(Event {
            event_id: None,
            user_id,
            item_id,
            event_type: ["impression", "view", "click", "rating", "hide", "sneeze"][kind as usize % 6].to_owned(),
            value: (kind % 6 == 3).then_some((n % 5) as f32),
            timestamp,
            request_id: None,
            position: None,
            context: Attributes::default(),
        }),
    }
}

fn fold(state: &mut FeatureState, records: std::ops::Range<u32>) {
    for n in records {
        state.apply(LogSeq(u64::from(n) + 1), &record(n)).unwrap();
    }
}

fn bytes_of(state: &FeatureState) -> Vec<u8> {
    let mut bytes = Vec::new();
    state.write_to(&mut bytes).unwrap();
    bytes
}

fn back(state: &FeatureState) -> FeatureState {
    FeatureState::read_from(&bytes_of(state), Arc::new(state.event_types().clone())).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_state_comes_back_and_goes_on(before in 0..600_u32, after in 0..300_u32) {
        let mut state = FeatureState::new(Arc::default());
        fold(&mut state, 0..before);
        let mut again = back(&state);
        prop_assert_eq!(&again, &state);
        prop_assert_eq!(bytes_of(&again), bytes_of(&state));
        fold(&mut state, before..before + after);
        fold(&mut again, before..before + after);
        prop_assert_eq!(bytes_of(&again), bytes_of(&state));
        prop_assert_eq!(again, state);
    }

    #[test]
    fn cut_or_changed_bytes_are_no_panic(at in 0..10_000_usize, byte in any::<u8>()) {
        let mut state = FeatureState::new(Arc::default());
        fold(&mut state, 0..200);
        let mut bytes = bytes_of(&state);
        let at = at % bytes.len();
        prop_assert!(FeatureState::read_from(&bytes[..at], Arc::default()).is_err());
        bytes[at] = byte;
        let _ = FeatureState::read_from(&bytes, Arc::default());
    }
}

/// Other bytes for the same log mean that checkpoints of before must not be read: raise `FORMAT` in
/// checkpoint.rs, then take the new number here.
#[test]
fn the_bytes_of_a_format_stay_what_they_are() {
    let mut state = FeatureState::new(Arc::default());
    fold(&mut state, 0..600);
    let schema = FeatureState::schema(&EventTypes::default());
    let hash = xxhash_rust::xxh3::xxh3_64(&bytes_of(&state));
    assert_eq!(format!("{schema} {hash:016x}"), "fold-4-51103f061d315504 e2e80aaf6dbea74f");
}

#[test]
fn bytes_that_follow_are_refused() {
    let mut bytes = bytes_of(&FeatureState::new(Arc::default()));
    bytes.push(0);
    assert!(matches!(FeatureState::read_from(&bytes, Arc::default()), Err(StateError::Trailing(1))));
}

#[test]
fn a_writer_that_fails_is_heard() {
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::new(io::ErrorKind::StorageFull, "no space"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = FeatureState::new(Arc::default()).write_to(&mut Full).unwrap_err();
    assert!(matches!(error, StateError::Io(error) if error.kind() == io::ErrorKind::StorageFull));
}

#[test]
fn other_event_types_are_another_schema() {
    let mut types = BTreeMap::from(EventTypes::default());
    types.get_mut("click").unwrap().weight = 1.25;
    let other = EventTypes::parse(types).unwrap();
    assert_ne!(FeatureState::schema(&other), FeatureState::schema(&EventTypes::default()));
}
