//! The running server, over REST and gRPC.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails

mod harness;

use std::collections::HashSet;
use std::time::Duration;

use harness::{Server, folder, ids, imported_store, ok, ok_json, path};
use serde_json::json;
use shortlist_client::{Client, RecommendRequest};

#[test]
fn an_acknowledged_event_changes_the_next_list_and_both_protocols_agree() {
    let folder = folder();
    let store = imported_store(&folder);
    ok(&["train", "--store", &store]);
    let server = Server::start(&store);

    let before = server.list("user-5", 20);
    assert_eq!(before.len(), 20);
    let taken = &before[0];
    let event = json!({"user_id": "user-5", "item_id": taken, "event_type": "purchase", "event_id": "e-1"});
    let (status, answer) = server.post("/v1/events", &event);
    assert_eq!((status, &answer["accepted"]), (200, &json!(1)), "{answer}");
    let after = server.list("user-5", 20);
    assert!(!after.contains(taken), "a consumed item came back");
    assert_ne!(after[..10], before[1..11], "a purchase moved nothing");

    let (_, again) = server.post("/v1/events", &event);
    assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(0), &json!(1)), "{again}");

    // The same question over gRPC.
    let (rest_status, rest) = server.post("/v1/recommend", &json!({"user_id": "user-9", "k": 15}));
    assert_eq!(rest_status, 200);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let grpc = runtime.block_on(async {
        let client = Client::builder(&server.url).deadline(Duration::from_secs(10)).connect().await.unwrap();
        client.recommend(RecommendRequest::for_user("user-9", 15)).await.unwrap()
    });
    let grpc_ids: Vec<_> = grpc.items.iter().map(|item| item.item_id.clone()).collect();
    assert_eq!(grpc_ids, ids(&rest));
    assert_eq!(grpc.bundle.as_deref(), rest["bundle"].as_str());

    // A session without a user id is known by its recent events.
    let recent = json!([{"item_id": taken, "event_type": "click"}]);
    let (status, session) = server.post("/v1/recommend", &json!({"recent": recent, "k": 10}));
    assert_eq!(status, 200, "{session}");
    let (_, stranger) = server.post("/v1/recommend", &json!({"user_id": "nobody", "k": 10}));
    assert_ne!(ids(&session), ids(&stranger), "recent events moved nothing");
    assert!(!ids(&session).contains(taken));

    // What is excluded, deleted or unavailable does not come.
    let list = server.list("user-7", 10);
    let (_, without) = server.post("/v1/recommend", &json!({"user_id": "user-7", "k": 10, "exclude": [&list[0]]}));
    assert!(!ids(&without).contains(&list[0]));
    assert!(matches!(server.delete(&format!("/v1/items/{}", list[1])).0, 200 | 204));
    let item = json!({"attributes": {"title": "gone for now"}, "available": false});
    assert_eq!(server.put(&format!("/v1/items/{}", list[2]), &item).0, 200);
    let left: HashSet<_> = server.list("user-7", 50).into_iter().collect();
    assert!(!left.contains(&list[1]) && !left.contains(&list[2]));
    assert_eq!(server.get(&format!("/v1/items/{}", list[1])).0, 404);

    // A new item is retrievable at once.
    let item = json!({"attributes": {"title": "brand new", "category": "Books"}});
    assert_eq!(server.put("/v1/items/brand-new", &item).0, 200);
    assert!(server.list("user-7", 100).contains(&"brand-new".to_owned()));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn an_empty_store_serves_and_the_first_bundle_swaps_in_without_a_restart() {
    let folder = folder();
    let store = path(&folder, "store");
    let server = Server::start(&store);
    let (status, ready) = server.get("/readyz");
    assert_eq!((status, &ready["ready"]), (200, &json!(true)));
    let (status, empty) = server.get("/v1/users/u/recommendations?k=5");
    assert_eq!((status, &empty["items"], &empty["degraded"]), (200, &json!([]), &json!(["no_bundle"])));

    for record in harness::market(100, 200, 20_000).chunks(1_000) {
        let mut events = Vec::new();
        let mut items = Vec::new();
        for record in record {
            match record {
                shortlist_types::LogRecord::Event(event) => events.push(serde_json::to_value(event).unwrap()),
                shortlist_types::LogRecord::ItemPut { item, .. } => items.push(serde_json::to_value(item).unwrap()),
                _ => {}
            }
        }
        for (path, name, batch) in [("/v1/items", "items", items), ("/v1/events", "events", events)] {
            if !batch.is_empty() {
                let (status, answer) = server.post(path, &json!({ name: batch }));
                assert_eq!(status, 200, "{answer}");
            }
        }
    }
    let (_, popular) = server.get("/v1/users/u/recommendations?k=5");
    assert_eq!((ids(&popular).len(), &popular["degraded"]), (5, &json!(["no_bundle"])));

    // Training runs beside the server, which looks every second.
    let trained = ok_json(&["train", "--store", &store, "--promote", "always", "--json"]);
    server.wait_until("the bundle serves", |server| {
        server.get("/v1/users/user-1/recommendations?k=5").1["bundle"] == trained["bundle"]
    });
    let (_, answer) = server.get("/v1/users/user-1/recommendations?k=5");
    assert_eq!(answer["degraded"], json!([]));
}

