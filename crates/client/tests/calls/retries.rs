use std::time::{Duration, Instant};

use shortlist_client::{Event, Item, Priority, RecommendRequest};
use tonic::Code;

use crate::scripted_server::{Does, ScriptedServer};

const UNAVAILABLE: Does = Does::Refuse(Code::Unavailable, &[]);
const OVERLOADED: Does =
    Does::Refuse(Code::ResourceExhausted, &[("shortlist-code", "overloaded"), ("retry-after", "1")]);

fn question() -> RecommendRequest {
    RecommendRequest::for_user("u", 5)
}

#[tokio::test]
async fn a_question_is_asked_again_with_growing_waits_until_it_is_answered() {
    let (server, client) = ScriptedServer::start(&[UNAVAILABLE, UNAVAILABLE, UNAVAILABLE]).await;
    client.connect().await.unwrap().recommend(question()).await.unwrap();
    assert_eq!(server.count(), 4);
    // 20, 40 and 80 ms, each up to twice as long.
    for (gap, least) in server.gaps().iter().zip([20, 40, 80].map(Duration::from_millis)) {
        assert!(*gap >= least, "{:?}", server.gaps());
    }
}

#[tokio::test]
async fn after_the_last_retry_the_error_is_told() {
    let (server, client) = ScriptedServer::start(&[UNAVAILABLE, UNAVAILABLE]).await;
    let error = client.retries(1).connect().await.unwrap().recommend(question()).await.unwrap_err();
    assert_eq!((error.code(), server.count()), ("unavailable", 2));
}

#[tokio::test]
async fn of_writes_only_events_that_all_have_an_id_are_sent_again_when_they_may_have_happened() {
    let named = || Event::new("u", "a", "click").with_id("e-1");
    let nameless = || Event::new("u", "a", "click");
    for (events, requests) in [(vec![named(), named()], 2), (vec![named(), nameless()], 1)] {
        let (server, client) = ScriptedServer::start(&[UNAVAILABLE]).await;
        let done = client.connect().await.unwrap().ingest(events).await;
        assert_eq!((done.is_ok(), server.count()), (requests == 2, requests));
    }
    let (server, client) = ScriptedServer::start(&[UNAVAILABLE]).await;
    client.connect().await.unwrap().put_item(Item::new("a")).await.unwrap_err();
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn what_was_turned_away_at_the_door_comes_again_when_it_was_told_to() {
    let (server, client) = ScriptedServer::start(&[OVERLOADED]).await;
    client.connect().await.unwrap().put_item(Item::new("a")).await.unwrap();
    assert_eq!(server.count(), 2);
    assert!(server.gaps()[0] >= Duration::from_secs(1), "{:?}", server.gaps());
}

#[tokio::test]
async fn pushback_in_milliseconds_is_honoured_and_a_negative_one_ends_it() {
    let later = Does::Refuse(Code::Unavailable, &[("grpc-retry-pushback-ms", "300")]);
    let (server, client) = ScriptedServer::start(&[later]).await;
    client.connect().await.unwrap().recommend(question()).await.unwrap();
    assert!(server.gaps()[0] >= Duration::from_millis(300), "{:?}", server.gaps());

    let never = Does::Refuse(Code::Unavailable, &[("grpc-retry-pushback-ms", "-1")]);
    let (server, client) = ScriptedServer::start(&[never]).await;
    client.connect().await.unwrap().recommend(question()).await.unwrap_err();
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn what_the_caller_did_wrong_is_not_sent_again() {
    for code in [Code::InvalidArgument, Code::NotFound, Code::Internal, Code::Unimplemented, Code::Unauthenticated] {
        let (server, client) = ScriptedServer::start(&[Does::Refuse(code, &[])]).await;
        client.connect().await.unwrap().recommend(question()).await.unwrap_err();
        assert_eq!(server.count(), 1, "{code:?}");
    }
}

#[tokio::test]
async fn nobody_waits_for_an_answer_that_would_come_after_the_deadline() {
    let (server, client) = ScriptedServer::start(&[OVERLOADED]).await;
    let client = client.connect().await.unwrap().within(Duration::from_millis(500));
    let started = Instant::now();
    assert_eq!(client.recommend(question()).await.unwrap_err().code(), "overloaded");
    assert!(started.elapsed() < Duration::from_millis(400) && server.count() == 1);
}

#[tokio::test]
async fn the_server_is_told_what_is_left_of_the_deadline() {
    let (server, client) = ScriptedServer::start(&[UNAVAILABLE, UNAVAILABLE]).await;
    client.deadline(Duration::from_secs(2)).connect().await.unwrap().recommend(question()).await.unwrap();
    let micros = |number| -> u64 {
        let header = server.header(number, "grpc-timeout").unwrap();
        header.strip_suffix('u').unwrap_or_else(|| panic!("{header}")).parse().unwrap()
    };
    assert!(micros(0) <= 2_000_000 && micros(1) <= micros(0) - 20_000 && micros(2) <= micros(1) - 40_000);
}

#[tokio::test]
async fn without_a_deadline_of_the_caller_the_servers_own_counts() {
    let (server, client) = ScriptedServer::start(&[]).await;
    client.connect().await.unwrap().recommend(question()).await.unwrap();
    assert_eq!(server.header(0, "grpc-timeout"), None);
}

#[tokio::test]
async fn a_silent_server_costs_the_deadline_and_no_more() {
    for silence in [Does::Hang, Does::Stall] {
        let (server, client) = ScriptedServer::start(&[silence]).await;
        let client = client.deadline(Duration::from_millis(150)).connect().await.unwrap();
        let started = Instant::now();
        let error = client.recommend(question()).await.unwrap_err();
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            ("deadline_exceeded", "no answer within 150 ms; a write may still happen")
        );
        assert!((150..400).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
        assert_eq!(server.count(), 1);
    }
}

#[tokio::test]
async fn clones_share_a_budget_beyond_which_nothing_is_sent_again() {
    let (server, client) = ScriptedServer::start(&vec![UNAVAILABLE; 10_000]).await;
    let client = client.retries(1).connect().await.unwrap();
    let calls = (0..200).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.recommend(question()).await.unwrap_err() })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    // 20 of ten seconds, and a tenth of the calls.
    let again = server.count() - 200;
    assert!((20..=45).contains(&again), "{again}");
}

#[tokio::test]
async fn low_priority_is_said_and_high_is_not() {
    let (server, builder) = ScriptedServer::start(&[]).await;
    let client = builder.connect().await.unwrap();
    for client in [client.clone(), client.with_priority(Priority::Low), client.with_priority(Priority::High)] {
        client.recommend(question()).await.unwrap();
    }
    let said = [0, 1, 2].map(|number| server.header(number, Priority::HEADER));
    assert_eq!(said, [None, Some("low".to_owned()), None]);
}
