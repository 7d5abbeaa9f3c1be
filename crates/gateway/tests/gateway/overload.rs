use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::json;
use shortlist_gateway::GatewayConfig;
use shortlist_proto::v1;
use tonic::{Code, Request};
use tonic_types::StatusExt;

use crate::test_server::{TestServer, quick_config};

const SOON: Duration = Duration::from_secs(20);

/// A server whose writer waits before it applies, until the sender sends or is dropped.
fn gated(concurrency_max: usize) -> (TestServer, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (entered, has_entered) = mpsc::channel();
    let (release, gate) = mpsc::channel::<()>();
    let config = GatewayConfig { concurrency_max, ..quick_config() };
    let before_apply = move || {
        let _ = entered.send(());
        let _ = gate.recv();
    };
    (TestServer::start_with(config, Box::new(before_apply)), has_entered, release)
}

/// Whether it says when to come again: in one second or a little later.
fn comes_again(retry_after: Option<&str>) -> bool {
    retry_after.is_some_and(|seconds| ["1", "2", "3"].contains(&seconds))
}

/// Whether a refusal says over gRPC when to come again, in all the ways in which clients listen.
pub(crate) fn says_when(status: &tonic::Status) -> bool {
    let text = |key| status.metadata().get(key).and_then(|text| text.to_str().ok());
    let pushback = text("grpc-retry-pushback-ms").and_then(|ms| ms.parse().ok());
    let info = status.get_details_retry_info().and_then(|info| info.retry_delay);
    comes_again(text("retry-after"))
        && pushback.is_some_and(|ms: u64| (1_000..4_000).contains(&ms))
        && info.zip(pushback).is_some_and(|(delay, ms)| delay.as_millis() == u128::from(ms))
}

fn event(user_id: &str) -> v1::Event {
    let text = str::to_owned;
    v1::Event { user_id: text(user_id), item_id: text("a"), event_type: text("click"), ..v1::Event::default() }
}

#[test]
fn both_protocols_share_the_places() {
    let (server, has_entered, release) = gated(2);
    let mut grpc = server.grpc();
    std::thread::scope(|scope| {
        let rest = scope.spawn(|| {
            server.post("/v1/events", &json!({"user_id": "u", "item_id": "a", "event_type": "click"})).status
        });
        has_entered.recv_timeout(SOON).unwrap();
        let mut second = grpc.clone();
        let request = v1::IngestEventsRequest { events: vec![event("v")], partial: false };
        // It may come while a question below has the last place: then it tries again.
        let waiting = server.runtime.spawn(async move {
            loop {
                match second.ingest_events(request.clone()).await {
                    Err(status) if status.code() == Code::ResourceExhausted => {}
                    outcome => return outcome,
                }
            }
        });
        // From the moment when the second one has its place both protocols refuse.
        let patience = Instant::now() + SOON;
        let refused = loop {
            let reply = server.post("/v1/recommend", &json!({}));
            if reply.status != 200 || Instant::now() > patience {
                break reply;
            }
        };
        assert_eq!(refused.problem(429).0, "overloaded");
        assert!(comes_again(refused.header("retry-after")));
        let status = server.runtime.block_on(grpc.recommend(v1::RecommendRequest::default())).unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(status.metadata().get("shortlist-code").unwrap(), "overloaded");
        assert!(says_when(&status), "{status:?}");
        // Who watches the server is never refused.
        server.get("/healthz").expect(200);
        server.get("/readyz").expect(200);
        assert_eq!(server.get("/metrics").status, 200);
        drop(release);
        assert_eq!(rest.join().unwrap(), 200);
        assert_eq!(server.runtime.block_on(waiting).unwrap().unwrap().into_inner().accepted, 1);
    });
    server.post("/v1/recommend", &json!({})).expect(200);
}

#[test]
fn low_gets_what_is_left_over_and_is_refused_first_over_both_protocols() {
    let (server, has_entered, release) = gated(4);
    let rest = |priority: &str| {
        let headers = [("content-type", "application/json"), ("x-shortlist-priority", priority)];
        server.send("POST", "/v1/recommend", &headers, b"{}")
    };
    let grpc = |priority: &'static str| {
        let mut request = Request::new(v1::RecommendRequest::default());
        request.metadata_mut().insert("x-shortlist-priority", priority.parse().unwrap());
        server.runtime.block_on(server.grpc().recommend(request)).map(drop)
    };
    let shed = || {
        let text = server.get("/metrics").text;
        let line = text.lines().find_map(|line| line.strip_prefix("shortlist_shed_total{priority=\"low\"} "));
        line.map_or(0, |count| count.parse::<u64>().unwrap())
    };
    assert_eq!(rest("low").status, 200);
    grpc("low").unwrap();
    std::thread::scope(|scope| {
        for user in ["u", "v"] {
            let server = &server;
            scope.spawn(move || {
                let body = json!({"user_id": user, "item_id": "a", "event_type": "click"});
                server.post("/v1/events", &body).expect(200)
            });
        }
        // One write is being applied, and the other holds its place behind it: half of the places are taken.
        has_entered.recv_timeout(SOON).unwrap();
        let patience = Instant::now() + SOON;
        let before = shed();
        let refused = loop {
            let reply = rest("low");
            if reply.status != 200 || Instant::now() > patience {
                break reply;
            }
        };
        assert_eq!(refused.problem(429).0, "overloaded");
        assert!(comes_again(refused.header("retry-after")));
        let status = grpc("low").unwrap_err();
        assert_eq!((status.code(), says_when(&status)), (Code::ResourceExhausted, true), "{status:?}");
        // Other tests of this process may be refused, too.
        assert!(shed() >= before + 2);
        assert_eq!(rest("high").status, 200);
        grpc("high").unwrap();
        server.post("/v1/recommend", &json!({})).expect(200);
        drop(release);
    });
    assert_eq!(rest("low").status, 200);
    grpc("low").unwrap();

    for bad in ["HIGH", "1", ""] {
        let (code, field, detail) = rest(bad).problem(400);
        assert_eq!((code.as_str(), field.as_deref()), ("invalid_input", Some("x-shortlist-priority")), "{bad:?}");
        assert_eq!(detail, "x-shortlist-priority: must be high or low");
        let status = grpc(bad).unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, detail.as_str()));
    }
}

