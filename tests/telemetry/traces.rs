//! Traces of the real binary, as a collector receives them.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};
use shortlist_client::{Client, RecommendRequest};
use tokio::runtime::Runtime;

use super::collector::{Collector, hex, text};
use super::metrics::Page;
use crate::harness::{Server, folder, imported_store, path};

const CALLERS_SPAN: &str = "00f067aa0ba902b7";

/// A server that sends its traces to `endpoint`, and the folder of its store.
fn server(endpoint: &str, telemetry: &str) -> (tempfile::TempDir, Server) {
    let folder = folder();
    let store = imported_store(&folder);
    let config = format!("[telemetry]\notlp_endpoint = \"{endpoint}\"\nservice_name = \"shop\"\n{telemetry}\n");
    std::fs::write(path(&folder, "store/shortlist.toml"), config).unwrap();
    let args = ["serve", "--store", &store, "--listen", "127.0.0.1:0"];
    (folder, Server::start_with_env(&args, &[("SHORTLIST_LOG", "shortlist_gateway=debug,info")]))
}

/// POST with a `traceparent`: the answer.
fn post(server: &Server, path: &str, parent: &str, body: &Value) -> Value {
    let request = ureq::post(format!("{}{path}", server.url)).header("traceparent", parent);
    let mut response = request.header("tracestate", "shop=basket").send_json(body).unwrap();
    response.body_mut().read_json().unwrap()
}

fn names(spans: &[Span]) -> BTreeSet<&str> {
    spans.iter().map(|span| span.name.as_str()).collect()
}

#[test]
fn a_request_is_a_span_of_its_callers_trace_and_each_stage_one_of_its_own() {
    let collector = Collector::start();
    let (_folder, server) = server(&collector.endpoint, "sample = 0.0");
    let trace_id = |number: u32| format!("4bf92f3577b34da6a3ce929d{number:08x}");
    let parent = |number: u32, flags: &str| format!("00-{}-{CALLERS_SPAN}-{flags}", trace_id(number));

    let asked = json!({"user_id": "user-3", "k": 5});
    let answer = post(&server, "/v1/recommend", &parent(1, "01"), &asked);
    let (span, parts) = collector.trace(&trace_id(1));
    assert_eq!((span.name.as_str(), hex(&span.parent_span_id).as_str()), ("recommend", CALLERS_SPAN));
    assert_eq!(span.trace_state, "shop=basket");
    for (key, expected) in [
        ("shortlist.request_id", answer["request_id"].as_str().unwrap()),
        ("shortlist.surface", "home"),
        ("shortlist.code", "ok"),
        ("shortlist.degraded", "no_bundle"),
        ("http.response.status_code", "200"),
    ] {
        assert_eq!(text(&span.attributes, key).as_deref(), Some(expected), "{key}");
    }
    let mut stages: BTreeSet<_> = answer["timings"].as_object().unwrap().keys().map(String::as_str).collect();
    stages.remove("total");
    assert_eq!(names(&parts), stages);
    assert_eq!(parts.len(), stages.len(), "one span per stage");
    assert!(stages.len() > 6, "{stages:?}");
    let mut last = span.start_time_unix_nano;
    for part in &parts {
        assert_eq!(part.parent_span_id, span.span_id);
        assert!(part.start_time_unix_nano >= last && part.end_time_unix_nano <= span.end_time_unix_nano, "{part:?}");
        last = part.end_time_unix_nano;
    }
    let popular = parts.iter().find(|part| part.name == "popular").unwrap();
    assert!(text(&popular.attributes, "shortlist.proposed").unwrap().parse::<u32>().unwrap() >= 5);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    assert!(now - u128::from(span.start_time_unix_nano) < 60_000_000_000, "of this minute");
    assert!(collector.services().iter().all(|name| name == "shop"));
    // Every line of the log about it names it.
    let lines: Vec<_> = server.lines().into_iter().filter(|line| line.contains(&trace_id(1))).collect();
    assert!(!lines.is_empty());
    for line in lines {
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&line["span"]["trace_id"], &line["span"]["request_id"]),
            (&json!(trace_id(1)), &answer["request_id"])
        );
    }

    // An event, and what is not to be traced.
    let event = json!({"user_id": "user-3", "item_id": "item-1", "event_type": "click"});
    post(&server, "/v1/events", &parent(2, "01"), &event);
    post(&server, "/v1/recommend", &parent(3, "00"), &asked);
    post(&server, "/v1/recommend", &format!("00-{}-{CALLERS_SPAN}", trace_id(4)), &asked);
    post(&server, "/v1/recommend", "00-00000000000000000000000000000000-0000000000000000-01", &asked);
    assert_eq!(server.post("/v1/recommend", &asked).0, 200);
    let (span, parts) = collector.trace(&trace_id(2));
    assert_eq!(span.name, "ingest_events");
    assert_eq!(names(&parts), BTreeSet::from(["queue", "work", "log_commit"]));

    // The same over gRPC, and an error of the caller's, which is none of the service's.
    Runtime::new().unwrap().block_on(async {
        let client = Client::connect(server.url.clone()).await.unwrap();
        for (number, k) in [(5, 3), (6, 100_000)] {
            let client = client.in_trace(&parent(number, "01"), "shop=basket").unwrap();
            assert_eq!(client.recommend(RecommendRequest::for_user("user-4", k)).await.is_ok(), k == 3);
        }
    });
    let (span, parts) = collector.trace(&trace_id(5));
    assert_eq!((span.name.as_str(), hex(&span.parent_span_id).as_str()), ("recommend", CALLERS_SPAN));
    assert_eq!(span.trace_state, "shop=basket");
    assert!(names(&parts).is_superset(&BTreeSet::from(["queue", "popular", "ranking"])));
    let (span, _) = collector.trace(&trace_id(6));
    assert_eq!(text(&span.attributes, "shortlist.code").as_deref(), Some("invalid_input"));
    assert_eq!(span.status.map(|status| status.code), Some(0), "{:?}", span.attributes);
    let traced: BTreeSet<_> = collector.spans().iter().map(|span| hex(&span.trace_id)).collect();
    assert_eq!(traced, [1, 2, 5, 6].map(trace_id).into(), "of the others nothing is told");

    // What waits at the end is sent.
    post(&server, "/v1/recommend", &parent(7, "01"), &asked);
    assert_eq!(server.stop(), Some(0));
    let traced: BTreeSet<_> = collector.spans().iter().map(|span| hex(&span.trace_id)).collect();
    assert!(traced.contains(&trace_id(7)));
}

