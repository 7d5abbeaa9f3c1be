use std::sync::Arc;

use shortlist_embedding::TasteScratch;
use shortlist_features::FeatureState;
use shortlist_ranking::Ids;
use shortlist_types::{EventTypes, Item, ItemIdx, LogRecord, LogSeq, Timestamp, User, UserId};

use super::*;
use crate::{About, Request, RequestContext};

fn schema(json: &str) -> Result<CategorySchema, serde_json::Error> {
    serde_json::from_str(json)
}

fn state(items: &[&str], user: &str) -> FeatureState {
    let mut state = FeatureState::new(Arc::new(EventTypes::default()));
    let timestamp = Timestamp::EPOCH;
    let items = items.iter().map(|json| serde_json::from_str::<Item>(json).unwrap());
    let user: User = serde_json::from_str(user).unwrap();
    let records = items.map(|item| LogRecord::ItemPut { timestamp, item });
    let records = records.chain([LogRecord::UserPut { timestamp, user }]);
    for (log_seq, record) in (1..).map(LogSeq).zip(records) {
        state.apply(log_seq, &record).unwrap();
    }
    state
}

fn request(device: Option<&str>) -> Request {
    let context = device.map_or_else(|| "{}".to_owned(), |device| format!(r#"{{"device":"{device}"}}"#));
    Request { context: serde_json::from_str(&context).unwrap(), ..Request::of(UserId::parse("u").unwrap(), 3) }
}

fn context<'a>(state: &'a FeatureState, request: &Request) -> RequestContext<'a> {
    RequestContext::gather(state, None, About::User, &[], request, Timestamp::EPOCH, &mut TasteScratch::default())
        .unwrap()
}

/// Items with a genre, several, none, one of the wrong type; prices that are there and not.
const ITEMS: [&str; 4] = [
    r#"{"item_id":"a","attributes":{"genre":["x","y"],"price":10}}"#,
    r#"{"item_id":"b","attributes":{"genre":"x","price":1000}}"#,
    r#"{"item_id":"c"}"#,
    r#"{"item_id":"d","attributes":{"genre":"7","price":"dear"}}"#,
];
const USER: &str = r#"{"user_id":"u","attributes":{"gender":"f"}}"#;
const ALL: &str = r#"{
    "device": {"of": "context", "attribute": "device", "count_min": 1},
    "gender": {"of": "user", "attribute": "gender", "count_min": 1},
    "genre": {"of": "item", "attribute": "genre", "count_min": 1},
    "hashed": {"of": "item", "attribute": "genre", "encoding": "hashing", "ids": 8},
    "item": {"of": "item", "attribute": "item_id", "count_min": 2},
    "price": {"of": "item", "attribute": "price", "encoding": "quantiles", "ids": 2},
    "price_text": {"of": "item", "attribute": "price", "count_min": 1}
}"#;

fn items() -> impl Iterator<Item = ItemIdx> + Clone {
    (0..4).map(ItemIdx)
}

/// Encoders fitted to a request for all items, and the ids of those rows.
fn fitted(state: &FeatureState) -> (CategoryEncoders, Vec<Vec<Vec<u32>>>) {
    let (schema, request) = (schema(ALL).unwrap(), request(Some("phone")));
    let context = context(state, &request);
    let mut raw = RawCategories::new(&schema);
    let rows: Vec<RawRow> = items().map(|item| raw.read(&context, item).unwrap()).collect();
    assert!(raw.read(&context, ItemIdx(99)).is_none());
    let encoders = CategoryEncoders::fit(&schema, &raw, &rows).unwrap();
    let mut ids = Vec::new();
    encoders
        .encode_rows(&raw, &rows, |_, row| {
            ids.push(row.iter().map(|ids| ids.to_vec()).collect());
            Ok::<_, ()>(())
        })
        .unwrap();
    (encoders, ids)
}

