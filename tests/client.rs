//! `shortlist-client` against the running server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails

mod harness;

use std::time::Duration;

use harness::{Server, folder, path};
use shortlist_client::{
    Client, Error, Event, Item, PatchItemRequest, RankRequest, RecommendRequest, SearchRequest, SimilarRequest, User,
};
use tokio::runtime::Runtime;

#[test]
fn all_that_the_service_does_can_be_asked_for() {
    let folder = folder();
    let server = Server::start(&path(&folder, "store"));
    Runtime::new().unwrap().block_on(async {
        let client = Client::builder(&server.url).deadline(Duration::from_secs(10)).connect().await.unwrap();
        let film = Item::new("film-1").with("title", "Heat").with("price", 9.5).with("genres", ["Drama", "Crime"]);
        assert_eq!(client.put_item(film.clone()).await.unwrap().accepted, 1);
        let others = (2..30).map(|n| Item::new(format!("film-{n}")).with("new", n % 2 == 0));
        assert_eq!(client.put_items(others).await.unwrap().accepted, 28);
        assert_eq!(client.item("film-1").await.unwrap(), Some(Item { available: Some(true), ..film }));
        assert_eq!(client.item("film-99").await.unwrap(), None);

        client.patch_item(PatchItemRequest::of("film-1").with("price", 8.0)).await.unwrap();
        assert_eq!(client.item("film-1").await.unwrap().unwrap().attributes["price"], 8.0.into());
        let page = client.items(None, 2).await.unwrap();
        assert_eq!((page.items.len(), page.items[0].item_id.as_str()), (2, "film-1"));
        assert_eq!(client.items(page.next, 2).await.unwrap().items[0].item_id, "film-3");
        let placed = |id: &str, embedding: [f32; 2]| Item { embedding: embedding.into(), ..Item::new(id) };
        client.put_items([placed("north", [0.0, 1.0]), placed("east", [1.0, 0.0])]).await.unwrap();
        let near = client.search(SearchRequest::near([0.9, 0.1], 1)).await.unwrap();
        assert_eq!(near.items[0].item_id, "east");

        let clicks = (1..10).map(|n| Event::new("user-1", format!("film-{n}"), "click").with_id(format!("e-{n}")));
        assert_eq!(client.ingest(clicks.clone()).await.unwrap().accepted, 9);
        assert_eq!(client.stream(tokio_stream::iter(clicks.collect::<Vec<_>>())).await.unwrap().duplicates, 9);

        let answer = client.recommend(RecommendRequest::for_user("user-2", 5)).await.unwrap();
        assert_eq!((answer.items.len(), answer.degraded), (5, vec!["no_bundle".to_owned()]));
        let ranked = client.rank(RankRequest::for_user("user-1", ["film-2", "film-3", "never-was"])).await.unwrap();
        assert_eq!(ranked.items.len(), 2);
        assert!(client.similar(SimilarRequest::to_item("film-1", 3)).await.unwrap().items.len() <= 3);

        let user = User::new("user-1").with("country", "NL");
        client.put_user(user.clone()).await.unwrap();
        client.put_users([User::new("user-2"), User::new("user-3")]).await.unwrap();
        assert_eq!(client.users(None, 10).await.unwrap().users.len(), 3);
        assert_eq!(client.user("user-1").await.unwrap(), Some(user));
        client.delete_user("user-2").await.unwrap();
        assert_eq!(client.erase_user("user-1").await.unwrap().accepted, 10);
        assert_eq!(client.user("user-1").await.unwrap(), None);
        client.delete_item("film-1").await.unwrap();
        assert_eq!(client.item("film-1").await.unwrap(), None);
    });
}

#[test]
fn an_error_has_the_code_of_the_service_and_names_the_field() {
    let folder = folder();
    let server = Server::start(&path(&folder, "store"));
    Runtime::new().unwrap().block_on(async {
        let client = Client::connect(&server.url).await.unwrap();
        let error = client.recommend(RecommendRequest::for_user("user-1", 501)).await.unwrap_err();
        assert_eq!(error.to_string(), "invalid_input: k: must be a whole number from 1 to 500, got 501");
        let error = client.ingest([Event::new("u", "a", "click"), Event::new("u", "", "click")]).await.unwrap_err();
        assert_eq!(error.refusal().unwrap().field.as_deref(), Some("events[1].item_id"), "{error}");
        let error = client.similar(SimilarRequest::to_item("nothing", 3)).await.unwrap_err();
        assert_eq!(error.code(), "item_not_found");
        let Error::Refused(refusal) = error else { panic!("{error:?}") };
        assert!(refusal.request_id.is_some_and(|id| id.len() == 36));
    });
}

#[test]
fn over_a_restart_of_the_server_what_is_safe_goes_through_and_the_rest_is_told() {
    let folder = folder();
    let store = path(&folder, "store");
    let server = Server::start(&store);
    let address = server.address.clone();
    let builder = Client::builder(&server.url).deadline(Duration::from_secs(30)).retries(20);
    Runtime::new().unwrap().block_on(async {
        let client = builder.connect().await.unwrap();
        client.put_item(Item::new("a")).await.unwrap();
        server.kill();
        let told = client.put_item(Item::new("b")).await.unwrap_err();
        assert!(["unreachable", "connection_broken"].contains(&told.code()), "{told}");
        let question = tokio::spawn({
            let client = client.clone();
            // Not the user of the event: what that one has seen is not recommended to him.
            async move { client.recommend(RecommendRequest::for_user("user-2", 1)).await }
        });
        let event = tokio::spawn({
            let client = client.clone();
            async move { client.ingest([Event::new("user-1", "a", "click").with_id("e-1")]).await }
        });
        let again = tokio::task::spawn_blocking(move || {
            Server::start_with(&["serve", "--store", &store, "--listen", &address])
        });
        assert_eq!(question.await.unwrap().unwrap().items.len(), 1);
        assert_eq!(event.await.unwrap().unwrap().accepted, 1);
        drop(again.await.unwrap());
    });
}
