use std::time::Duration;

use serde_json::json;

use crate::bundle::bundle;
use crate::test_server::{BeforeApply, TestServer, quick_config};

#[test]
fn a_server_without_a_bundle_is_alive_and_ready() {
    let server = TestServer::start();
    assert_eq!(server.get("/healthz").expect(200), json!({"status": "ok"}));
    let expected = json!({"ready": true, "bundle": "no_bundle", "log_seq": 0, "ingest": "on", "reasons": []});
    assert_eq!(server.get("/readyz").expect(200), expected);
    server.recommender.swap(Some(bundle()));
    assert_eq!(server.get("/readyz").expect(200)["bundle"], "b-0123456789abcdef");
    assert!(server.get("/metrics").text.contains("shortlist_bundle_info{bundle=\"b-0123456789abcdef\"} 1\n"));
}

#[test]
fn a_stopped_writer_turns_ingest_off_and_recommendations_go_on() {
    let before_apply: BeforeApply = Box::new(|| panic!("a bad day"));
    let server = TestServer::start_with(quick_config(), before_apply);
    let event = json!({"user_id": "u", "item_id": "a", "event_type": "click"});
    // It is on disk, so it is acknowledged; what follows is refused.
    server.post("/v1/events", &event).expect(200);
    while server.get("/readyz").status == 200 {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(server.get("/readyz").expect(503)["reasons"], json!(["ingest_off"]));
    let refused = server.post("/v1/events", &event);
    assert_eq!(refused.problem(503).0, "ingest_off");
    let seconds: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((30..=90).contains(&seconds), "{seconds}");
    assert_eq!(server.put("/v1/items/a", &json!({})).problem(503).0, "ingest_off");
    server.post("/v1/recommend", &json!({"user_id": "u"})).expect(200);
    server.get("/healthz").expect(200);
}

#[test]
fn metrics_have_histograms_and_bounded_labels() {
    let server = TestServer::with_catalogue();
    server.post("/v1/recommend", &json!({})).expect(200);
    server.get("/v1/items/no-such-item-name");
    server.get("/no/such/path");
    let reply = server.get("/metrics");
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4"));
    for expected in [
        "# TYPE shortlist_requests_total counter",
        "# HELP shortlist_requests_total Answers",
        "shortlist_requests_total{method=\"recommend\",code=\"ok\"}",
        "shortlist_requests_total{method=\"get_item\",code=\"item_not_found\"}",
        "shortlist_requests_total{method=\"other\",code=\"no_such_endpoint\"}",
        "# TYPE shortlist_request_seconds histogram",
        "shortlist_request_seconds_bucket{method=\"recommend\",le=\"0.1\"}",
        "shortlist_stage_seconds_bucket{stage=\"popular\",surface=\"home\",le=\"0.001\"}",
        "shortlist_degraded_total{reason=\"no_bundle\",surface=\"home\"}",
        "shortlist_events_total{result=\"accepted\"}",
        "shortlist_bundle_info{bundle=\"no_bundle\"} 1",
        "# TYPE shortlist_ingest_healthy gauge",
    ] {
        assert!(reply.text.contains(expected), "{expected} is not in\n{}", reply.text);
    }
    assert!(!reply.text.contains("no-such-item-name") && !reply.text.contains("/no/such"));
}