#[test]
fn a_write_that_misses_its_deadline_says_so_and_keeps_its_place_until_it_is_done() {
    let (server, has_entered, release) = gated(1);
    let headers = [("content-type", "application/json"), ("x-request-timeout", "50")];
    let body = json!({"user_id": "u", "item_id": "a", "event_type": "click"}).to_string();
    let (code, _, detail) = server.send("POST", "/v1/events", &headers, body.as_bytes()).problem(504);
    assert_eq!(
        (code.as_str(), detail.as_str()),
        ("deadline_exceeded", "there was no answer within 50 ms; a write may still happen")
    );
    has_entered.recv_timeout(SOON).unwrap();
    assert_eq!(server.post("/v1/recommend", &json!({})).problem(429).0, "overloaded");
    drop(release);
    while server.post("/v1/recommend", &json!({})).status != 200 {}
    assert_eq!(server.get("/readyz").expect(200)["log_seq"], 1);
}

#[test]
fn a_grpc_deadline_is_the_callers_not_the_transports() {
    let (server, _has_entered, _release) = gated(4);
    let mut grpc = server.grpc();
    let mut request = tonic::Request::new(v1::IngestEventsRequest { events: vec![event("u")], partial: false });
    request.metadata_mut().insert("grpc-timeout", "2000m".parse().unwrap());
    let status = server.runtime.block_on(grpc.ingest_events(request)).unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(status.metadata().get("shortlist-code").unwrap(), "deadline_exceeded");
}

#[test]
fn events_that_nobody_waits_for_leave_room_in_the_log_for_others() {
    let (server, has_entered, release) = gated(16);
    let send = |priority: &str, user: &str, events: usize| {
        let event = json!({"user_id": user, "item_id": "a", "event_type": "click"});
        let headers = [("content-type", "application/json"), ("x-shortlist-priority", priority)];
        let body = json!({"events": vec![event; events]}).to_string();
        server.send("POST", "/v1/events", &headers, body.as_bytes())
    };
    let waiting = || {
        let text = server.get("/metrics").text;
        let line = text.lines().find_map(|line| line.strip_prefix("shortlist_log_records_waiting "));
        line.map_or(0.0, |count| count.parse::<f64>().unwrap())
    };
    std::thread::scope(|scope| {
        let first = scope.spawn(|| send("high", "u", 1).status);
        has_entered.recv_timeout(SOON).unwrap();
        // The queue takes 4,096.
        let many = scope.spawn(|| send("low", "v", 600).status);
        let patience = Instant::now() + SOON;
        while waiting() < 600.0 {
            assert!(Instant::now() < patience, "they do not wait");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(send("low", "w", 1).problem(429).0, "ingest_busy");
        let high = scope.spawn(|| send("high", "x", 1).status);
        drop(release);
        assert_eq!([first, many, high].map(|one| one.join().unwrap()), [200; 3]);
    });
    assert_eq!(send("low", "w", 1).status, 200);
}

#[test]
fn a_shutdown_answers_what_is_in_flight() {
    let (mut server, has_entered, release) = gated(4);
    let mut grpc = server.grpc();
    let url = format!("{}/v1/events", server.url);
    let rest = std::thread::spawn(move || {
        ureq::post(url).content_type("application/json").send(r#"{"user_id":"u","item_id":"a","event_type":"click"}"#)
    });
    has_entered.recv_timeout(SOON).unwrap();
    let waiting = server.runtime.spawn(async move {
        grpc.ingest_events(v1::IngestEventsRequest { events: vec![event("v")], partial: false }).await
    });
    std::thread::sleep(Duration::from_millis(100));
    // A connection that never says anything does not hold the shutdown up.
    let _silent = std::net::TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    let ended = server.shut_down();
    std::thread::sleep(Duration::from_millis(50));
    drop(release);
    assert_eq!(rest.join().unwrap().unwrap().status(), 200);
    server.runtime.block_on(waiting).unwrap().unwrap();
    server.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(5), ended).await }).unwrap().unwrap();
}

#[test]
fn erasures_wait_in_a_line_of_their_own_which_is_bounded() {
    let server = TestServer::with_catalogue();
    std::thread::scope(|scope| {
        let (answered, answers) = mpsc::channel();
        // Whoever makes a checkpoint keeps erasures waiting.
        let held = server.state.hold_checkpoints();
        for user in 0..12 {
            let (server, answered) = (&server, answered.clone());
            scope.spawn(move || answered.send(server.delete(&format!("/v1/users/u{user}?erase=true"))).unwrap());
        }
        for _ in 0..4 {
            let refused = answers.recv_timeout(SOON).unwrap();
            assert_eq!(refused.problem(429).0.as_str(), "overloaded");
            assert!(comes_again(refused.header("retry-after")));
        }
        server.post("/v1/recommend", &json!({})).expect(200);
        assert!(answers.try_recv().is_err());
        drop(held);
        for _ in 0..8 {
            answers.recv_timeout(SOON).unwrap().expect(200);
        }
    });
}
