use std::sync::Arc;

use proptest::prelude::*;
use shortlist_types::{
    Attributes, Event, EventTypes, Item, ItemId, LogRecord, LogSeq, Timestamp, Unlimited, User, UserId,
};

use super::*;

fn event(user: u8, item: u8, event_type: &str, second: i64) -> LogRecord {
    LogRecord::Event(Event {
        event_id: None,
        user_id: UserId::parse(&format!("u{user}")).unwrap(),
        item_id: ItemId::parse(&format!("i{item}")).unwrap(),
        event_type: event_type.to_owned(),
        value: None,
        timestamp: Timestamp::from_seconds(second).unwrap(),
        request_id: None,
        position: None,
        context: Attributes::default(),
    })
}

fn attributes(json: &str) -> Attributes {
    serde_json::from_str(json).unwrap()
}

fn item(id: u8, json: &str) -> LogRecord {
    let item = Item {
        item_id: ItemId::parse(&format!("i{id}")).unwrap(),
        attributes: attributes(json),
        available: true,
        embedding: None,
    };
    LogRecord::ItemPut { timestamp: Timestamp::EPOCH, item }
}

fn user(id: u8, json: &str) -> LogRecord {
    let user = User { user_id: UserId::parse(&format!("u{id}")).unwrap(), attributes: attributes(json) };
    LogRecord::UserPut { timestamp: Timestamp::EPOCH, user }
}

fn fold(records: &[LogRecord]) -> FeatureState {
    let mut state = FeatureState::new(Arc::new(EventTypes::default()));
    for (seq, record) in (1..).zip(records) {
        state.apply(LogSeq(seq), record).unwrap();
    }
    state
}

/// The default features and one of each kind beside them.
fn every_kind() -> FeatureSchema {
    let json = r#"{
        "x_genre_trend": {"kind": "text_trend", "attribute": "genre", "half_life_days": 7},
        "x_genre_time": {"kind": "text_time", "attribute": "genre", "part": "day"},
        "x_genre_affinity": {"kind": "affinity", "attribute": "genre", "half_life_days": 90},
        "x_genre_liking": {"kind": "liking", "attribute": "genre"},
        "x_price_distance": {"kind": "number_distance", "attribute": "price"},
        "x_audience": {"kind": "audience", "attribute": "country"},
        "x_text_audience": {"kind": "text_audience", "attribute": "country", "half_life_days": 30},
        "x_price": {"kind": "item_number", "attribute": "price"},
        "x_western": {"kind": "item_has", "attribute": "genre", "value": "western"},
        "x_user_age": {"kind": "user_number", "attribute": "age"},
        "x_user_chile": {"kind": "user_has", "attribute": "country", "value": "chile"},
        "x_hurry": {"kind": "context_number", "attribute": "hurry"},
        "x_phone": {"kind": "context_has", "attribute": "device", "value": "phone"},
        "x_night": {"kind": "hours", "from": 22, "to": 6},
        "x_weekend": {"kind": "weekdays", "days": ["saturday", "sunday"]},
        "x_western_in_chile": {"kind": "cross", "of": ["x_western", "x_user_chile"]}
    }"#;
    serde_json::from_str(json).unwrap()
}

/// The rows of `items` as `user` would get them at `second`.
fn rows(state: &FeatureState, user: &UserState, context: &Attributes, items: &[u32], second: i64) -> Vec<Vec<f32>> {
    let schema = every_kind();
    let signals: Vec<_> = items.iter().map(|item| CandidateSignals::unknown(ItemIdx(*item))).collect();
    let candidates = CandidateList { all: &signals, scale: items.len(), similar_to: 0 };
    let now = Timestamp::from_seconds(second).unwrap();
    let (mut best, mut plain) = (FeatureScratch::default(), FeatureScratch::default());
    let features = RequestFeatures::new(&schema, state, user, context, now);
    assert!(features.rows(candidates, &Unlimited, &mut best));
    assert!(features.rows_by(Arch::Scalar, candidates, &Unlimited, &mut plain));
    let bits = |scratch: &FeatureScratch| scratch.rows.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&best), bits(&plain), "every instruction set gives the same bits");
    best.rows.chunks_exact(schema.width()).map(<[f32]>::to_vec).collect()
}

fn feature(row: &[f32], name: &str) -> f32 {
    row[every_kind().position(name).unwrap()]
}