#[test]
fn a_request_whose_caller_hangs_up_is_traced_too() {
    let collector = Collector::start();
    let (_folder, server) = server(&collector.endpoint, "sample = 0.0\ntraces_per_second = 1000");
    let address = server.url.strip_prefix("http://").unwrap();
    let is_left = |span: &Span| text(&span.attributes, "shortlist.code").as_deref() == Some("unanswered");
    // Some are answered before.
    let until = Instant::now() + Duration::from_secs(20);
    for number in 1.. {
        assert!(Instant::now() < until, "no span of a request that nobody waited for");
        let mut caller = TcpStream::connect(address).unwrap();
        let parent = format!("00-{number:032x}-{CALLERS_SPAN}-01");
        let head =
            format!("GET /v1/users/user-3/recommendations?k=50 HTTP/1.1\r\nhost: h\r\ntraceparent: {parent}\r\n\r\n");
        caller.write_all(head.as_bytes()).unwrap();
        drop(caller);
        std::thread::sleep(Duration::from_millis(5));
        if collector.spans().iter().any(is_left) {
            break;
        }
    }
    let spans = collector.spans();
    let left = spans.iter().find(|span| is_left(span)).unwrap();
    assert_eq!((left.name.as_str(), hex(&left.parent_span_id).as_str()), ("recommend", CALLERS_SPAN));
    assert_eq!(left.status.as_ref().map(|status| status.code), Some(0), "it is not the service's fault");
}

#[test]
fn a_trace_that_begins_here_has_the_requests_name_and_there_are_not_too_many() {
    let collector = Collector::start();
    let (_folder, server) = server(&collector.endpoint, "sample = 1.0\ntraces_per_second = 1");
    let answer = server.post("/v1/recommend", &json!({"user_id": "user-3"})).1;
    let (span, _) = collector.trace(&answer["request_id"].as_str().unwrap().replace('-', ""));
    assert!(span.parent_span_id.is_empty());
    let started = Instant::now();
    for number in 1..=40 {
        let parent = format!("00-{number:032x}-{CALLERS_SPAN}-01");
        post(&server, "/v1/recommend", &parent, &json!({"user_id": "user-3"}));
    }
    let most = started.elapsed().as_secs_f64() + 2.0;
    let page = Page::read(&server);
    let limited = page.sum("shortlist_traces_limited_total", &[]);
    assert!((40.0 - most..=42.0).contains(&limited), "{limited} of 40 were not traced, {most} may be");
}

#[test]
fn a_collector_that_is_away_or_silent_costs_its_spans_and_no_request() {
    // The one refuses connections, the other takes them and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (endpoint, requests, outcomes) in
        [(gone, 20, &["failed"][..]), (silent.local_addr().unwrap(), 1_200, &["failed", "dropped"])]
    {
        let (_folder, server) = server(&format!("http://{endpoint}"), "sample = 1.0\ntraces_per_second = 1000");
        let mut slowest = Duration::ZERO;
        for _ in 0..requests {
            let started = Instant::now();
            assert_eq!(server.post("/v1/recommend", &json!({"user_id": "user-3"})).0, 200);
            slowest = slowest.max(started.elapsed());
        }
        assert!(slowest < Duration::from_secs(2), "an answer took {slowest:?}");
        for outcome in outcomes {
            server.wait_until("spans are counted", |server| {
                Page::read(server).sum("shortlist_spans_total", &[("outcome", outcome)]) > 0.0
            });
        }
        assert_eq!(Page::read(&server).sum("shortlist_spans_total", &[("outcome", "exported")]), 0.0);
        assert!(server.said("the collector takes no traces"));
        let stopping = Instant::now();
        assert_eq!(server.stop(), Some(0));
        assert!(stopping.elapsed() < Duration::from_secs(8), "it stopped after {:?}", stopping.elapsed());
    }
}
