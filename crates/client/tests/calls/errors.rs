use std::time::Duration;

use shortlist_client::{Client, Error, RecommendRequest};
use tonic::Code;

use crate::scripted_server::{Does, ScriptedServer};

#[tokio::test]
async fn a_refusal_carries_all_that_the_service_said() {
    let said: &[_] = &[("shortlist-code", "ingest_off"), ("retry-after", "37"), ("x-request-id", "r-1")];
    let (_, client) = ScriptedServer::start(&[Does::Refuse(Code::Unavailable, said)]).await;
    let error = client.connect().await.unwrap().recommend(RecommendRequest::for_user("u", 5)).await.unwrap_err();
    assert_eq!(error.to_string(), "ingest_off: as the script says");
    assert!(!error.is_overload());
    let Error::Refused(refusal) = error else { panic!("{error:?}") };
    assert_eq!((refusal.code.as_str(), refusal.status), ("ingest_off", Code::Unavailable));
    assert_eq!((refusal.retry_after, refusal.request_id.as_deref()), (Some(Duration::from_secs(37)), Some("r-1")));
}

#[tokio::test]
async fn what_answers_in_place_of_the_service_is_named_by_its_grpc_status() {
    let (_, client) = ScriptedServer::start(&[Does::Refuse(Code::FailedPrecondition, &[])]).await;
    let error = client.connect().await.unwrap().item("a").await.unwrap_err();
    assert_eq!(error.code(), "failed_precondition");
}

#[tokio::test]
async fn what_is_not_there_is_no_error() {
    let absent = Does::Refuse(Code::NotFound, &[("shortlist-code", "item_not_found")]);
    let (_, client) = ScriptedServer::start(&[absent]).await;
    let client = client.connect().await.unwrap();
    assert_eq!(client.item("a").await.unwrap(), None);
    assert!(client.item("a").await.unwrap().is_some());
}

#[tokio::test]
async fn the_key_goes_along() {
    let (server, client) = ScriptedServer::start(&[]).await;
    let client = client.api_key("k-1").connect().await.unwrap();
    client.recommend(RecommendRequest::default()).await.unwrap();
    client.stream(tokio_stream::empty()).await.unwrap();
    for number in [0, 1] {
        assert_eq!(server.header(number, "authorization").as_deref(), Some("Bearer k-1"));
    }
    assert!(!format!("{client:?}").contains("k-1"));
}

#[tokio::test]
async fn a_client_of_nowhere_says_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = Client::connect(&url).await.unwrap_err();
    assert_eq!(error.code(), "unreachable");
    assert!(error.to_string().contains("refused"), "{error}");
    for url in ["", "127.0.0.1:8080", "ftp://a", "http://", "not a url"] {
        let error = Client::connect(url).await.unwrap_err();
        assert_eq!(error.code(), "invalid_client", "{url:?}: {error}");
        assert!(error.to_string().contains("http://127.0.0.1:8080"), "{error}");
    }
    let error = Client::builder(url).api_key("a\nb").connect_lazy().unwrap_err();
    assert_eq!(error.to_string(), "api_key: must be printable ASCII");
}
