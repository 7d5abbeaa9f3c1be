use serde_json::json;

use crate::bundle::bundle;
use crate::test_server::{TestServer, ids};

#[test]
fn without_a_bundle_popular_items_come_and_the_answer_says_so() {
    let server = TestServer::with_catalogue();
    let reply = server.post("/v1/recommend", &json!({"user_id": "nobody", "k": 3}));
    let answer = reply.expect(200);
    assert_eq!(ids(&answer)[0], "i0");
    assert_eq!(answer["items"].as_array().unwrap().len(), 3);
    assert_eq!(answer["degraded"], json!(["no_bundle"]));
    assert_eq!((&answer["score_kind"], &answer["items"][0]["probabilities"]), (&json!("relative"), &json!(null)));
    assert_eq!(answer["bundle"], json!(null));
    assert_eq!(answer["log_seq"], server.get("/readyz").expect(200)["log_seq"]);
    assert_eq!(reply.header("x-request-id"), answer["request_id"].as_str());
    let timings = answer["timings"].as_object().unwrap();
    assert!(["queue", "total", "popular", "ranking"].iter().all(|stage| timings[*stage].is_f64()), "{timings:?}");
    let first = &answer["items"][0];
    assert_eq!(first["rank"], 0);
    assert_eq!(first["sources"][0], json!({"source": "popular", "rank": 0}));
    assert!(first.get("explanation").is_none());
}

#[test]
fn ten_items_come_when_nobody_says_how_many() {
    let server = TestServer::with_catalogue();
    assert_eq!(ids(&server.post("/v1/recommend", &json!({})).expect(200)).len(), 10);
    assert_eq!(ids(&server.get("/v1/users/u1/recommendations").expect(200)).len(), 10);
    let seven = server.get("/v1/users/u1/recommendations?k=7").expect(200);
    assert_eq!(ids(&seven), ids(&server.post("/v1/recommend", &json!({"user_id": "u1", "k": 7})).expect(200)));
}

#[test]
fn an_event_is_seen_by_the_very_next_question() {
    let server = TestServer::with_catalogue();
    server.recommender.swap(Some(bundle()));
    let ask = || server.post("/v1/recommend", &json!({"user_id": "u1", "k": 5})).expect(200);
    let mut seen = Vec::new();
    for _ in 0..5 {
        let first = ids(&ask())[0].clone();
        assert!(!seen.contains(&first));
        let event = json!({"user_id": "u1", "item_id": first, "event_type": "click"});
        let log_seq = server.post("/v1/events", &event).expect(200)["log_seq"].clone();
        seen.push(first);
        let answer = ask();
        assert_eq!(answer["log_seq"], log_seq);
        assert!(ids(&answer).iter().all(|id| !seen.contains(id)), "{answer}");
    }
}

#[test]
fn a_bundle_ranks_and_explains() {
    let server = TestServer::with_catalogue();
    server.recommender.swap(Some(bundle()));
    let request = json!({"user_id": "u1", "k": 4, "explain": true, "surface": "home", "deadline_ms": 10_000});
    let answer = server.post("/v1/recommend", &request).expect(200);
    assert_eq!(answer["bundle"], "b-0123456789abcdef");
    assert_eq!(answer["degraded"], json!([]));
    let explanation = &answer["items"][0]["explanation"];
    assert!(explanation["retrieval_rank"].is_u64(), "{explanation}");
    let contributions = explanation["contributions"].as_array().unwrap();
    assert!(contributions[0]["feature"].is_string() && contributions[0]["contribution"].is_f64());
    let scores: Vec<_> =
        answer["items"].as_array().unwrap().iter().map(|item| item["score"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
}

#[test]
fn recent_and_exclude_are_heard() {
    let server = TestServer::with_catalogue();
    let plain = ids(&server.post("/v1/recommend", &json!({"k": 5})).expect(200));
    let request = json!({"k": 5, "exclude": [plain[0], "unknown"],
        "recent": [{"item_id": plain[1], "event_type": "click", "timestamp": "2026-01-31T12:00:00Z"}]});
    let answer = ids(&server.post("/v1/recommend", &request).expect(200));
    assert_eq!(answer.len(), 5);
    assert!(!answer.contains(&plain[0]) && !answer.contains(&plain[1]), "{answer:?}");
}

#[test]
fn similar_items_come_nearest_first_and_know_their_limits() {
    let server = TestServer::with_catalogue();
    let ask = |item: &str| server.post("/v1/similar", &json!({"item_id": item, "k": 4}));
    assert_eq!(ask("i1").expect(200)["degraded"], json!(["no_bundle"]));
    server.recommender.swap(Some(bundle()));
    let answer = ask("i1").expect(200);
    assert_eq!(ids(&answer).len(), 4);
    assert!(!ids(&answer).contains(&"i1".to_owned()));
    assert_eq!(answer["items"][3]["rank"], 3);
    assert!(answer["timings"]["total"].is_f64());
    assert_eq!(ask("i29").expect(200)["degraded"], json!(["item_not_in_bundle"]));
    assert_eq!(ask("nothing").problem(404).0, "item_not_found");
    server.delete("/v1/items/i1").expect(200);
    assert_eq!(ask("i1").problem(404).0, "item_not_found");
}
