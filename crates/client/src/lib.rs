//! A typed gRPC client of shortlist, with deadlines and careful retries.
//!
//! Floor 1. Used by programs that call the service, by `shortlist loadtest`, and by tests and benchmarks.
//!
//! ```no_run
//! use shortlist_client::{Client, Event, RecommendRequest};
//!
//! # async fn show() -> Result<(), shortlist_client::Error> {
//! let client = Client::connect("http://127.0.0.1:8080").await?;
//! let answer = client.recommend(RecommendRequest::for_user("user-1", 10)).await?;
//! for item in &answer.items {
//!     println!("{} {}", item.item_id, item.score);
//! }
//! let mut click = Event::new("user-1", &answer.items[0].item_id, "click").with_id("click-1");
//! click.request_id = Some(answer.request_id);
//! client.ingest([click]).await?;
//! # Ok(())
//! # }
//! ```
//!
//! **Deadlines.** [`ClientBuilder::deadline`] and [`Client::within`] say how long a call may take, all its attempts
//! counted. The server is told what is left, and answers with less (`degraded`) rather than late. Without one the
//! server's own deadlines count.
//!
//! **Priority.** What nobody waits for, such as a prefetch, is sent with [`Priority::Low`]: the service does it with what is
//! left over, and refuses it before anything else.
//!
//! **Traces.** [`Client::in_trace`] passes the caller's span on, so that the service's spans stand below it.
//!
//! **Retries.** What the service turned away at its door is sent again, and after a broken connection what is safe to
//! repeat: questions, and events that carry an `event_id`. Waits double and are spread by chance; the service's
//! `retry-after` and `grpc-retry-pushback-ms` are honoured; what could not be answered before the deadline is not
//! waited for. All clones of a client share one budget, so that clients do not bring down a service in trouble.
//!
//! **Errors** carry the stable code of the service: [`Error::code`].

mod builder;
mod client;
mod error;
mod limits;
mod priority;
mod retry;

pub use builder::ClientBuilder;
pub use client::Client;
pub use error::{Error, Refusal};
pub use priority::Priority;
pub use shortlist_proto::v1::{
    AttributeValue, ChangeResponse, Contribution, Event, Explanation, IngestEventsResponse, Item, ListItemsResponse,
    ListUsersResponse, PatchItemRequest, RankRequest, RecentEvent, RecommendRequest, RecommendResponse,
    RecommendedItem, RefusedRow, SearchRequest, SimilarItem, SimilarRequest, SimilarResponse, SourceHit, StringList,
    User, WhyNot,
};
/// The status of a call, as gRPC numbers it.
pub use tonic::Code;
