//! Before the service is there, and when it leaves.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use shortlist_gateway::{Access, Doors, GatewayConfig, Loaded, while_loading};
use shortlist_proto::v1;
use shortlist_proto::v1::shortlist_service_client::ShortlistServiceClient;
use shortlist_types::LogSeq;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_stream::StreamExt;
use tonic::Code;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::test_server::{TestServer, metrics};

#[test]
fn whoever_comes_while_it_loads_is_told_so_at_once() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let api = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", api.local_addr().unwrap());
    let admin = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let admin_url = format!("http://{}/admin/v1/bundles", admin.local_addr().unwrap());
    let doors = Doors { api, admin: Some(admin), access: Access::default() };
    let (finish, finished) = oneshot::channel::<u8>();
    let so_far = Loaded::default();
    let loading = runtime.spawn(while_loading(doors, metrics(), so_far.clone(), finished));

    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let get = |path: &str| agent.get(format!("{url}{path}")).call().unwrap();
    assert_eq!(get("/healthz").status(), 200);
    so_far.at(LogSeq(41));
    let mut reply = get("/readyz");
    assert_eq!(reply.status(), 503);
    let expected =
        json!({"ready": false, "bundle": "no_bundle", "log_seq": 41, "ingest": "off", "reasons": ["loading"]});
    assert_eq!(reply.body_mut().read_json::<serde_json::Value>().unwrap(), expected);
    assert!(get("/metrics").body_mut().read_to_string().unwrap().starts_with("# "));
    let mut refused = agent.post(format!("{url}/v1/recommend")).send_json(json!({"user_id": "u"})).unwrap();
    assert_eq!((refused.status().as_u16(), &refused.headers()["connection"]), (503, &"close".parse().unwrap()));
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(refused.body_mut().read_json::<serde_json::Value>().unwrap()["code"], "loading");
    let mut refused = agent.get(admin_url).call().unwrap();
    assert_eq!(refused.body_mut().read_json::<serde_json::Value>().unwrap()["code"], "loading");
    let mut watched = runtime.block_on(async {
        let channel = Endpoint::from_shared(url.clone()).unwrap().connect().await.unwrap();
        let status = ShortlistServiceClient::new(channel.clone()).recommend(v1::RecommendRequest::default()).await;
        let status = status.unwrap_err();
        assert_eq!(
            (status.code(), status.metadata().get("shortlist-code").unwrap().to_str().unwrap()),
            (Code::Unavailable, "loading")
        );
        let mut health = HealthClient::new(channel);
        let checked = health.check(HealthCheckRequest::default()).await.unwrap();
        assert_eq!(checked.into_inner().status(), ServingStatus::NotServing);
        health.watch(HealthCheckRequest::default()).await.unwrap().into_inner()
    });

    finish.send(7).unwrap();
    let (doors, loaded) = runtime.block_on(loading).unwrap();
    assert_eq!(loaded, Ok(7));
    // Who watches is not left behind with what was true once.
    let heard = runtime.block_on(async {
        let mut heard = Vec::new();
        while let Some(Ok(one)) = watched.next().await {
            heard.push(one.status());
        }
        heard
    });
    assert_eq!(heard, [ServingStatus::NotServing]);
    // The same listener goes on: who comes now waits for whatever takes connections next.
    let waiting = TcpStream::connect(doors.api.local_addr().unwrap());
    assert!(waiting.is_ok());
    assert!(runtime.block_on(doors.api.accept()).is_ok());
}

#[test]
fn a_server_that_leaves_says_so_and_serves_on_for_a_moment() {
    let config = GatewayConfig { shutdown_delay_ms: 1_500, ..GatewayConfig::default() };
    let mut server = TestServer::start_with(config, Box::new(|| ()));
    server.fill();
    let mut watcher = HealthClient::new(server.channel());
    let mut watched = server.runtime.block_on(watcher.watch(HealthCheckRequest::default())).unwrap().into_inner();
    let mut grpc = server.grpc();
    let events = tokio_stream::iter([v1::Event {
        user_id: "u".to_owned(),
        item_id: "i1".to_owned(),
        event_type: "click".to_owned(),
        ..v1::Event::default()
    }]);
    let endless = events.chain(tokio_stream::pending());
    let stream = server.runtime.spawn(async move { grpc.stream_events(endless).await });
    // A connection that is kept.
    let mut kept = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    let ask = |kept: &mut TcpStream| {
        kept.write_all(b"GET /v1/users/u1/recommendations?k=1 HTTP/1.1\r\nhost: h\r\n\r\n").unwrap();
        let mut answer = vec![0; 4_096];
        let read = kept.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..read]).into_owned()
    };
    let before = ask(&mut kept);
    assert!(before.starts_with("HTTP/1.1 200") && !before.contains("connection: close"), "{before}");

    let asked_to_stop = Instant::now();
    let ended = server.shut_down();
    while server.get("/readyz").status == 200 {
        assert!(asked_to_stop.elapsed() < Duration::from_secs(1), "it does not say that it leaves");
    }
    assert_eq!(server.get("/readyz").expect(503)["reasons"], json!(["shutting_down"]));
    server.post("/v1/recommend", &json!({"user_id": "u1"})).expect(200);
    let last = ask(&mut kept);
    assert!(last.starts_with("HTTP/1.1 200") && last.contains("connection: close"), "{last}");
    let status = server.runtime.block_on(stream).unwrap().unwrap_err();
    let code = status.metadata().get("shortlist-code").unwrap().to_str().unwrap();
    assert_eq!((status.code(), code), (Code::Unavailable, "shutting_down"));
    // What was streamed before is kept.
    assert!(server.recommender.read(|state| state.user("u").is_some()));

    let mut statuses: Vec<_> = server.runtime.block_on(async {
        let mut statuses = Vec::new();
        while let Some(Ok(one)) = watched.next().await {
            statuses.push(one.status());
        }
        statuses
    });
    statuses.dedup();
    assert_eq!(statuses, [ServingStatus::Serving, ServingStatus::NotServing]);
    server.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(5), ended).await }).unwrap().unwrap();
    let took = asked_to_stop.elapsed();
    assert!(took > Duration::from_millis(1_500) && took < Duration::from_secs(6), "{took:?}");
    assert!(TcpStream::connect(server.url.trim_start_matches("http://")).is_err(), "it still takes connections");
}