#[test]
fn one_odd_new_item_does_not_overturn_a_ranking_of_imported_ones() {
    let folder = folder();
    let store = path(&folder, "store");
    // A catalogue without times: all items look equally old while the ranker is trained.
    let mut records = harness::market(150, 300, 30_000);
    records.retain(|record| matches!(record, shortlist_types::LogRecord::Event(_)));
    harness::write_jsonl(&folder.path().join("events.jsonl"), &records);
    ok(&["import", "jsonl", &path(&folder, "events.jsonl"), "--store", &store]);
    ok(&["train", "--store", &store]);
    let server = Server::start(&store);
    let before = server.list("user-3", 20);
    assert_eq!(server.put("/v1/items/odd", &json!({"attributes": {"title": "odd"}})).0, 200);
    let (_, answer) = server.get("/v1/users/user-3/recommendations?k=20");
    for item in answer["items"].as_array().unwrap() {
        assert!(item["score"].as_f64().unwrap().abs() < 100.0, "{item}");
    }
    let mut left = ids(&answer);
    left.retain(|id| id != "odd");
    let kept = left.iter().filter(|id| before.contains(id)).count();
    assert!(kept >= 17, "the list became another: {before:?} {left:?}");
}

#[test]
fn a_new_item_has_a_place_among_the_others_the_moment_it_is_put() {
    let folder = folder();
    let store = imported_store(&folder);
    ok(&["train", "--store", &store]);
    let server = Server::start(&store);
    // The catalogue entry of an item that people had, under another name.
    let known = &server.list("user-3", 1)[0];
    let (_, entry) = server.get(&format!("/v1/items/{known}"));
    let similar = |item: &str| server.post("/v1/similar", &json!({"item_id": item, "k": 20})).1;
    assert_eq!(server.put("/v1/items/twin", &json!({"attributes": entry["attributes"]})).0, 200);
    assert_eq!(server.put("/v1/items/mute", &json!({"attributes": {}})).0, 200);
    let of_twin = similar("twin");
    assert_eq!((&of_twin["degraded"], ids(&of_twin).len()), (&json!([]), 20));
    let category = |item: &String| server.get(&format!("/v1/items/{item}")).1["attributes"]["category"].clone();
    let alike = ids(&of_twin).iter().filter(|item| category(item) == entry["attributes"]["category"]).count();
    let items: Vec<String> = (1..=300).map(|number| format!("item-{number}")).collect();
    let in_all = items.iter().filter(|item| category(item) == entry["attributes"]["category"]).count();
    let by_chance = 20.0 * in_all as f64 / 300.0;
    assert!(alike as f64 > 1.3 * by_chance, "{alike} of 20 are of its category, by chance {by_chance:.1}");
    // Nothing is known of the other one, and that is said.
    let of_mute = similar("mute");
    assert_eq!((ids(&of_mute).len(), &of_mute["degraded"]), (0, &json!(["item_not_in_bundle"])));
    let explained = server.post("/v1/recommend", &json!({"user_id": "user-3", "k": 100, "explain": true})).1;
    let shown = explained["items"].as_array().unwrap().iter().find(|item| item["item_id"] == "twin").unwrap();
    assert!(shown["explanation"]["retrieval_score"].is_number(), "{shown}");
    // A server that starts anew knows it too: its place is made from the log.
    drop(server);
    let again = Server::start(&store);
    assert_eq!(ids(&again.post("/v1/similar", &json!({"item_id": "twin", "k": 20})).1), ids(&of_twin));
}

