//! Parity: random requests to every endpoint, well and ill formed, the same ones over REST to one server and over gRPC to
//! another with the same log, give the same answers: items, positions in the log, codes, fields, words.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::both::{OverGrpc, grpc_heard, over_rest, rest_heard};
use super::{Form, SEED};
use crate::harness::{Server, folder, imported_store};

pub fn check(form: Form) -> String {
    let (one, other) = (folder(), folder());
    let (rest, grpc) = (Server::start(&imported_store(&one)), Server::start(&imported_store(&other)));
    let over_grpc = OverGrpc::open(&grpc.url);
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let requests = form.pick(400, 10_000);
    let (mut asked, mut refused, mut untold) = (0, 0, 0);
    while asked < requests {
        let (method, request) = draw(&mut rng);
        // What no message can hold is asked of neither: both must go on with the same log.
        let Some(answer) = over_grpc.ask(method, &request) else {
            untold += 1;
            continue;
        };
        let over_rest = rest_heard(over_rest(&rest.url, method, &request));
        let answer = grpc_heard(answer);
        assert_eq!(over_rest, answer, "request {asked}, REST and gRPC: {method} {request}");
        asked += 1;
        refused += usize::from(answer["code"].is_string());
    }
    assert!(refused > requests / 20 && refused < requests / 2, "{refused} of {requests} refused: a weak test");
    format!(
        "{requests} requests to 16 endpoints over both protocols, {refused} of them refused alike ({untold} more that no message can hold)"
    )
}

/// A random request, in the words of REST with the ids of the path beside.
fn draw(rng: &mut ChaCha8Rng) -> (&'static str, Value) {
    let id = id(rng);
    match rng.random_range(0..18) {
        0 => ("Recommend", question(rng)),
        1 => ("Rank", with(question(rng), &[("candidates", ids(rng, 12))], &["exclude", "item_id"])),
        2 => ("Similar", json!({"item_id": id, "k": k(rng)})),
        3 => ("Search", json!({"vector": vector(rng), "k": k(rng), "exclude": ids(rng, 3), "filter": filter(rng)})),
        4 | 5 => ("IngestEvents", json!({"events": many(rng, event), "partial": rng.random_bool(0.5)})),
        6 | 7 => ("PutItem", item(rng)),
        8 => ("PutItems", json!({"items": many(rng, item), "partial": rng.random_bool(0.5)})),
        9 => (
            "PatchItem",
            json!({"item_id": id, "attributes": attributes(rng), "remove": one_of(rng, &[json!([]), json!(["name-0"]), json!(["name-1", "stock"])])}),
        ),
        10 => ("ListItems", page(rng)),
        11 => ("GetItem", json!({"item_id": id})),
        12 => ("DeleteItem", json!({"item_id": id})),
        13 => ("PutUser", json!({"user_id": user(rng), "attributes": attributes(rng)})),
        14 => ("PutUsers", json!({"users": [{"user_id": user(rng)}], "partial": rng.random_bool(0.5)})),
        15 => ("ListUsers", page(rng)),
        16 => ("GetUser", json!({"user_id": user(rng)})),
        _ => ("DeleteUser", json!({"user_id": user(rng)})),
    }
}

fn one_of<T: Clone>(rng: &mut ChaCha8Rng, values: &[T]) -> T {
    values[rng.random_range(0..values.len())].clone()
}

/// An id that is usually one of the catalogue.
fn id(rng: &mut ChaCha8Rng) -> Value {
    match rng.random_range(0..40) {
        0 => json!(one_of(rng, &["a\u{0}b", "\u{202e}x", "a\nb"])),
        1 => json!("x".repeat(rng.random_range(127..131))),
        2 => json!(one_of(rng, &["../../etc/passwd", "日本", "a b", "%2e%2e", "🎬"])),
        _ => json!(format!("item-{}", rng.random_range(0..330))),
    }
}

fn user(rng: &mut ChaCha8Rng) -> Value {
    match rng.random_range(0..30) {
        0 => json!("a\u{7}"),
        _ => json!(format!("user-{}", rng.random_range(0..170))),
    }
}

fn ids(rng: &mut ChaCha8Rng, most: usize) -> Value {
    (0..rng.random_range(0..=most)).map(|_| id(rng)).collect()
}

