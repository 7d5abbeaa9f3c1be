use serde_json::json;

use crate::test_server::{TestServer, ids};

#[test]
fn an_item_is_put_read_replaced_and_deleted() {
    let server = TestServer::start();
    let attributes = json!({"adult": false, "genre": ["Drama", "War"], "price": 9.5, "title": "T"});
    let put = server.put("/v1/items/a", &json!({"attributes": attributes})).expect(200);
    assert_eq!(put, json!({"accepted": 1, "log_seq": 1}));
    let item = server.get("/v1/items/a").expect(200);
    assert_eq!(item, json!({"item_id": "a", "attributes": attributes, "available": true}));
    server.put("/v1/items/a", &json!({"item_id": "a", "available": false})).expect(200);
    assert_eq!(server.get("/v1/items/a").expect(200), json!({"item_id": "a", "attributes": {}, "available": false}));
    assert!(ids(&server.post("/v1/recommend", &json!({})).expect(200)).is_empty());
    assert_eq!(server.delete("/v1/items/a").expect(200), json!({"accepted": 1, "log_seq": 3}));
    assert_eq!(server.delete("/v1/items/a").expect(200), json!({"accepted": 0, "log_seq": 3}));
    assert_eq!(server.delete("/v1/items/never").expect(200), json!({"accepted": 0, "log_seq": 3}));
    for gone in ["a", "never"] {
        assert_eq!(server.get(&format!("/v1/items/{gone}")).problem(404).0, "item_not_found");
    }
}

#[test]
fn an_item_named_by_events_alone_is_there() {
    let server = TestServer::start();
    server.post("/v1/events", &json!({"user_id": "u", "item_id": "a", "event_type": "view"})).expect(200);
    assert_eq!(server.get("/v1/items/a").expect(200), json!({"item_id": "a", "attributes": {}, "available": true}));
    assert_eq!(server.get("/v1/users/u").expect(200), json!({"user_id": "u", "attributes": {}}));
}

#[test]
fn ids_in_paths_are_data() {
    let server = TestServer::start();
    for (path, id) in [("a%2Fb", "a/b"), ("..%2F..%2Fetc", "../../etc"), ("%E6%97%A5", "日"), ("a%20b", "a b")] {
        server.put(&format!("/v1/items/{path}"), &json!({})).expect(200);
        assert_eq!(server.get(&format!("/v1/items/{path}")).expect(200)["item_id"], id);
    }
    assert_eq!(server.get("/v1/items/%FF").problem(400).0, "invalid_input");
    let (_, field, _) = server.get("/v1/items/a%00b").problem(400);
    assert_eq!(field.as_deref(), Some("item_id"));
    assert_eq!(server.get(&format!("/v1/items/{}", "x".repeat(129))).problem(400).1.as_deref(), Some("item_id"));
}

#[test]
fn a_batch_is_put_whole_or_not_at_all() {
    let server = TestServer::start();
    let put = server.post("/v1/items", &json!({"items": [{"item_id": "a"}, {"item_id": "b"}]})).expect(200);
    assert_eq!(put, json!({"accepted": 2, "log_seq": 2}));
    let long = "x".repeat(1_025);
    let bad = json!({"items": [{"item_id": "c"}, {"item_id": "d", "attributes": {"title": long}}]});
    let (_, field, detail) = server.post("/v1/items", &bad).problem(400);
    assert_eq!(field.as_deref(), Some("items[1].attributes.title"), "{detail}");
    let (_, field, _) = server.post("/v1/items", &json!({"items": [{}]})).problem(400);
    assert_eq!(field.as_deref(), Some("items[0].item_id"));
    assert_eq!(server.get("/v1/items/c").status, 404);
    let (_, field, detail) = server.put("/v1/items/a", &json!({"item_id": "b"})).problem(400);
    assert_eq!(
        (field.as_deref(), detail.as_str()),
        (Some("item_id"), r#"item_id: must be "a" as in the path, or absent, got "b""#)
    );
}

#[test]
fn a_user_is_described_and_forgotten() {
    let server = TestServer::start();
    server.put("/v1/users/u", &json!({"attributes": {"country": "PT", "age": 30}})).expect(200);
    let user = server.get("/v1/users/u").expect(200);
    assert_eq!(user, json!({"user_id": "u", "attributes": {"age": 30.0, "country": "PT"}}));
    let put = server.post("/v1/users", &json!({"users": [{"user_id": "v", "attributes": {"x": true}}]})).expect(200);
    assert_eq!(put, json!({"accepted": 1, "log_seq": 2}));
    assert_eq!(server.delete("/v1/users/u").expect(200), json!({"accepted": 1, "log_seq": 3}));
    assert_eq!(server.delete("/v1/users/u").expect(200), json!({"accepted": 0, "log_seq": 3}));
    assert_eq!(server.get("/v1/users/u").problem(404).0, "user_not_found");
}
