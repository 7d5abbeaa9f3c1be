//! What requests and answers look like. A test sends each request to a server, in this order, and compares the answers'
//! fields.

use serde_json::{Value, json};

/// One operation's example.
pub(super) struct Example {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// What stands in the path.
    pub(super) id: &'static str,
    pub(super) request: Option<fn() -> Value>,
    pub(super) response: fn() -> Value,
}

const fn read(path: &'static str, id: &'static str, response: fn() -> Value) -> Example {
    Example { method: "get", path, id, request: None, response }
}

const fn send(method: &'static str, path: &'static str, request: fn() -> Value, response: fn() -> Value) -> Example {
    Example { method, path, id: "film-1", request: Some(request), response }
}

/// In an order in which they work one after the other.
pub(super) const EXAMPLES: [Example; 16] = [
    send("put", "/v1/items/{item_id}", film, changed),
    send(
        "post",
        "/v1/items",
        || json!({ "items": [{ "item_id": "film-2", "attributes": { "genres": ["Comedy"], "price": 7.5 }, "embedding": [0.6, 0.8] }] }),
        changed,
    ),
    send("patch", "/v1/items/{item_id}", || json!({ "attributes": { "price": 4.99 } }), changed),
    Example {
        id: "user-1",
        ..send("put", "/v1/users/{user_id}", || json!({ "attributes": { "country": "NL" } }), changed)
    },
    send(
        "post",
        "/v1/users",
        || json!({ "users": [{ "user_id": "user-2", "attributes": { "country": "PT" } }] }),
        changed,
    ),
    send("post", "/v1/events", event, || json!({ "accepted": 1, "duplicates": 0, "log_seq": 1042 })),
    read(
        "/v1/items/{item_id}",
        "film-1",
        || json!({ "item_id": "film-1", "attributes": { "title": "Heat", "genres": ["Crime", "Drama"], "price": 4.99 }, "available": true, "embedding": [1.0, 0.0] }),
    ),
    read("/v1/items", "", || json!({ "items": [film_with_id()], "next": "1" })),
    read("/v1/users/{user_id}", "user-1", user),
    read("/v1/users", "", || json!({ "users": [user()], "next": "1" })),
    send(
        "post",
        "/v1/recommend",
        || json!({ "user_id": "user-2", "k": 1, "filter": "price < 10", "context": { "device": "phone" } }),
        list,
    ),
    read("/v1/users/{user_id}/recommendations", "user-2", list),
    send("post", "/v1/similar", || json!({ "item_id": "film-1", "k": 5 }), neighbours),
    send("post", "/v1/search", || json!({ "vector": [0.9, 0.1], "k": 1 }), neighbours),
    send("post", "/v1/rank", || json!({ "user_id": "user-2", "candidates": ["film-1", "film-2"] }), list),
    Example { method: "delete", ..read("/v1/users/{user_id}", "user-2", changed) },
];

fn film() -> Value {
    json!({ "attributes": { "title": "Heat", "genres": ["Crime", "Drama"], "price": 9.99 }, "embedding": [1.0, 0.0] })
}

fn film_with_id() -> Value {
    json!({ "item_id": "film-1", "attributes": { "title": "Heat", "price": 4.99 }, "available": true, "embedding": [1.0, 0.0] })
}

fn user() -> Value {
    json!({ "user_id": "user-1", "attributes": { "country": "NL" } })
}

fn event() -> Value {
    json!({
        "event_id": "3f0c-17", "user_id": "user-1", "item_id": "film-1", "event_type": "click",
        "timestamp": "2026-01-31T12:00:00Z",
    })
}

fn changed() -> Value {
    json!({ "accepted": 1, "log_seq": 1041 })
}

fn list() -> Value {
    json!({
        "request_id": "019a0000-0000-7000-8000-000000000000",
        "items": [{
            "item_id": "film-2", "score": 0.5, "rank": 0, "sources": [{ "source": "popular", "rank": 0 }],
        }],
        "bundle": "b-0123456789abcdef", "log_seq": 1042, "degraded": [], "score_kind": "relative",
        "timings": { "queue": 0.02, "popular": 0.05, "total": 1.3 },
    })
}

fn neighbours() -> Value {
    json!({
        "request_id": "019a0000-0000-7000-8000-000000000000",
        "items": [{ "item_id": "film-2", "score": 0.98, "rank": 0 }],
        "bundle": "b-0123456789abcdef", "log_seq": 1042, "degraded": [], "timings": { "queue": 0.02, "total": 0.4 },
    })
}
