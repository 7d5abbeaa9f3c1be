//! Asks a running server for a list, tells it of a click, and asks again.
//!
//! ```sh
//! cargo run --release -- quickstart                            # in one terminal
//! cargo run -p shortlist-client --example first_steps          # in another
//! ```
//! Another server and user are named by arguments: `first_steps http://127.0.0.1:8080 user-7`.

#![allow(clippy::print_stdout, reason = "an example shows what it got")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shortlist_client::{Client, Error, Event, RecommendRequest};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "http://127.0.0.1:8080".to_owned());
    let user = arguments.next().unwrap_or_else(|| "user-1".to_owned());
    let client = Client::builder(url).deadline(Duration::from_secs(1)).connect().await?;

    let before = client.recommend(RecommendRequest::for_user(&user, 5)).await?;
    println!("{user} should see:");
    for item in &before.items {
        println!("  {}. {}  {:.3}", item.rank + 1, item.item_id, item.score);
    }
    let Some(first) = before.items.first() else {
        println!("  nothing: the catalogue is empty");
        return Ok(());
    };

    // An id of its own makes an event safe to send again: after a broken connection the client does so by itself.
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let mut bought = Event::new(&user, &first.item_id, "purchase").with_id(format!("example-{now}"));
    bought.request_id = Some(before.request_id.clone());
    let done = client.ingest([bought]).await?;
    println!("{user} buys {}: {} event on disk, number {} of the log", first.item_id, done.accepted, done.log_seq);

    let after = client.recommend(RecommendRequest::for_user(&user, 5)).await?;
    println!("now {user} should see: {}", ids(&after.items));

    // Errors carry a code that stays, and say what is wrong.
    match client.recommend(RecommendRequest::for_user(&user, 0)).await {
        Err(Error::Refused(refusal)) => println!("k = 0 is refused: {} ({})", refusal.code, refusal.message),
        other => println!("k = 0 was not refused: {other:?}"),
    }
    Ok(())
}

fn ids(items: &[shortlist_client::RecommendedItem]) -> String {
    items.iter().map(|item| item.item_id.as_str()).collect::<Vec<_>>().join(", ")
}
