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

#[test]
fn a_patch_changes_what_it_names_and_nothing_else() {
    let server = TestServer::start();
    let before = json!({"attributes": {"price": 9.5, "stock": 3, "title": "T"}, "embedding": [1, 2]});
    server.put("/v1/items/a", &before).expect(200);
    let change = json!({"attributes": {"price": 8, "sale": true}, "remove": ["stock"], "available": false});
    assert_eq!(server.patch("/v1/items/a", &change).expect(200), json!({"accepted": 1, "log_seq": 2}));
    let after = json!({
        "item_id": "a", "attributes": {"price": 8.0, "sale": true, "title": "T"}, "available": false,
        "embedding": [1.0, 2.0],
    });
    assert_eq!(server.get("/v1/items/a").expect(200), after);
    let server = server.restarted();
    assert_eq!(server.get("/v1/items/a").expect(200), after);
    assert_eq!(server.patch("/v1/items/a", &json!({})).expect(200)["accepted"], 1);
    assert_eq!(server.get("/v1/items/a").expect(200), after);
    assert_eq!(server.patch("/v1/items/never", &change).problem(404).0, "item_not_found");
    server.delete("/v1/items/a").expect(200);
    assert_eq!(server.patch("/v1/items/a", &change).problem(404).0, "item_not_found");
    let many: serde_json::Map<_, _> = (0..64).map(|i| (format!("a{i}"), json!(i))).collect();
    server.put("/v1/items/b", &json!({"attributes": many})).expect(200);
    for (body, field) in [
        (json!({"attributes": {"one_more": 1}}), "attributes"),
        (json!({"attributes": {"a1": 1}, "remove": ["a1"]}), "remove[0]"),
        (json!({"remove": vec!["x"; 65]}), "remove"),
        (json!({"price": 8}), "price"),
        (json!({"attributes": {"price": null}}), "attributes.price"),
    ] {
        assert_eq!(server.patch("/v1/items/b", &body).problem(400).1.as_deref(), Some(field), "{body}");
    }
}

#[test]
fn lists_lead_from_page_to_page() {
    let server = TestServer::with_catalogue();
    server.delete("/v1/items/i4").expect(200);
    let (mut walked, mut after) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/v1/items?limit=7{after}")).expect(200);
        walked.extend(ids(&page));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    let expected: Vec<_> = (0..30).filter(|i| *i != 4).map(|i| format!("i{i}")).collect();
    assert_eq!(walked, expected);
    let users = server.get("/v1/users").expect(200);
    assert_eq!((users["users"].as_array().unwrap().len(), &users["next"]), (10, &json!(null)));
    let request = shortlist_proto::v1::ListItemsRequest { after: Some("28".to_owned()), limit: Some(1) };
    let page = server.runtime.block_on(server.grpc().list_items(request)).unwrap().into_inner();
    assert_eq!((page.items[0].item_id.as_str(), page.next.as_deref()), ("i28", Some("29")));
    for (query, field) in
        [("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("after=x", "after"), ("page=2", "query")]
    {
        for list in ["items", "users"] {
            assert_eq!(server.get(&format!("/v1/{list}?{query}")).problem(400).1.as_deref(), Some(field), "{query}");
        }
    }
}

#[test]
fn a_partial_batch_keeps_what_can_be_taken_and_tells_the_rest() {
    let server = TestServer::start();
    let long = "x".repeat(1_025);
    let items = json!([{"item_id": "a"}, {"item_id": "b", "attributes": {"title": long}}, {}, {"item_id": "c"}]);
    let put = server.post("/v1/items", &json!({"items": items, "partial": true})).expect(200);
    assert_eq!((&put["accepted"], &put["log_seq"]), (&json!(2), &json!(2)));
    let refused = put["refused"].as_array().unwrap();
    assert_eq!(refused.len(), 2);
    assert_eq!((&refused[0]["row"], &refused[0]["code"]), (&json!(1), &json!("invalid_input")));
    assert_eq!(refused[0]["field"], "items[1].attributes.title");
    assert_eq!(
        refused[1],
        json!({
            "row": 2, "code": "invalid_input", "field": "items[2].item_id", "detail": "items[2].item_id: is missing",
        })
    );
    assert_eq!((server.get("/v1/items/c").status, server.get("/v1/items/b").status), (200, 404));
    let events = json!([{"user_id": "u", "item_id": "a", "event_type": "view"},
        {"user_id": "u", "item_id": "a", "event_type": "sneeze"}]);
    let sent = server.post("/v1/events", &json!({"events": events, "partial": true})).expect(200);
    assert_eq!((&sent["accepted"], &sent["refused"][0]["field"]), (&json!(1), &json!("events[1].event_type")));
    let users = json!({"users": [{"user_id": ""}], "partial": true});
    let put = server.post("/v1/users", &users).expect(200);
    assert_eq!((&put["accepted"], put["refused"].as_array().unwrap().len()), (&json!(0), 1));
    // Over gRPC what the message holds may be no number at all.
    let event = |value| shortlist_proto::v1::Event {
        user_id: "u".to_owned(),
        item_id: "a".to_owned(),
        event_type: "rating".to_owned(),
        value: Some(value),
        ..shortlist_proto::v1::Event::default()
    };
    let request = shortlist_proto::v1::IngestEventsRequest { events: vec![event(f64::NAN), event(4.0)], partial: true };
    let sent = server.runtime.block_on(server.grpc().ingest_events(request)).unwrap().into_inner();
    assert_eq!((sent.accepted, sent.refused[0].field.as_str()), (1, "events[0].value"));
}
