use std::collections::BTreeMap;

use serde_json::json;
use shortlist_proto::v1;
use shortlist_proto::v1::attribute_value::Value;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1 as reflection, v1alpha as reflection_alpha};

use crate::bundle::bundle;
use crate::test_server::TestServer;

const SERVICE: &str = "shortlist.v1.ShortlistService";

fn code_of(status: &Status) -> &str {
    status.metadata().get("shortlist-code").unwrap().to_str().unwrap()
}

fn event(user_id: &str, item_id: &str, event_type: &str) -> v1::Event {
    let text = str::to_owned;
    v1::Event { user_id: text(user_id), item_id: text(item_id), event_type: text(event_type), ..v1::Event::default() }
}

#[test]
fn both_protocols_give_the_same_answer_item_by_item() {
    let server = TestServer::with_catalogue();
    let mut grpc = server.grpc();
    for with_bundle in [false, true] {
        server.recommender.swap(with_bundle.then(bundle));
        for user in ["u0", "u1", "u5", "nobody"] {
            let why_not = ["i3", "i29", "never-was"];
            let rest = server.post(
                "/v1/recommend",
                &json!({"user_id": user, "k": 12, "explain": true, "deadline_ms": 10_000, "why_not": why_not}),
            );
            let rest = rest.expect(200);
            let request = v1::RecommendRequest {
                user_id: Some(user.to_owned()),
                k: Some(12),
                explain: true,
                why_not: why_not.map(str::to_owned).into(),
                deadline_ms: Some(10_000),
                ..v1::RecommendRequest::default()
            };
            let reply = server.runtime.block_on(grpc.recommend(request)).unwrap();
            let request_id = reply.metadata().get("x-request-id").unwrap().to_str().unwrap().to_owned();
            let answer = reply.into_inner();
            assert_eq!(answer.request_id, request_id);
            assert_eq!(answer.bundle.as_deref(), rest["bundle"].as_str());
            assert_eq!(answer.log_seq, rest["log_seq"].as_u64().unwrap());
            assert_eq!(json!(answer.degraded), rest["degraded"]);
            assert_eq!(answer.score_kind, rest["score_kind"]);
            assert_eq!(answer.items.len(), 12);
            let fates = answer.why_not.iter().map(|told| {
                let mut fate = json!({"item_id": told.item_id, "fate": told.fate});
                told.by.iter().for_each(|by| fate["by"] = json!(by));
                told.rank.iter().for_each(|rank| fate["rank"] = json!(rank));
                fate
            });
            let mut same_fates = rest["why_not"].clone();
            // Scores of time move between the two.
            same_fates
                .as_array_mut()
                .unwrap()
                .iter_mut()
                .for_each(|fate| drop(fate.as_object_mut().unwrap().remove("score")));
            assert_eq!(json!(fates.collect::<Vec<_>>()), same_fates);
            assert_eq!(rest["why_not"][2], json!({"item_id": "never-was", "fate": "unknown_item"}));
            assert!(answer.timings.contains_key("total"));
            for (item, same) in answer.items.iter().zip(rest["items"].as_array().unwrap()) {
                assert_same(item, same);
            }
        }
    }
    let rest = server.post("/v1/similar", &json!({"item_id": "i1"})).expect(200);
    let request = v1::SimilarRequest { item_id: "i1".to_owned(), k: None };
    let answer = server.runtime.block_on(grpc.similar(request)).unwrap().into_inner();
    let items = answer
        .items
        .iter()
        .map(|item| json!({"item_id": item.item_id, "score": as_written(item.score), "rank": item.rank}));
    assert_eq!(json!(items.collect::<Vec<_>>()), rest["items"]);
}

