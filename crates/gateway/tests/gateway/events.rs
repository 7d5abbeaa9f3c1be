use serde_json::json;
use shortlist_store::StoreError;
use shortlist_types::LogSeq;

use crate::test_server::TestServer;

fn log_length(server: &TestServer) -> u64 {
    let mut records = 0;
    let result: Result<(), StoreError> = server.store.reader().unwrap().read(LogSeq(0), LogSeq(u64::MAX), |_, _| {
        records += 1;
        Ok(())
    });
    result.unwrap();
    records
}

#[test]
fn what_is_acknowledged_is_in_the_log() {
    let server = TestServer::start();
    let one = json!({"user_id": "u", "item_id": "a", "event_type": "rating", "value": 4.5, "event_id": "e1",
        "timestamp": "2026-01-31T12:00:00+01:00", "request_id": "r", "position": 3, "context": {"device": "phone"}});
    assert_eq!(server.post("/v1/events", &one).expect(200), json!({"accepted": 1, "duplicates": 0, "log_seq": 1}));
    assert_eq!(log_length(&server), 1);
    // A retry, and a batch that holds one.
    assert_eq!(server.post("/v1/events", &one).expect(200), json!({"accepted": 0, "duplicates": 1, "log_seq": 1}));
    let other = json!({"user_id": "u", "item_id": "b", "event_type": "click"});
    let batch = server.post("/v1/events", &json!({"events": [one, other, other]})).expect(200);
    assert_eq!(batch, json!({"accepted": 2, "duplicates": 1, "log_seq": 3}));
    assert_eq!(log_length(&server), 3);
}

#[test]
fn one_bad_event_refuses_the_batch_and_is_named() {
    let server = TestServer::start();
    let good = json!({"user_id": "u", "item_id": "a", "event_type": "click"});
    let cases = [
        (json!({"user_id": "u", "event_type": "click"}), "events[1].item_id", "missing field `item_id`"),
        (json!({"user_id": "", "item_id": "a", "event_type": "click"}), "events[1].user_id", "must not be empty"),
        (json!({"user_id": "u", "item_id": "a\u{202e}", "event_type": "click"}), "events[1].item_id", "U+202E"),
        (
            json!({"user_id": "u", "item_id": "a", "event_type": "klick"}),
            "events[1].event_type",
            "known are click, hide",
        ),
        (json!({"user_id": "u", "item_id": "a", "event_type": "click", "value": 1e39}), "events[1].value", "range"),
        (
            json!({"user_id": "u", "item_id": "a", "event_type": "click", "position": -1}),
            "events[1].position",
            "got -1",
        ),
        (
            json!({"user_id": "u", "item_id": "a", "event_type": "click", "timestamp": "2999-01-01T00:00:00Z"}),
            "events[1].timestamp",
            "at most 300 seconds in the future",
        ),
        (
            json!({"user_id": "u", "item_id": "a", "event_type": "click", "timestamp": "today"}),
            "events[1].timestamp",
            "RFC 3339",
        ),
        (
            json!({"user_id": "u", "item_id": "a", "event_type": "click", "extra": 1}),
            "events[1].extra",
            "unknown field",
        ),
        (
            json!({"user_id": "u", "item_id": "a", "event_type": "click", "context": {"x": null}}),
            "events[1].context.x",
            "a string, a number, a bool or a list of strings",
        ),
    ];
    for (bad, field, text) in cases {
        let reply = server.post("/v1/events", &json!({"events": [good, bad]}));
        let (code, named, detail) = reply.problem(400);
        assert_eq!((code.as_str(), named.as_deref()), ("invalid_input", Some(field)), "{detail}");
        assert!(detail.contains(text), "{detail}");
    }
    for events in [json!([]), json!(vec![good; 1_001])] {
        let (_, field, detail) = server.post("/v1/events", &json!({"events": events})).problem(400);
        assert_eq!(field.as_deref(), Some("events"));
        assert!(detail.contains("must have 1 to 1000 entries"), "{detail}");
    }
    let (_, field, _) =
        server.post("/v1/events", &json!({"user_id": "u", "item_id": "a", "event_type": "?"})).problem(400);
    assert_eq!(field.as_deref(), Some("event_type"));
    assert_eq!(log_length(&server), 0);
}

#[test]
fn events_without_a_time_happened_now() {
    let server = TestServer::start();
    server.post("/v1/events", &json!({"user_id": "u", "item_id": "a", "event_type": "click"})).expect(200);
    let micros = server.recommender.read(|state| state.latest().unwrap().as_micros());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
    assert!((now - u128::try_from(micros).unwrap()) < 60_000_000);
}