#[test]
fn a_user_leans_to_the_texts_and_numbers_of_what_he_wants() {
    let mut records = vec![
        item(0, r#"{"genre":["western"],"price":10}"#),
        item(1, r#"{"genre":["western"],"price":12}"#),
        item(2, r#"{"genre":["romance"],"price":900}"#),
        item(3, r#"{"genre":["romance"],"price":1000}"#),
    ];
    records.extend([event(1, 0, "click", 10), event(2, 3, "click", 10), event(1, 3, "hide", 11)]);
    let state = fold(&records);
    let rows = rows(&state, state.user("u1").unwrap(), &Attributes::default(), &[1, 2], 20);
    for (name, sign) in [
        ("affinity", 1.0),
        ("affinity_1d", 1.0),
        ("x_genre_affinity", 1.0),
        ("liking", 1.0),
        ("x_genre_liking", 1.0),
        ("number_distance", -1.0),
        ("x_price_distance", -1.0),
        ("x_western", 1.0),
        ("x_price", -1.0),
    ] {
        let [western, romance] = [&rows[0], &rows[1]].map(|row| feature(row, name) * sign);
        assert!(western > romance + 0.1, "{name}: {western} {romance}");
    }
}

#[test]
fn what_users_of_a_kind_want_shows_for_items_and_for_texts() {
    let mut records: Vec<_> = (0..4).map(|n| item(n, &format!(r#"{{"genre":"g{}"}}"#, n % 2))).collect();
    records.extend((0..20).map(|n| user(n, if n < 10 { r#"{"country":"chile"}"# } else { r#"{"country":"peru"}"# })));
    records.extend((1..20).map(|n| event(n, u8::from(n >= 10), "click", i64::from(n))));
    let state = fold(&records);
    // Item 2 is of the genre that users in Chile want, item 3 of the other; nobody ever had either.
    let rows = rows(&state, state.user("u0").unwrap(), &Attributes::default(), &[0, 1, 2, 3], 20);
    for name in ["audience", "x_audience"] {
        assert!(feature(&rows[0], name) > feature(&rows[1], name), "{name}");
    }
    for (a, b) in [(0, 1), (2, 3)] {
        assert!(feature(&rows[a], "text_audience") > feature(&rows[b], "text_audience"));
    }
}

#[test]
fn the_time_and_the_context_are_the_same_for_all_candidates() {
    let state = fold(&[item(0, r#"{"genre":"western"}"#), item(1, "{}"), user(1, r#"{"country":"chile","age":30}"#)]);
    let context = attributes(r#"{"device":"phone","hurry":-3}"#);
    // A Saturday at 23:00.
    let second = Timestamp::parse("2026-11-28T23:00:00Z").unwrap().as_micros() / 1_000_000;
    let rows = rows(&state, state.user("u1").unwrap(), &context, &[0, 1], second);
    for row in &rows {
        for name in ["x_night", "x_weekend", "x_phone", "x_user_chile"] {
            assert_eq!(feature(row, name).to_bits(), 1.0_f32.to_bits(), "{name}");
        }
        assert!((feature(row, "x_hurry") + 4.0_f32.ln()).abs() < 1e-6);
        assert!((feature(row, "x_user_age") - 31.0_f32.ln()).abs() < 1e-6);
    }
    let crossed: Vec<f32> = rows.iter().map(|row| feature(row, "x_western_in_chile")).collect();
    assert_eq!(crossed, rows.iter().map(|row| feature(row, "x_western")).collect::<Vec<_>>());
    assert!(crossed[0] > crossed[1]);
}

#[test]
fn an_item_that_the_state_does_not_know_has_finite_features() {
    let state = fold(&[event(1, 1, "click", 1)]);
    let rows = rows(&state, &UserState::default(), &Attributes::default(), &[0, 99], 5);
    assert!(rows.iter().flatten().all(|x| x.is_finite()));
}

#[test]
fn a_row_does_not_depend_on_candidates_beyond_the_scale() {
    let records: Vec<_> = (0..6).map(|n| event(n, n, "click", i64::from(n) * 90_000)).collect();
    let state = fold(&records);
    let schema = FeatureSchema::default();
    let signals: Vec<_> = (0..6).map(|item| CandidateSignals::unknown(ItemIdx(item))).collect();
    let of = |all: &[CandidateSignals]| {
        let (user, context) = (UserState::default(), Attributes::default());
        let mut scratch = FeatureScratch::default();
        let now = Timestamp::from_seconds(999_999).unwrap();
        let list = CandidateList { all, scale: 4, similar_to: 0 };
        RequestFeatures::new(&schema, &state, &user, &context, now).rows(list, &Unlimited, &mut scratch);
        scratch.rows
    };
    assert_eq!(of(&signals[..4]), of(&signals)[..4 * schema.width()]);
}

fn any_record() -> impl Strategy<Value = LogRecord> {
    let times = prop_oneof![0..2_000_000_000_i64, Just(-62_135_596_800), Just(253_370_764_799)];
    let events = (0..6_u8, 0..9_u8, 0..7_usize, times).prop_map(|(user, id, kind, time)| {
        let kind = EventTypes::default().iter().nth(kind).unwrap().0.to_owned();
        event(user, id, &kind, time)
    });
    let numbers = || any::<f64>().prop_filter("JSON has finite numbers only", |x| x.is_finite());
    let items = (0..9_u8, "[a-c]", numbers())
        .prop_map(|(id, label, number)| item(id, &format!(r#"{{"genre":["{label}"],"price":{number:?},"b":true}}"#)));
    let users = (0..6_u8, "[a-c]", numbers())
        .prop_map(|(id, label, number)| user(id, &format!(r#"{{"country":"{label}","age":{number:?}}}"#)));
    prop_oneof![4 => events, 1 => items, 1 => users]
}

proptest! {
    #[test]
    fn features_are_finite_for_any_log(records in prop::collection::vec(any_record(), 1..60), second in 0..2_000_000_000_i64, hurry in any::<f64>()) {
        let state = fold(&records);
        let empty = UserState::default();
        let hurry = if hurry.is_finite() { hurry } else { 0.0 };
        let context = attributes(&format!(r#"{{"device":"phone","hurry":{hurry:?}}}"#));
        for user in ["u0", "u1", "u2"].map(|id| state.user(id).unwrap_or(&empty)) {
            let rows = rows(&state, user, &context, &(0..10).collect::<Vec<_>>(), second);
            for (name, value) in rows.iter().flat_map(|row| every_kind().names().map(str::to_owned).zip(row.clone()).collect::<Vec<_>>()) {
                prop_assert!(value.is_finite(), "{name}: {value}");
            }
        }
    }
}