#[test]
fn both_protocols_know_filters_surfaces_candidates_and_pages() {
    let server = TestServer::with_catalogue();
    let mut grpc = server.grpc();
    server.recommender.swap(Some(bundle()));
    let mut both = |rest: serde_json::Value, request: v1::RecommendRequest| {
        let rest = server.post("/v1/recommend", &rest).expect(200);
        let answer = server.runtime.block_on(grpc.recommend(request)).unwrap().into_inner();
        let ids = |items: &serde_json::Value| -> Vec<String> {
            items.as_array().unwrap().iter().map(|item| item["item_id"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(answer.items.iter().map(|item| item.item_id.clone()).collect::<Vec<_>>(), ids(&rest["items"]));
        (ids(&rest["items"]), answer.request_id, rest["request_id"].as_str().unwrap().to_owned())
    };
    let of = |user: &str| v1::RecommendRequest { user_id: Some(user.to_owned()), ..v1::RecommendRequest::default() };
    let text = "genre = \"odd\" or price > 7";
    let filtered = v1::RecommendRequest { filter: Some(text.to_owned()), k: Some(20), ..of("u1") };
    both(json!({"user_id": "u1", "k": 20, "filter": text}), filtered);
    let surface = Some("similar-items".to_owned());
    let similar = v1::RecommendRequest { surface, item_id: Some("i3".to_owned()), ..of("u1") };
    let (items, ..) = both(json!({"user_id": "u1", "surface": "similar-items", "item_id": "i3"}), similar);
    assert!(!items.is_empty() && !items.contains(&"i3".to_owned()));
    let candidates = vec!["i9".to_owned(), "nothing".to_owned()];
    let rest = json!({"user_id": "nobody", "k": 3, "candidates": candidates});
    let (items, ..) = both(rest, v1::RecommendRequest { candidates, k: Some(3), ..of("nobody") });
    assert_eq!(items[0], "i9", "of a stranger nothing is known but what the caller proposes");

    // Each continues what the other one began.
    let ten = v1::RecommendRequest { k: Some(10), ..of("u1") };
    let (first, of_grpc, of_rest) = both(json!({"user_id": "u1", "k": 10}), ten);
    let next = |request_id: String| v1::RecommendRequest {
        request_id: Some(request_id),
        offset: Some(10),
        k: Some(10),
        ..of("u1")
    };
    let (second, ..) = both(json!({"user_id": "u1", "k": 10, "offset": 10, "request_id": of_grpc}), next(of_rest));
    assert!(!second.is_empty() && second.iter().all(|item| !first.contains(item)));
}

/// The two were asked one after the other: features of time moved a little in between.
fn assert_same(item: &v1::RecommendedItem, same: &serde_json::Value) {
    assert_eq!(item.item_id, same["item_id"]);
    assert_eq!(item.rank, same["rank"]);
    assert!((f64::from(item.score) - same["score"].as_f64().unwrap()).abs() < 1e-3);
    let wanted = item.probabilities.get("wanted").map(|probability| f64::from(*probability));
    let same_wanted = same["probabilities"]["wanted"].as_f64();
    assert_eq!(wanted.is_some(), same_wanted.is_some());
    assert!(wanted.zip(same_wanted).is_none_or(|(here, there)| (here - there).abs() < 1e-3));
    let sources = item.sources.iter().map(|hit| json!([hit.source, hit.rank, hit.score.map(as_written)]));
    let same_sources = same["sources"].as_array().unwrap().iter();
    let same_sources = same_sources.map(|hit| json!([hit["source"], hit["rank"], hit["score"]]));
    assert_eq!(json!(sources.collect::<Vec<_>>()), json!(same_sources.collect::<Vec<_>>()));
    let (explanation, same) = (item.explanation.as_ref().unwrap(), &same["explanation"]);
    assert_eq!(explanation.retrieval_score.map(as_written), same["retrieval_score"].as_f64().map(|score| json!(score)));
    assert_eq!(explanation.retrieval_rank, same["retrieval_rank"]);
    assert_eq!(explanation.order_rank, same["order_rank"]);
    assert_eq!(json!(explanation.moved_by), same["moved_by"]);
    assert!(
        explanation.sentence.starts_with("Proposed by ")
            && same["sentence"].as_str().unwrap().starts_with("Proposed by ")
    );
    assert_eq!(explanation.contributions.len(), same["contributions"].as_array().unwrap().len());
}

/// The shortest text that gives the same float, as REST writes it.
fn as_written(float: f32) -> serde_json::Value {
    serde_json::from_str(&format!("{float:?}")).unwrap()
}

#[test]
fn errors_carry_the_same_code_and_text_as_over_rest() {
    let server = TestServer::start();
    let mut grpc = server.grpc();
    let run = &server.runtime;
    let bad_k = v1::RecommendRequest { k: Some(0), ..v1::RecommendRequest::default() };
    let status = run.block_on(grpc.recommend(bad_k)).unwrap_err();
    let (_, _, detail) = server.post("/v1/recommend", &json!({"k": 0})).problem(400);
    assert_eq!(
        (status.code(), code_of(&status), status.message()),
        (Code::InvalidArgument, "invalid_input", detail.as_str())
    );

    let nothing = v1::SimilarRequest { item_id: "nothing".to_owned(), k: None };
    let status = run.block_on(grpc.similar(nothing)).unwrap_err();
    assert_eq!((status.code(), code_of(&status)), (Code::NotFound, "item_not_found"));

    let late = Some(prost_types::Timestamp { seconds: 32_503_680_000, nanos: 0 });
    let bad_events = [
        (v1::Event { value: Some(f64::NAN), ..event("u", "a", "click") }, "events[1].value: must be finite"),
        (v1::Event { timestamp: late, ..event("u", "a", "click") }, "events[1].timestamp: must be at most 300 seconds"),
        (event("", "a", "click"), "events[1].user_id: must not be empty"),
        (event("u", "a", "klick"), "events[1].event_type: unknown type \"klick\""),
        (
            v1::Event {
                context: BTreeMap::from([("x".to_owned(), v1::AttributeValue { value: None })]),
                ..event("u", "a", "click")
            },
            "events[1].context.x: must have a value",
        ),
    ];
    for (bad, text) in bad_events {
        let request = v1::IngestEventsRequest { events: vec![event("u", "a", "click"), bad], partial: false };
        let status = run.block_on(grpc.ingest_events(request)).unwrap_err();
        assert_eq!((status.code(), code_of(&status)), (Code::InvalidArgument, "invalid_input"));
        assert!(status.message().starts_with(text), "{}", status.message());
    }
    let status = run.block_on(grpc.put_item(v1::PutItemRequest { item: None })).unwrap_err();
    assert_eq!(status.message(), "item: is missing");
    let large = v1::PutItemRequest { item: Some(v1::Item { item_id: "x".repeat(3 << 20), ..v1::Item::default() }) };
    let status = run.block_on(grpc.put_item(large)).unwrap_err();
    assert_eq!((status.code(), code_of(&status)), (Code::ResourceExhausted, "body_too_large"));
    assert_eq!(server.get("/readyz").expect(200)["log_seq"], 0);
}

#[test]
fn the_catalogue_is_the_same_from_both_sides() {
    let server = TestServer::start();
    let mut grpc = server.grpc();
    let run = &server.runtime;
    let value = |value| v1::AttributeValue { value: Some(value) };
    let attributes = BTreeMap::from([
        ("adult".to_owned(), value(Value::BoolValue(true))),
        ("genre".to_owned(), value(Value::ListValue(v1::StringList { values: vec!["x".to_owned(), "y".to_owned()] }))),
        ("price".to_owned(), value(Value::NumberValue(2.5))),
        ("title".to_owned(), value(Value::StringValue("T".to_owned()))),
    ]);
    let item = v1::Item {
        item_id: "a".to_owned(),
        attributes: attributes.clone(),
        available: Some(true),
        embedding: vec![1.0, 0.5],
    };
    let change = run.block_on(grpc.put_item(v1::PutItemRequest { item: Some(item.clone()) })).unwrap().into_inner();
    assert_eq!(change, v1::ChangeResponse { accepted: 1, log_seq: 1, refused: Vec::new() });
    let expected = json!({"adult": true, "genre": ["x", "y"], "price": 2.5, "title": "T"});
    assert_eq!(server.get("/v1/items/a").expect(200)["attributes"], expected);
    let id = || "a".to_owned();
    assert_eq!(run.block_on(grpc.get_item(v1::GetItemRequest { item_id: id() })).unwrap().into_inner(), item);
    let items = vec![v1::Item { item_id: "b".to_owned(), ..v1::Item::default() }; 2];
    assert_eq!(
        run.block_on(grpc.put_items(v1::PutItemsRequest { items, partial: false })).unwrap().into_inner().accepted,
        2
    );
    assert_eq!(
        run.block_on(grpc.delete_item(v1::DeleteItemRequest { item_id: id() })).unwrap().into_inner().accepted,
        1
    );
    let status = run.block_on(grpc.get_item(v1::GetItemRequest { item_id: id() })).unwrap_err();
    assert_eq!((status.code(), code_of(&status)), (Code::NotFound, "item_not_found"));

    let user = v1::User { user_id: "u".to_owned(), attributes };
    run.block_on(grpc.put_users(v1::PutUsersRequest { users: vec![user.clone()], partial: false })).unwrap();
    run.block_on(grpc.put_user(v1::PutUserRequest { user: Some(user.clone()) })).unwrap();
    let id = || "u".to_owned();
    assert_eq!(run.block_on(grpc.get_user(v1::GetUserRequest { user_id: id() })).unwrap().into_inner(), user);
    run.block_on(grpc.delete_user(v1::DeleteUserRequest { user_id: id(), erase: false })).unwrap();
    assert_eq!(server.get("/v1/users/u").problem(404).0, "user_not_found");
}

#[test]
fn an_erased_user_is_gone_for_both_sides() {
    let server = TestServer::start();
    let mut grpc = server.grpc();
    let run = &server.runtime;
    let user = v1::User { user_id: "somebody".to_owned(), ..v1::User::default() };
    run.block_on(grpc.put_user(v1::PutUserRequest { user: Some(user) })).unwrap();
    let events = ["somebody", "another", "somebody"].map(|user| event(user, "a", "click")).to_vec();
    run.block_on(grpc.ingest_events(v1::IngestEventsRequest { events, partial: false })).unwrap();
    let mut erase = || {
        let request = v1::DeleteUserRequest { user_id: "somebody".to_owned(), erase: true };
        run.block_on(grpc.delete_user(request)).unwrap().into_inner()
    };
    assert_eq!(erase(), v1::ChangeResponse { accepted: 3, log_seq: 4, refused: Vec::new() });
    assert_eq!(erase(), v1::ChangeResponse { accepted: 0, log_seq: 4, refused: Vec::new() });
    assert_eq!(server.get("/v1/users/somebody").problem(404).0, "user_not_found");
    let log = std::fs::read(server.store.dir().join("shortlist.db")).unwrap();
    assert!(!log.windows(8).any(|bytes| bytes == b"somebody"));
    assert!(log.windows(7).any(|bytes| bytes == b"another"));
}

#[test]
fn a_stream_becomes_durable_in_groups_and_is_counted_whole() {
    let server = TestServer::start();
    let mut grpc = server.grpc();
    let events: Vec<_> = (0..2_500_u32)
        .map(|i| v1::Event { event_id: Some(format!("e{}", i % 2_000)), ..event("u", &format!("i{i}"), "view") })
        .collect();
    let stream = tokio_stream::iter(events);
    let response = server.runtime.block_on(grpc.stream_events(stream)).unwrap().into_inner();
    assert_eq!(
        response,
        v1::IngestEventsResponse { accepted: 2_000, duplicates: 500, log_seq: 2_000, refused: Vec::new() }
    );
    let bad = (0..1_500).map(|i| event("u", if i == 1_234 { "" } else { "a" }, "view"));
    let status = server.runtime.block_on(grpc.stream_events(tokio_stream::iter(bad.collect::<Vec<_>>()))).unwrap_err();
    assert_eq!(status.message(), "events[1234].item_id: must not be empty");
}

#[test]
fn unknown_methods_are_unimplemented_in_the_protocol_of_the_caller() {
    let server = TestServer::start();
    for path in ["/shortlist.v1.ShortlistService/Nothing", "/other.v1.Service/Method", "/v1/nothing"] {
        let mut client = tonic::client::Grpc::new(server.channel());
        let codec = tonic_prost::ProstCodec::<v1::SimilarRequest, v1::SimilarResponse>::default();
        let result: Result<tonic::Response<v1::SimilarResponse>, Status> = server.runtime.block_on(async {
            client.ready().await.unwrap();
            client.unary(tonic::Request::new(v1::SimilarRequest::default()), path.parse().unwrap(), codec).await
        });
        assert_eq!(result.unwrap_err().code(), Code::Unimplemented, "{path}");
    }
    let (code, _, _) = server.post("/other.v1.Service/Method", &json!({})).problem(404);
    assert_eq!(code, "no_such_endpoint");
}

#[test]
fn health_is_told_for_the_server_and_the_service() {
    let server = TestServer::start();
    let mut health = HealthClient::new(server.channel());
    for name in ["", SERVICE] {
        let check = health.check(HealthCheckRequest { service: name.to_owned() });
        let status = server.runtime.block_on(check).unwrap().into_inner().status;
        assert_eq!(status, tonic_health::pb::health_check_response::ServingStatus::Serving as i32, "{name:?}");
    }
}

macro_rules! listed_services {
    ($server:expr, $version:ident) => {{
        use $version::server_reflection_request::MessageRequest;
        use $version::server_reflection_response::MessageResponse;
        let request = $version::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        $server.runtime.block_on(async {
            let channel =
                tonic::transport::Endpoint::from_shared($server.url.clone()).unwrap().connect().await.unwrap();
            let mut client = $version::server_reflection_client::ServerReflectionClient::new(channel);
            let mut replies = client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
            match replies.message().await.unwrap().unwrap().message_response {
                Some(MessageResponse::ListServicesResponse(list)) => {
                    list.service.into_iter().map(|service| service.name).collect::<Vec<_>>()
                }
                other => panic!("{other:?}"),
            }
        })
    }};
}

#[test]
fn both_versions_of_reflection_list_the_service() {
    let server = TestServer::start();
    for services in [listed_services!(server, reflection), listed_services!(server, reflection_alpha)] {
        for name in [SERVICE, "grpc.health.v1.Health"] {
            assert!(services.iter().any(|service| service == name), "{services:?}");
        }
    }
}
