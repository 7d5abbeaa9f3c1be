//! S4 and S8: no answer says a path, an address, a type or a trace of the inside, whatever is wrong; and the labels of the metrics
//! come from our own lists, whoever asks for what.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Form;
use super::both::{OverGrpc, over_rest};
use crate::harness::{Server, folder, imported_store, send_bytes, send_json, send_raw};

/// What an answer must not hold.
const INSIDE: [&str; 26] = [
    "src/",
    ".rs",
    "::",
    "0x",
    "panicked",
    "backtrace",
    "thread '",
    "tokio",
    "serde",
    "axum",
    "tonic",
    "hyper",
    "rusqlite",
    "sqlite",
    "SQLITE",
    "shortlist_",
    "struct ",
    "enum ",
    "variant",
    "usize",
    "f32",
    "f64",
    "Vec<",
    "Option<",
    "/tmp",
    "/root",
];
/// Names of counted methods: those of the service, and what belongs to none.
const SERIES_MAX: usize = 2_000;

pub fn check(form: Form) -> String {
    let folder = folder();
    let store = imported_store(&folder);
    let server = Server::start(&store);
    let mut texts: Vec<(String, String)> = Vec::new();
    let mut hear = |what: String, body: &Value| texts.push((what, body.to_string()));
    let wrong = [json!(7), json!("x"), json!([]), json!({}), json!(true), json!(-1), json!([[]]), json!({"a": {}})];
    let fields = [
        "k",
        "user_id",
        "recent",
        "exclude",
        "filter",
        "context",
        "explain",
        "vector",
        "items",
        "events",
        "attributes",
        "limit",
    ];
    let paths = ["/v1/recommend", "/v1/rank", "/v1/search", "/v1/similar", "/v1/events", "/v1/items", "/v1/users"];
    for path in paths {
        for field in fields {
            for value in &wrong {
                let body = json!({ field: value });
                hear(format!("{path} {body}"), &send_json("POST", &format!("{}{path}", server.url), Some(&body)).1);
            }
        }
        for body in [&b"\xff"[..], b"{", b"[1", b"{\"k\":}", b"nul"] {
            hear(format!("{path} {body:?}"), &send_bytes("POST", &format!("{}{path}", server.url), body).1);
        }
    }
    for (verb, path) in [
        ("GET", "/"),
        ("GET", "/v1/items/%FF"),
        ("TRACE", "/v1/items"),
        ("POST", "/healthz"),
        ("GET", "/v1/users/%00"),
        ("GET", "/v1/items?limit=%FF"),
        ("GET", "/admin/v1/bundles"),
        ("DELETE", "/v1/users/u?erase=maybe"),
        ("GET", "/..%2f..%2fetc%2fpasswd"),
    ] {
        hear(format!("{verb} {path}"), &send_json(verb, &format!("{}{path}", server.url), None).1);
    }
    for raw in
        ["GET / HTTP/9.9\r\n\r\n", "\0\0\0\0\r\n\r\n", "GET  HTTP/1.1\r\n\r\n", "POST /v1/recommend HTTP/1.1\r\n\r\n"]
    {
        hear(format!("{raw:?}"), &json!(send_raw(&server.address, raw.as_bytes())));
    }
    let over_grpc = OverGrpc::open(&server.url);
    for (method, request) in [
        ("Recommend", json!({"k": 0})),
        ("Similar", json!({"item_id": "nothing"})),
        ("Search", json!({})),
        ("PutItem", json!({})),
        ("IngestEvents", json!({})),
        ("GetUser", json!({"user_id": "\u{1}"})),
        ("ListItems", json!({"after": "x"})),
    ] {
        let mut status = over_grpc.ask(method, &request).unwrap().unwrap_err();
        // A name drawn at random may hold any of the words.
        status.metadata_mut().remove("x-request-id");
        let told =
            format!("{} {:?} {:?}", status.message(), status.metadata(), String::from_utf8_lossy(status.details()));
        hear(format!("gRPC {method}"), &json!(told.replace("type.googleapis.com/google.rpc.", "")));
    }
    let inside: Vec<&str> = INSIDE.iter().copied().chain([store.as_str()]).collect();
    for (what, text) in &texts {
        for word in &inside {
            assert!(!text.contains(word), "{what}: {word:?} in {text}");
        }
    }

    let many = form.pick(300, 10_000);
    for i in 0..many {
        let user = format!("label-{i}");
        over_rest(&server.url, "Recommend", &json!({"user_id": user, "surface": "home"}));
        over_rest(&server.url, "Recommend", &json!({"user_id": user, "surface": user}));
        send_json("GET", &format!("{}/{user}", server.url), None);
        let event = json!({"user_id": user, "item_id": user, "event_type": user});
        over_rest(&server.url, "IngestEvents", &json!({"events": [event]}));
    }
    let (_, metrics) = server.get("/metrics");
    let metrics = metrics.as_str().unwrap();
    assert!(!metrics.contains("label-"), "a caller's word became a label");
    let series: BTreeSet<&str> =
        metrics.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(' ').next()).collect();
    assert!(series.len() < SERIES_MAX, "{} series", series.len());
    let mut labels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for one in series
        .iter()
        .filter_map(|series| series.split_once('{'))
        .flat_map(|(_, labels)| labels.trim_end_matches('}').split(','))
    {
        if let Some((name, value)) = one.split_once('=') {
            labels.entry(name).or_default().insert(value);
        }
    }
    let known = [
        "method", "code", "surface", "priority", "stage", "source", "reason", "result", "outcome", "bundle", "version",
        "le",
    ];
    assert!(labels.keys().all(|name| known.contains(name)), "{:?}", labels.keys());
    format!(
        "{} wrong requests, none of whose answers says anything of the inside; {many} users, surfaces, paths and types, and {} series with the labels {}",
        texts.len(),
        series.len(),
        known.join(", ")
    )
}
