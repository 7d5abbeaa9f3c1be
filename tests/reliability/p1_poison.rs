//! P1 to P4: one table of values that poison elsewhere, through every door that takes them: REST, gRPC, a file. Each is
//! refused with a stable code and the field at fault, or answered correctly; nothing of it stays, nothing breaks, and
//! the next request is answered as before.

use serde_json::{Value, json};

use super::Form;
use super::both::{OverGrpc, grpc_heard, over_rest};
use crate::harness::{Server, fails, folder, imported_store, ok, path, send_bytes};

/// Codes that poisoned input may be refused with.
const REFUSALS: [&str; 8] = [
    "invalid_input",
    "invalid_json",
    "invalid_message",
    "item_not_found",
    "user_not_found",
    "page_not_found",
    "body_too_large",
    "no_such_endpoint",
];

/// What was asked and what came of it.
#[derive(Default)]
struct Tally {
    asked: usize,
    refused: usize,
}

impl Tally {
    fn count(&mut self, what: &str, status: u16, body: &Value) {
        self.asked += 1;
        if status == 200 {
            return;
        }
        self.refused += 1;
        let code = body["code"].as_str().unwrap_or_default();
        // Whoever waits for a millisecond may wait in vain.
        if code == "deadline_exceeded" {
            return;
        }
        assert!((400..500).contains(&status) && REFUSALS.contains(&code), "{what}: {status} {body}");
        assert!(code != "invalid_input" || body["field"].is_string(), "{what}: names no field: {body}");
    }
}

