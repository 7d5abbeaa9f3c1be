use std::sync::Arc;

use proptest::prelude::*;
use shortlist_features::FeatureState;
use shortlist_types::{EventTypes, Item, ItemIdx, LogRecord, LogSeq, Timestamp};

use super::*;

fn state(attributes: &[&str]) -> FeatureState {
    let mut state = FeatureState::new(Arc::new(EventTypes::default()));
    for (number, attributes) in (1_u64..).zip(attributes) {
        let item: Item =
            serde_json::from_str(&format!(r#"{{"item_id":"i{number}","attributes":{attributes}}}"#)).unwrap();
        state.apply(LogSeq(number), &LogRecord::ItemPut { timestamp: Timestamp::EPOCH, item }).unwrap();
    }
    state
}

/// Everything that a value may be, and nothing at all.
fn shop() -> FeatureState {
    state(&[
        r#"{"genre":["Drama","Crime"],"price":10,"adult":false}"#,
        r#"{"genre":"Drama","price":20.5,"adult":true}"#,
        r#"{"genre":"Comedy","price":-3,"title":"It's \"so\" good"}"#,
        r#"{"genre":7,"price":"cheap","adult":"true"}"#,
        "{}",
    ])
}

fn held(state: &FeatureState, text: &str) -> Vec<u32> {
    let expression = Expression::parse(text).unwrap();
    let catalog = state.catalog();
    let held: Vec<u32> = catalog.iter().filter(|(_, item)| expression.holds(item)).map(|(item, _)| item.0).collect();
    // As a set it is the same, and as it prints itself.
    let set = expression.allow_set(catalog).unwrap();
    assert!(set.exact && set.items.iter().eq(held.iter().copied()), "{text}: {set:?}");
    assert_eq!(Expression::parse(&expression.to_string()).unwrap().to_string(), expression.to_string());
    held
}

#[test]
fn each_comparison_finds_what_it_says() {
    let shop = shop();
    for (text, expected) in [
        (r#"genre = "Drama""#, vec![0, 1]),
        (r"genre == 'Comedy'", vec![2]),
        (r#"genre != "Drama""#, vec![2, 3]),
        (r#"not genre = "Drama""#, vec![2, 3, 4]),
        (r#"genre in ["Crime", "Comedy"]"#, vec![0, 2]),
        (r#"genre not in ["Crime", "Comedy"]"#, vec![1, 3]),
        ("genre = 7", vec![3]),
        ("price < 20.5", vec![0, 2]),
        ("price <= 20.5", vec![0, 1, 2]),
        ("price > -3", vec![0, 1]),
        ("price >= -3.0", vec![0, 1, 2]),
        ("price between -3 and 10", vec![0, 2]),
        ("price in [10, 20.5]", vec![0, 1]),
        ("adult", vec![1]),
        ("not adult", vec![0, 2, 3, 4]),
        ("adult = false", vec![0]),
        (r#"adult = "true""#, vec![3]),
        ("`adult`", vec![1]),
        (r#"genre = "Drama" and price > 15 or genre = "Comedy""#, vec![1, 2]),
        (r#"genre = "Drama" and (price > 15 or genre = "Crime")"#, vec![0, 1]),
        ("NOT adult AND price < 5", vec![2]),
        (r#"title = "It's \"so\" good""#, vec![2]),
        ("color", vec![]),
        ("not color", vec![0, 1, 2, 3, 4]),
    ] {
        assert_eq!(held(&shop, text), expected, "{text}");
    }
}

#[test]
fn errors_point_at_the_place() {
    for (text, expected) in [
        ("", "expected an attribute, not or a bracket at character 1, got the end"),
        ("price <", "expected a number at character 8, got the end"),
        ("price < cheap", "expected a number at character 9, got \"cheap\""),
        ("price < 1e999", "expected a finite number at character 9, got \"1e999\""),
        ("genre = Drama", "expected a text in quotes, a number, true or false at character 9, got \"Drama\""),
        ("genre = \"Drama", "expected a quote that closes at character 9"),
        ("größe > 3 und x", "expected and, or, or the end at character 11, got \"und x\""),
        ("(a or b", "expected a closing bracket at character 8, got the end"),
        ("a in (1)", "expected a list in square brackets at character 6"),
        ("a in [1 2]", "expected a comma or a closing square bracket at character 9"),
        ("a in []", "expected a text in quotes"),
        ("a between 1 or 2", "expected and at character 13"),
        ("a not b", "expected in at character 7"),
        ("and", "expected an attribute"),
        ("a ; drop", "expected a name, a value or a sign at character 3, got \"; drop\""),
    ] {
        let error = Expression::parse(text).unwrap_err().to_string();
        assert!(error.starts_with("filter: ") && error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let deep = format!("{}a{}", "(".repeat(40), ")".repeat(40));
    let wide = format!("a in [{}]", vec!["1"; 1_001].join(","));
    let long = format!("a = \"{}\"", "x".repeat(20_000));
    let nots = format!("{} a", "not ".repeat(5_000 / 4));
    for (text, expected) in [(deep, "32 deep"), (wide, "1000 values"), (long, "16384 bytes"), (nots, "32 deep")] {
        let error = Expression::parse(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn large_catalogues_keep_sets_where_there_are_some() {
    let items: Vec<String> = (0..30_000).map(|i| format!(r#"{{"genre":"g{}","price":{}}}"#, i % 2, i % 100)).collect();
    let state = state(&items.iter().map(String::as_str).collect::<Vec<_>>());
    let set = |text: &str| Expression::parse(text).unwrap().allow_set(state.catalog());
    assert_eq!(set("price < 50"), None);
    let half = set("genre = \"g0\"").unwrap();
    assert_eq!((half.items.len(), half.exact), (15_000, true));
    // Few enough to be asked one by one.
    let quarter = set("genre = \"g0\" and price < 50").unwrap();
    assert_eq!((quarter.items.len(), quarter.exact), (7_500, true));
    let most = set("(genre = \"g0\" or genre = \"g1\") and price < 50");
    assert_eq!(most, None);
    assert_eq!(set("genre = \"g0\" or price < 50"), None);
    assert!(
        quarter
            .items
            .iter()
            .all(|item| state.catalog().get(ItemIdx(item)).unwrap().attributes.number("price") < Some(50.0))
    );
}

fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(r#"genre = "Drama""#.to_owned()),
        Just(r#"genre != "Crime""#.to_owned()),
        Just("adult".to_owned()),
        (-5..25_i32).prop_map(|n| format!("price < {n}")),
        (-5..25_i32).prop_map(|n| format!("price >= {n}")),
        Just(r#"genre not in ["Comedy", 7]"#.to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" or "))),
            inner.prop_map(|one| format!("not {one}")),
        ]
    })
}

proptest! {
    #[test]
    fn a_set_is_what_holds_item_by_item(text in expressions()) {
        held(&shop(), &text);
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in ".{0,80}") {
        if let Ok(expression) = Expression::parse(&text) {
            let again = Expression::parse(&expression.to_string()).unwrap();
            prop_assert_eq!(again.to_string(), expression.to_string());
        }
    }
}
