//! The sets of items that the catalogue keeps are those that a look at every item finds.
#![allow(clippy::unwrap_used)] // a test that cannot go on fails

use std::collections::BTreeSet;

use proptest::prelude::*;
use shortlist_features::{AttributeKey, Catalog, FeatureState};
use shortlist_types::{AttributeValue, Attributes, Event, Item, ItemId, LogRecord, LogSeq, Timestamp, UserId};

const NAMES: [&str; 3] = ["genre", "adult", "brand"];
const TEXTS: [&str; 4] = ["x", "y", "true", ""];

fn any_value() -> impl Strategy<Value = AttributeValue> {
    let text = || prop::sample::select(&TEXTS[..]).prop_map(str::to_owned);
    prop_oneof![
        any::<bool>().prop_map(AttributeValue::Bool),
        text().prop_map(AttributeValue::Text),
        prop::collection::vec(text(), 0..4).prop_map(AttributeValue::List),
        Just(AttributeValue::Number(1.0)),
    ]
}

fn any_attributes() -> impl Strategy<Value = Attributes> {
    let name = prop::sample::select(&NAMES[..]).prop_map(str::to_owned);
    prop::collection::btree_map(name, any_value(), 0..4).prop_map(|pairs| Attributes::parse(pairs).unwrap())
}

fn event(item_id: ItemId, event_type: &str) -> LogRecord {
    LogRecord::Event(Event {
        event_id: None,
        user_id: UserId::parse("u").unwrap(),
        item_id,
        event_type: event_type.to_owned(),
        value: None,
        timestamp: Timestamp::EPOCH,
        request_id: None,
        position: None,
        context: Attributes::default(),
    })
}

/// Few items, so that records meet: an item is put, changed, hidden, deleted, put back and clicked.
fn any_record() -> impl Strategy<Value = LogRecord> {
    let id = || (0..6_u8).prop_map(|n| ItemId::parse(&format!("i{n}")).unwrap());
    let timestamp = Timestamp::EPOCH;
    prop_oneof![
        4 => (id(), any_attributes(), any::<bool>()).prop_map(move |(item_id, attributes, available)| {
            LogRecord::ItemPut { timestamp, item: Item { item_id, attributes, available, embedding: None } }
        }),
        2 => id().prop_map(move |item_id| LogRecord::ItemDelete { timestamp, item_id }),
        1 => (id(), prop::sample::select(vec!["click", "sneeze"])).prop_map(|(id, event_type)| event(id, event_type)),
    ]
}

/// Compares every set with a look at all items.
fn check(catalog: &Catalog) -> Result<(), TestCaseError> {
    let recommendable = catalog.iter().map(|(index, _)| index).filter(|index| catalog.is_recommendable(*index));
    let recommendable: Vec<u32> = recommendable.map(|index| index.0).collect();
    prop_assert_eq!(catalog.recommendable().iter().collect::<Vec<_>>(), recommendable);
    let keys = || TEXTS.map(AttributeKey::Text).into_iter().chain([true, false].map(AttributeKey::Bool));
    for (name, key) in NAMES.into_iter().flat_map(|name| keys().map(move |key| (name, key))) {
        let here = catalog.iter().filter(|(_, item)| !item.deleted);
        let having = here.filter(|(_, item)| match key {
            AttributeKey::Bool(bool) => item.attributes.get(name) == Some(&AttributeValue::Bool(bool)),
            AttributeKey::Text(text) => item.attributes.labels(name).any(|label| label == text),
        });
        let having: BTreeSet<u32> = having.map(|(index, _)| index.0).collect();
        let kept = catalog.items_with(name, key).map(|items| items.iter().collect());
        prop_assert_eq!(kept, Some(having.clone()), "{} {:?}", name, key);
        let asked = catalog.iter().filter(|(_, item)| !item.deleted && item.has(name, key));
        prop_assert_eq!(asked.map(|(index, _)| index.0).collect::<BTreeSet<_>>(), having);
    }
    Ok(())
}

proptest! {
    #[test]
    fn sets_are_what_a_look_at_every_item_finds(records in prop::collection::vec(any_record(), 1..60)) {
        let mut state = FeatureState::new(std::sync::Arc::default());
        for (seq, record) in (1..).zip(&records) {
            state.apply(LogSeq(seq), record).unwrap();
            check(state.catalog())?;
        }
    }
}