pub fn check(form: Form) -> String {
    let folder = folder();
    let store = imported_store(&folder);
    let server = Server::start(&store);
    for (id, vector) in [("near", [1.0, 0.1, 0.0]), ("far", [-1.0, 0.0, 1.0])] {
        assert_eq!(server.put(&format!("/v1/items/{id}"), &json!({ "embedding": vector })).0, 200);
    }
    let calm = |server: &Server| {
        (server.list("user-1", 20), server.post("/v1/search", &json!({"vector": [1, 0, 0]})).1["items"].clone())
    };
    let before = calm(&server);
    let over_grpc = OverGrpc::open(&server.url);
    let mut tally = Tally::default();
    let requests = requests();
    for (method, request) in &requests {
        let (status, body) = over_rest(&server.url, method, request);
        tally.count(&format!("{method} over REST: {}", short(request)), status, &body);
        if let Some(is_poison) = is_poison(request) {
            assert_eq!(status == 400, is_poison, "{method} over REST: {}: {body}", short(request));
        }
        if let Some(answer) = over_grpc.ask(method, request) {
            let heard = grpc_heard(answer);
            let status = if heard["code"].is_string() { 400 } else { 200 };
            tally.count(&format!("{method} over gRPC: {}", short(request)), status, &heard);
            // One table of errors: the same field and the same code. A path without its id is another path.
            let is_told_alike = !["invalid_json", "no_such_endpoint"].map(Value::from).contains(&body["code"]);
            if is_told_alike && status == 400 {
                assert_eq!(heard["code"], body["code"], "{method}: {}", short(request));
            }
        }
    }
    for text in texts(form) {
        for (verb, path) in
            [("POST", "/v1/recommend"), ("POST", "/v1/events"), ("PUT", "/v1/items/x"), ("POST", "/v1/rank")]
        {
            let (status, body) = send_bytes(verb, &format!("{}{path}", server.url), &text);
            tally.count(&format!("{path}: {:?}", String::from_utf8_lossy(&text[..text.len().min(80)])), status, &body);
        }
    }
    assert_eq!(server.get("/readyz").0, 200);
    assert_eq!(calm(&server), before, "poison moved an answer");
    let (_, metrics) = server.get("/metrics");
    let failed = |line: &&str| line.contains(r#"code="internal""#) && !line.ends_with(" 0");
    let inside = metrics.as_str().unwrap_or_default().lines().find(failed);
    assert_eq!(inside, None, "something failed inside");
    assert!(server.list("user-2", 5).len() == 5);
    let rows = poisoned_rows();
    for row in &rows {
        let file = folder.path().join("poison.jsonl");
        std::fs::write(&file, row).unwrap();
        let into = path(&folder, "poisoned");
        let said = fails(1, &["import", "jsonl", file.to_str().unwrap(), "--store", &into, "--max-bad-share", "0"]);
        assert!(!said.contains("panicked"), "{said}");
    }
    assert_eq!(server.stop(), Some(0));
    ok(&["log", "verify", "--store", &store]);
    let Tally { asked, refused } = tally;
    assert!(refused > asked / 3 && refused < asked, "{refused} of {asked}");
    format!(
        "{asked} poisoned requests over both protocols, {refused} refused with a code of the table, {} rows of files refused; no answer moved, nothing failed inside",
        rows.len()
    )
}

/// Whether a number of a request lies where none may; none of a request whose numbers say nothing.
fn is_poison(request: &Value) -> Option<bool> {
    let fits = |value: &Value| value.as_f64().is_some_and(|number| number.abs() <= f64::from(f32::MAX));
    if let Some(vector) = request.get("vector").or_else(|| request.get("embedding")) {
        let components = vector.as_array().unwrap();
        let points = components.iter().any(|value| value.as_f64().is_some_and(|number| number as f32 != 0.0));
        let is_vector = components.len() == 3 && components.iter().all(fits) && points;
        if !is_vector {
            return Some(true);
        }
    }
    for events in ["events", "recent"] {
        if let Some(value) = request.pointer(&format!("/{events}/0/value")) {
            return Some(!fits(value));
        }
    }
    for (name, least, most) in [("k", 1, 500), ("limit", 1, 1_000), ("deadline_ms", 1, 10_000)] {
        if let Some(count) = request.get(name) {
            return Some(!count.as_u64().is_some_and(|count| (least..=most).contains(&count)));
        }
    }
    request.get("vector").or_else(|| request.get("embedding")).map(|_| false)
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(160).collect()
}

/// P1 to P3, and the strings of P4, each in every field that takes one.
fn requests() -> Vec<(&'static str, Value)> {
    let mut all = Vec::new();
    let finite = [
        json!(0),
        json!(-0.0),
        json!(1e-310),
        json!(1e-45),
        json!(1e30),
        json!(3.5e38),
        json!(f64::MAX),
        json!(f64::MIN),
    ];
    for value in &finite {
        let vectors = [json!([value, 1, 1]), json!([value, value, value]), json!([value]), json!([])];
        for vector in vectors {
            all.push(("Search", json!({ "vector": vector })));
            all.push(("PutItem", json!({"item_id": "poisoned", "embedding": vector, "available": false})));
        }
        let event = json!({"user_id": "poisoner", "item_id": "poisoned", "event_type": "rating", "value": value});
        all.push(("IngestEvents", json!({"events": [event]})));
        all.push(("Recommend", json!({"recent": [{"item_id": "item-1", "event_type": "rating", "value": value}]})));
        all.push(("PutItem", json!({"item_id": "poisoned", "attributes": {"price": value}, "available": false})));
    }
    // What JSON has no word for, as messages hold it.
    for value in ["NaN", "Infinity", "-Infinity"] {
        all.push(("Search", json!({"vector": [value, 1, 1]})));
        all.push(("PutItem", json!({"item_id": "poisoned", "embedding": [1, value, 1], "available": false})));
        let event = json!({"user_id": "poisoner", "item_id": "poisoned", "event_type": "rating", "value": value});
        all.push(("IngestEvents", json!({"events": [event]})));
    }
    let counts = ["0", "1", "500", "501", "2147483648", "18446744073709551615", "-1", "1.5", "1e30"];
    for count in counts.map(|text| serde_json::from_str::<Value>(text).unwrap()) {
        all.push(("Recommend", json!({ "k": count })));
        all.push(("Similar", json!({"item_id": "item-1", "k": count})));
        all.push(("Search", json!({"vector": [1, 0, 0], "k": count})));
        all.push(("Rank", json!({"candidates": ["item-1"], "k": count})));
        all.push(("Recommend", json!({ "deadline_ms": count })));
        all.push(("Recommend", json!({"request_id": "x", "offset": count})));
        all.push(("ListItems", json!({ "limit": count })));
        all.push(("ListItems", json!({ "after": count.to_string() })));
    }
    let twice = vec!["item-1"; 500];
    all.push(("Rank", json!({ "candidates": twice })));
    all.push(("Recommend", json!({"candidates": twice, "exclude": twice, "why_not": vec!["item-1"; 100]})));
    let event = json!({"event_id": "same", "user_id": "poisoner", "item_id": "poisoned", "event_type": "view"});
    all.push(("IngestEvents", json!({"events": vec![event; 1_000]})));
    for exclude in [10_000, 10_001, 150_000] {
        let ids: Vec<_> = (0..exclude).map(|i| format!("item-number-{i}")).collect();
        all.push(("Recommend", json!({ "exclude": ids })));
    }
    for text in strings() {
        // No URL is longer.
        if text.len() < 60_000 {
            for method in ["PutItem", "PatchItem", "GetItem", "DeleteItem"] {
                all.push((method, json!({ "item_id": text })));
            }
            for method in ["PutUser", "GetUser"] {
                all.push((method, json!({ "user_id": text })));
            }
        }
        all.push(("Similar", json!({ "item_id": text })));
        all.push(("Recommend", json!({ "user_id": text })));
        all.push(("Recommend", json!({ "surface": text })));
        all.push(("Recommend", json!({ "filter": text })));
        all.push(("Recommend", json!({ "exclude": [text] })));
        all.push(("Recommend", json!({"request_id": text, "offset": 1})));
        all.push(("Recommend", json!({"context": {"device": text}})));
        all.push(("PutItem", json!({"item_id": "poisoned", "attributes": {"title": text}, "available": false})));
        let named: serde_json::Map<_, _> = [(text.clone(), json!(1))].into_iter().collect();
        all.push(("PutItem", json!({"item_id": "poisoned", "attributes": named, "available": false})));
        let event = json!({"event_id": text, "user_id": text, "item_id": "poisoned", "event_type": text});
        all.push(("IngestEvents", json!({"events": [event]})));
    }
    all
}

fn strings() -> Vec<String> {
    let plain = [
        "",
        " ",
        "\0",
        "a\0b",
        "\u{7f}",
        "\r\nset-cookie: a=b",
        "\u{202e}drow",
        "\u{200b}",
        "\u{feff}",
        "e\u{301}",
        "🎬",
        "../../../../etc/passwd",
        "..\\..",
        "%2e%2e%2f",
        "/",
        "//",
        ".",
        "..",
        "~",
        "${jndi:ldap://x}",
        "'; drop table log; --",
        "<script>alert(1)</script>",
        "{{7*7}}",
        "null",
        "true",
        "-0",
        "NaN",
        "b-0123456789abcdef",
        "home",
        "\u{10ffff}",
    ];
    let long = [127, 128, 129, 1_024, 1_025, 16_384, 16_385, 1 << 20].map(|length| "x".repeat(length));
    plain.into_iter().map(str::to_owned).chain(long).collect()
}

/// P4: bodies that are no JSON, or JSON of another form.
fn texts(form: Form) -> Vec<Vec<u8>> {
    let deep = form.pick(10_000, 500_000);
    let mut all: Vec<Vec<u8>> = [
        "",
        " ",
        "{",
        "}",
        "null",
        "7",
        "\"x\"",
        "[]",
        "[{}]",
        "{}{}",
        "{,}",
        r#"{"k":1,}"#,
        r#"{"k":"5"}"#,
        r#"{"k":1,"k":2}"#,
        r#"{"k":01}"#,
        r#"{"k":NaN}"#,
        r#"{"k":Infinity}"#,
        r#"{'k':1}"#,
        r#"{"k":1e999}"#,
        r#"{"K":1}"#,
        r#"{"user_id":"\ud800"}"#,
        "\u{feff}{}",
        r#"{"context":{"a":{"b":1}}}"#,
        r#"{"exclude":{"0":"a"}}"#,
        r#"{"k":null}"#,
        "{\"k\"\0:1}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    all.push(b"{\"user_id\":\"\xff\xfe\"}".to_vec());
    all.push(b"\x80\x81\x82".to_vec());
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        all.push([open.repeat(deep), "1".to_owned(), close.repeat(deep)].concat().into_bytes());
        all.push([r#"{"exclude":"#, &open.repeat(deep)].concat().into_bytes());
        all.push([r#"{"events":["#, &open.repeat(deep)].concat().into_bytes());
    }
    all
}

/// The same at the door of files: rows of which none may be taken in.
fn poisoned_rows() -> Vec<String> {
    let values = ["1e39", "NaN", "Infinity", "1e999", "\"5\""];
    let of_values = values.into_iter().flat_map(|value| {
        [
            format!(r#"{{"kind":"event","user_id":"u","item_id":"i","event_type":"rating","timestamp":"2026-01-01T00:00:00Z","value":{value}}}"#),
            format!(r#"{{"kind":"item","item_id":"i","embedding":[1,{value}]}}"#),
        ]
    });
    let others = [
        r#"{"kind":"item","item_id":"i","embedding":[]}"#.to_owned(),
        r#"{"kind":"item","item_id":"i","embedding":[0,-0.0]}"#.to_owned(),
        "{\"kind\":\"item\",\"item_id\":\"i\",\"embedding\":[1]}\n{\"kind\":\"item\",\"item_id\":\"j\",\"embedding\":[1,2]}".to_owned(),
        r#"{"kind":"item","item_id":""}"#.to_owned(),
        r#"{"kind":"item","item_id":"a\u0000b"}"#.to_owned(),
        r#"{"kind":"item","item_id":"i","attributes":{"price":1e999}}"#.to_owned(),
        r#"["kind","item"]"#.to_owned(),
        "[".repeat(10_000),
    ];
    of_values.chain(others).collect()
}