#[test]
fn a_damaged_bundle_costs_quality_and_not_the_service() {
    let folder = folder();
    let store = imported_store(&folder);
    let trained = ok_json(&["train", "--store", &store, "--json"]);
    let manifest = format!("{store}/bundles/{}/manifest.json", trained["bundle"].as_str().unwrap());
    std::fs::remove_file(&manifest).unwrap();
    let server = Server::start(&store);
    let (status, answer) = server.get("/v1/users/user-3/recommendations?k=5");
    assert_eq!((status, &answer["degraded"]), (200, &json!(["no_bundle"])));
    let event = json!({"user_id": "user-3", "item_id": "item-1", "event_type": "click"});
    assert_eq!(server.post("/v1/events", &event).0, 200);
}

#[test]
fn every_refusal_has_its_status_its_code_and_its_field() {
    let folder = folder();
    let server = Server::start(&path(&folder, "store"));
    let event = |change: serde_json::Value| {
        let mut event = json!({"user_id": "u", "item_id": "i", "event_type": "click"});
        event.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        event
    };
    for (path, body, status, expected) in [
        ("/v1/recommend", json!({"user_id": "u", "k": 0}), 400, "k"),
        ("/v1/recommend", json!({"user_id": "u", "k": 501}), 400, "500"),
        ("/v1/recommend", json!({"user_id": "u", "k": -1}), 400, "k"),
        ("/v1/recommend", json!({"user_id": "u", "surface": "moon"}), 400, "home"),
        ("/v1/recommend", json!({"user_id": "u", "colour": 1}), 400, "colour"),
        ("/v1/recommend", json!({"user_id": "u", "deadline_ms": 0}), 400, "deadline_ms"),
        ("/v1/recommend", json!({"user_id": ""}), 400, "user_id"),
        ("/v1/recommend", json!({"recent": [{"item_id": "i", "event_type": "sneeze"}]}), 400, "recent[0].event_type"),
        ("/v1/similar", json!({"item_id": "nothing", "k": 3}), 404, "nothing"),
        ("/v1/events", event(json!({"event_type": "sneeze"})), 400, "click, hide, impression, like"),
        ("/v1/events", event(json!({"timestamp": "2999-01-01T00:00:00Z"})), 400, "timestamp"),
        ("/v1/events", event(json!({"timestamp": "yesterday"})), 400, "timestamp"),
        ("/v1/events", event(json!({"item_id": "a\u{202e}b"})), 400, "item_id"),
        ("/v1/events", json!({"events": [event(json!({})), event(json!({"item_id": ""}))]}), 400, "events[1].item_id"),
        ("/v1/nothing", json!({}), 404, "no_such_endpoint"),
    ] {
        let (got, problem) = server.post(path, &body);
        assert_eq!(got, status, "{path} {body}: {problem}");
        assert!(problem.to_string().contains(expected), "{path} {body}: no {expected:?} in {problem}");
        assert!(problem["code"].is_string(), "{problem}");
    }
    // A refused batch leaves nothing behind.
    assert_eq!(server.get("/readyz").1["log_seq"], 0);
}
