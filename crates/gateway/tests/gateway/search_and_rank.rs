use serde_json::{Value, json};
use shortlist_proto::v1;

use crate::test_server::{TestServer, ids};

/// Puts `i0`..`i2` along the axes, and `i3` between the first two.
fn place(server: &TestServer) {
    let items = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [3.0, 3.0, 0.0]].into_iter().enumerate();
    let items: Vec<_> = items
        .map(|(i, embedding)| {
            let genre = ["a", "b"][i % 2];
            json!({"item_id": format!("i{i}"), "embedding": embedding, "attributes": {"genre": genre}})
        })
        .collect();
    server.post("/v1/items", &json!({"items": items})).expect(200);
}

fn search(server: &TestServer, body: &Value) -> Vec<String> {
    ids(&server.post("/v1/search", body).expect(200))
}

#[test]
fn a_search_finds_what_points_the_same_way() {
    let server = TestServer::start();
    let nothing = server.post("/v1/search", &json!({"vector": [1, 2]})).expect(200);
    assert_eq!((&nothing["items"], &nothing["degraded"]), (&json!([]), &json!([])));
    place(&server);
    assert_eq!(search(&server, &json!({"vector": [10, 1, 0]})), ["i0", "i3", "i1", "i2"]);
    let found = server.post("/v1/search", &json!({"vector": [2, 2, 0], "k": 1})).expect(200);
    assert_eq!(ids(&found), ["i3"]);
    assert!((found["items"][0]["score"].as_f64().unwrap() - 1.0).abs() < 1e-6, "a cosine: {found}");
    assert_eq!(search(&server, &json!({"vector": [10, 1, 0], "exclude": ["i0"], "k": 2})), ["i3", "i1"]);
    assert_eq!(search(&server, &json!({"vector": [10, 1, 0], "filter": "genre = 'a'"})), ["i0", "i2"]);
    // What may not be recommended, is gone, or has no place any more, is not found.
    server.patch("/v1/items/i0", &json!({"available": false})).expect(200);
    server.delete("/v1/items/i1").expect(200);
    server.put("/v1/items/i2", &json!({})).expect(200);
    assert_eq!(search(&server, &json!({"vector": [10, 1, 0]})), ["i3"]);
    // The state alone gives the same index.
    let server = server.restarted();
    assert_eq!(search(&server, &json!({"vector": [10, 1, 0]})), ["i3"]);
}

#[test]
fn vectors_that_cannot_be_taken_are_refused_and_change_nothing() {
    let server = TestServer::start();
    place(&server);
    let before = search(&server, &json!({"vector": [10, 1, 0]}));
    let cases = [
        ("[]", "must have 1 to 4096 dimensions, got 0"),
        ("[1,2]", "must have 3 dimensions, as"),
        ("[0,-0.0,0]", "must not be zero in every dimension"),
        ("[1e39,0,0]", "must lie within the range of a float, got 1e+39"),
        ("[1.7976931348623157e308,0,0]", "must lie within the range of a float"),
    ];
    for (vector, expected) in cases {
        let bodies = [("/v1/search", "vector", "POST"), ("/v1/items/new", "embedding", "PUT")];
        for (path, field, method) in bodies {
            let body = format!(r#"{{"{field}":{vector}}}"#);
            let reply = server.send(method, path, &[("content-type", "application/json")], body.as_bytes());
            let (_, named, detail) = reply.problem(400);
            assert!(named.unwrap().starts_with(field) && detail.contains(expected), "{body}: {detail}");
        }
    }
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let vector = vec![0.0, value, 1.0];
        let request = v1::SearchRequest { vector: vector.clone(), ..v1::SearchRequest::default() };
        let status = server.runtime.block_on(server.grpc().search(request)).unwrap_err();
        assert_eq!(status.message(), "vector[1]: must be finite");
        let item = v1::Item { item_id: "new".to_owned(), embedding: vector, ..v1::Item::default() };
        let status = server.runtime.block_on(server.grpc().put_item(v1::PutItemRequest { item: Some(item) }));
        assert_eq!(status.unwrap_err().message(), "item.embedding[1]: must be finite");
    }
    // Within one batch all must fit as well.
    let items = json!([{"item_id": "x", "embedding": [1, 2, 3]}, {"item_id": "y", "embedding": [1]}]);
    let (_, field, _) = server.post("/v1/items", &json!({"items": items})).problem(400);
    assert_eq!(field.as_deref(), Some("items[1].embedding"));
    // Large and small, but finite: a direction all the same.
    server.put("/v1/items/large", &json!({"embedding": [1e30, 1e30, 0]})).expect(200);
    server.put("/v1/items/small", &json!({"embedding": [1e-40, 0, 0]})).expect(200);
    let after = search(&server, &json!({"vector": [10, 1, 0]}));
    assert!(after.contains(&"large".to_owned()) && after.contains(&"small".to_owned()), "{after:?}");
    assert_eq!(after.into_iter().filter(|id| before.contains(id)).collect::<Vec<_>>(), before);
}

#[test]
fn candidates_of_the_caller_come_back_in_order_and_whole() {
    let server = TestServer::with_catalogue();
    let brought = json!(["i7", "never", "i3", "i9", "i3"]);
    // Nothing is known of him: the caller's order.
    let answer = server.post("/v1/rank", &json!({"candidates": brought})).expect(200);
    assert_eq!(ids(&answer), ["i7", "i3", "i9"]);
    // Consumed ones are ranked as well.
    server.post("/v1/events", &json!({"user_id": "v", "item_id": "i3", "event_type": "purchase"})).expect(200);
    let of_user = json!({"candidates": brought, "user_id": "v", "why_not": ["never"]});
    let answer = server.post("/v1/rank", &of_user).expect(200);
    let mut sorted = ids(&answer);
    sorted.sort();
    assert_eq!(sorted, ["i3", "i7", "i9"]);
    assert_eq!(answer["why_not"][0]["fate"], "unknown_item");
    let filtered = json!({"candidates": brought, "filter": "price < 8", "k": 1});
    assert_eq!(ids(&server.post("/v1/rank", &filtered).expect(200)), ["i7"]);
    for (body, field) in [
        (json!({}), "candidates"),
        (json!({"candidates": []}), "candidates"),
        (json!({"candidates": vec!["i1"; 501]}), "candidates"),
        (json!({"candidates": ["a", ""]}), "candidates[1]"),
        (json!({"candidates": ["a"], "k": 0}), "k"),
    ] {
        assert_eq!(server.post("/v1/rank", &body).problem(400).1.as_deref(), Some(field), "{body}");
    }
    let request = v1::RankRequest { candidates: vec!["i7".into(), "i3".into()], ..v1::RankRequest::default() };
    let answer = server.runtime.block_on(server.grpc().rank(request)).unwrap().into_inner();
    assert_eq!(answer.items.iter().map(|item| item.item_id.as_str()).collect::<Vec<_>>(), ["i7", "i3"]);
}