/// The ids of each candidate by category, as a model reads them in serving.
fn served(encoders: &CategoryEncoders, state: &FeatureState, request: &Request) -> Vec<Vec<Vec<u32>>> {
    let mut ids = CategoryIds::default();
    encoders.encode(&context(state, request), items(), &mut ids);
    let of = |column: &Ids<'_>, candidate: usize| match *column {
        Ids::Shared(ids) => ids.to_vec(),
        Ids::Each(ids) => vec![ids[candidate]],
        Ids::Lists { ids, ends } => {
            let start = candidate.checked_sub(1).map_or(0, |before| ends[before] as usize);
            ids[start..ends[candidate] as usize].to_vec()
        }
    };
    (0..4).map(|candidate| ids.columns().iter().map(|column| of(column, candidate)).collect()).collect()
}

#[test]
fn serving_encodes_what_training_encoded() {
    let state = state(&ITEMS, USER);
    let (encoders, trained) = fitted(&state);
    let names: Vec<String> = encoders.categories().into_iter().map(|category| category.name).collect();
    assert_eq!(names, ["device", "gender", "genre", "hashed", "item", "price", "price_text"]);
    assert_eq!(served(&encoders, &state, &request(Some("phone"))), trained);
    // The same by the numbers that the fold gives texts.
    encoders.number_texts(state.catalog());
    assert_eq!(served(&encoders, &state, &request(Some("phone"))), trained);
    // x twice, y and 7 once: the most frequent first; no item id stands twice; a text is no price.
    let of = |candidate: usize, category: usize| trained[candidate][category].clone();
    assert_eq!((0..4).map(|item| of(item, 2)).collect::<Vec<_>>(), [vec![1, 2], vec![1], vec![], vec![3]]);
    assert_eq!((0..4).map(|item| of(item, 4)).collect::<Vec<_>>(), [[0], [0], [0], [0]]);
    assert_eq!((0..4).map(|item| of(item, 5)).collect::<Vec<_>>(), [[1], [2], [0], [0]]);
    assert_eq!((of(0, 0), of(0, 1)), (vec![1], vec![1]));
    let bounds = encoders.categories();
    assert!(
        trained.iter().flatten().zip(bounds.iter().cycle()).all(|(ids, c)| ids.iter().all(|id| (*id as usize) < c.ids))
    );
}

#[test]
fn what_training_never_met_is_unknown_and_nothing_given_is_none() {
    let (encoders, _) = fitted(&state(&ITEMS, USER));
    let new = r#"{"item_id":"a","attributes":{"genre":"new","price":-1e300}}"#;
    let later = state(&[ITEMS[1], ITEMS[2], ITEMS[3], new], r#"{"user_id":"u","attributes":{"gender":true}}"#);
    let ids = served(&encoders, &later, &request(None));
    // Texts that were numbered before, and one that came later.
    encoders.number_texts(state(&ITEMS[1..], USER).catalog());
    assert_eq!(served(&encoders, &later, &request(None)), ids);
    assert_eq!(ids[3][..3], [vec![], vec![0], vec![0]]);
    assert_eq!(ids[3][5], [1], "far below all that training met");
    // From its file an encoder is the same.
    let again: CategoryEncoders = serde_json::from_str(&serde_json::to_string(&encoders).unwrap()).unwrap();
    assert_eq!(served(&again, &later, &request(None)), ids);
}

#[test]
fn what_cannot_be_a_category_is_refused_by_name() {
    for (json, expected) in [
        (r#"{"x": {"of": "shop", "attribute": "a"}}"#, "unknown variant `shop`"),
        (r#"{"x": {"of": "item"}}"#, "missing field `attribute`"),
        (r#"{"x": {"of": "item", "attribute": ""}}"#, "x.attribute: must be 1 to"),
        (r#"{"x": {"of": "item", "attribute": "a", "ids": 1}}"#, "x.ids: must be 2 to 1000000, got 1"),
        (r#"{"x": {"of": "item", "attribute": "a", "count_min": 0}}"#, "x.count_min"),
        (r#"{"x": {"of": "item", "attribute": "a", "buckets": 3}}"#, "unknown field `buckets`"),
    ] {
        let error = schema(json).unwrap_err().to_string();
        assert!(error.contains(expected), "{json}: {error}");
    }
}