fn k(rng: &mut ChaCha8Rng) -> Value {
    one_of(rng, &[json!(1), json!(7), json!(30), json!(500), json!(0), json!(501), json!(4_294_967_295_u32), json!(-1)])
}

fn filter(rng: &mut ChaCha8Rng) -> Value {
    json!(one_of(rng, &["price < 20", "not category = 'category-1'", "price <", "colour = 'red'", "(((("]))
}

fn vector(rng: &mut ChaCha8Rng) -> Value {
    let length = one_of(rng, &[3, 3, 3, 3, 0, 2]);
    (0..length).map(|_| one_of(rng, &[json!(0.5), json!(-2), json!(0), json!(1e30), json!(1e-40)])).collect()
}

fn attributes(rng: &mut ChaCha8Rng) -> Value {
    let count = if rng.random_bool(0.02) { 70 } else { rng.random_range(0..4) };
    let value = |rng: &mut ChaCha8Rng| match rng.random_range(0..20) {
        0 => json!("x".repeat(1_025)),
        1..8 => json!(rng.random_range(0.0..100.0_f32)),
        8..12 => json!(rng.random_bool(0.5)),
        12..15 => json!(["a", "b"]),
        _ => json!("text"),
    };
    (0..count).map(|i| (format!("name-{i}"), value(rng))).collect::<Map<_, _>>().into()
}

/// With a time of its own, so that both servers count it alike.
fn event(rng: &mut ChaCha8Rng) -> Value {
    let time = one_of(
        rng,
        &["2026-05-30T10:00:00Z", "2026-05-31T23:59:59.5Z", "2020-02-29T00:00:00Z", "2099-01-01T00:00:00Z"],
    );
    json!({
        "user_id": user(rng), "item_id": id(rng), "timestamp": time, "context": attributes(rng),
        "event_type": one_of(rng, &["click", "view", "rating", "purchase", "sneeze"]),
        "value": one_of(rng, &[json!(4.5), json!(1), json!(1e39), json!(-3)]),
        "event_id": format!("event-{}", rng.random_range(0..5_000)),
    })
}

fn item(rng: &mut ChaCha8Rng) -> Value {
    let item = json!({"item_id": id(rng), "attributes": attributes(rng), "available": rng.random_bool(0.9)});
    if rng.random_bool(0.5) {
        with(item, &[("embedding", one_of(rng, &[json!([1, 2, 0.5]), json!([0.1, -1, 4])]))], &[])
    } else {
        item
    }
}

fn many(rng: &mut ChaCha8Rng, one: impl Fn(&mut ChaCha8Rng) -> Value) -> Value {
    (0..rng.random_range(0..6)).map(|_| one(rng)).collect()
}

fn page(rng: &mut ChaCha8Rng) -> Value {
    let limit = one_of(rng, &[json!(1), json!(20), json!(1_000), json!(0), json!(1_001)]);
    match rng.random_range(0..3) {
        0 => json!({ "limit": limit }),
        1 => json!({"limit": limit, "after": rng.random_range(0..400).to_string()}),
        _ => json!({"limit": limit, "after": one_of(rng, &["x", "-1", "4294967296", "9999999"])}),
    }
}

fn question(rng: &mut ChaCha8Rng) -> Value {
    let question = json!({
        "k": one_of(rng, &[json!(1), json!(10), json!(40), json!(0)]), "exclude": ids(rng, 4), "deadline_ms": 10_000,
        "explain": rng.random_bool(0.3), "why_not": ids(rng, 3),
        "recent": [{"item_id": id(rng), "event_type": one_of(rng, &["click", "view", "yawn"])}],
    });
    let extra = [
        ("user_id", user(rng)),
        ("filter", filter(rng)),
        ("surface", json!(one_of(rng, &["home", "home", "nowhere", "similar-items"]))),
        ("item_id", id(rng)),
        ("offset", json!(3)),
    ];
    extra.into_iter().fold(question, |all, (name, value)| {
        let likely = if name == "user_id" { 0.9 } else { 0.12 };
        if rng.random_bool(likely) { with(all, &[(name, value)], &[]) } else { all }
    })
}

fn with(mut value: Value, add: &[(&str, Value)], remove: &[&str]) -> Value {
    if let Some(map) = value.as_object_mut() {
        remove.iter().for_each(|name| drop(map.remove(*name)));
        map.extend(add.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    }
    value
}
