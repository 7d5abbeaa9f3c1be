use std::sync::Arc;
use std::time::Duration;

use shortlist_proto::v1::shortlist_service_client::ShortlistServiceClient;
use shortlist_proto::v1::{
    ChangeResponse, DeleteItemRequest, DeleteUserRequest, Event, GetItemRequest, GetUserRequest, IngestEventsRequest,
    IngestEventsResponse, Item, ListItemsRequest, ListItemsResponse, ListUsersRequest, ListUsersResponse,
    PatchItemRequest, PutItemRequest, PutItemsRequest, PutUserRequest, PutUsersRequest, RankRequest, RecommendRequest,
    RecommendResponse, SearchRequest, SimilarRequest, SimilarResponse, User,
};
use tokio::time::{Instant, timeout_at};
use tokio_stream::Stream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use crate::limits::{ANSWER_WAIT, ERASURE_WAIT};
use crate::retry::{Repeat, Retries};
use crate::{ClientBuilder, Error, Priority};

type Grpc = ShortlistServiceClient<Channel>;

/// The service, over one connection that is opened again when it breaks. Cheap to clone: clones share the connection
/// and the budget of repetitions.
#[derive(Debug, Clone)]
pub struct Client {
    grpc: Grpc,
    authorization: Option<MetadataValue<Ascii>>,
    patience: Patience,
    priority: Priority,
    trace: Option<Arc<Trace>>,
    retries: Arc<Retries>,
}

/// The caller's span, as W3C writes it.
#[derive(Debug)]
struct Trace {
    parent: MetadataValue<Ascii>,
    state: Option<MetadataValue<Ascii>>,
}

/// How long and how often a caller tries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Known to the server too.
    pub(crate) deadline: Option<Duration>,
    pub(crate) retries: u32,
}

/// What one kind of call may do.
#[derive(Debug, Clone, Copy)]
struct Manner {
    repeat: Repeat,
    /// How long it waits if the caller says nothing.
    wait: Duration,
}

const READ: Manner = Manner { repeat: Repeat::Safe, wait: ANSWER_WAIT };
const WRITE: Manner = Manner { repeat: Repeat::WhenNothingWasKept, wait: ANSWER_WAIT };

impl Client {
    /// A client of the server at `url`, such as `http://127.0.0.1:8080`.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(url.into())
    }

    /// Opens a connection, with deadlines and retries as they come.
    ///
    /// # Errors
    /// As [`ClientBuilder::connect`].
    pub async fn connect(url: impl Into<String>) -> Result<Self, Error> {
        Self::builder(url).connect().await
    }

    pub(crate) fn new(
        channel: Channel,
        authorization: Option<MetadataValue<Ascii>>,
        patience: Patience,
        retries: Arc<Retries>,
    ) -> Self {
        Self { grpc: Grpc::new(channel), authorization, patience, priority: Priority::High, trace: None, retries }
    }

    /// The same client, whose calls may take so long: `client.within(SHORT).recommend(...)`.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Self {
        let patience = Patience { deadline: Some(deadline), ..self.patience };
        Self { patience, ..self.clone() }
    }

    /// The same client, whose calls are of this priority: `client.with_priority(Priority::Low).recommend(...)` for a
    /// prefetch.
    #[must_use]
    pub fn with_priority(&self, priority: Priority) -> Self {
        Self { priority, ..self.clone() }
    }

    /// The same client, whose calls are parts of a trace: of the span that `traceparent` names, with the `tracestate` that goes
    /// with it, empty if there is none, both as W3C writes them and as the propagator of a tracing library gives them.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what cannot be sent as a header; what is no `traceparent` the service ignores.
    pub fn in_trace(&self, traceparent: &str, tracestate: &str) -> Result<Self, Error> {
        let value = |what, text: &str| {
            let invalid = |_| Error::Invalid { what, reason: "must be printable ASCII".to_owned() };
            MetadataValue::try_from(text).map_err(invalid)
        };
        let state = (!tracestate.is_empty()).then(|| value("tracestate", tracestate)).transpose()?;
        let trace = Trace { parent: value("traceparent", traceparent)?, state };
        Ok(Self { trace: Some(Arc::new(trace)), ..self.clone() })
    }

    /// The items for one user or session, best first.
    ///
    /// # Errors
    /// [`Error`]; an unknown user is none.
    pub async fn recommend(&self, request: RecommendRequest) -> Result<RecommendResponse, Error> {
        self.call(READ, request, async |grpc, request| grpc.recommend(request).await).await
    }

    /// The items most like one item.
    ///
    /// # Errors
    /// [`Error`], with the code `item_not_found` where there is no such item.
    pub async fn similar(&self, request: SimilarRequest) -> Result<SimilarResponse, Error> {
        self.call(READ, request, async |grpc, request| grpc.similar(request).await).await
    }

    /// The items whose own embeddings, put with them, are nearest to a vector.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn search(&self, request: SearchRequest) -> Result<SimilarResponse, Error> {
        self.call(READ, request, async |grpc, request| grpc.search(request).await).await
    }

    /// Items that the caller brings, in the order in which a user should see them.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn rank(&self, request: RankRequest) -> Result<RecommendResponse, Error> {
        self.call(READ, request, async |grpc, request| grpc.rank(request).await).await
    }

    /// Appends 1 to 1,000 events, all or none; answered when they are on disk. Sent again after a broken connection
    /// only if every one has an `event_id`.
    ///
    /// # Errors
    /// [`Error`]; one bad event refuses them all, and the message names it.
    pub async fn ingest(&self, events: impl IntoIterator<Item = Event>) -> Result<IngestEventsResponse, Error> {
        let events: Vec<_> = events.into_iter().collect();
        let all_named = events.iter().all(|event| event.event_id.is_some());
        let manner = if all_named { Manner { repeat: Repeat::Safe, ..WRITE } } else { WRITE };
        let request = IngestEventsRequest { events, partial: false };
        self.call(manner, request, async |grpc, request| grpc.ingest_events(request).await).await
    }

    /// Appends a stream of events, as many as there are; they become durable in groups while it runs. Never sent again,
    /// and without a deadline but the one of [`ClientBuilder::deadline`] or [`Client::within`].
    ///
    /// # Errors
    /// [`Error`]; some of the first events may be on disk then. Those with an `event_id` can be sent again.
    pub async fn stream(
        &self,
        events: impl Stream<Item = Event> + Send + 'static,
    ) -> Result<IngestEventsResponse, Error> {
        let mut request = Request::new(events);
        self.introduce(&mut request);
        let mut grpc = self.grpc.clone();
        let Some(deadline) = self.patience.deadline else {
            let answer = grpc.stream_events(request).await;
            return answer.map(Response::into_inner).map_err(|status| Error::of(status, Duration::MAX));
        };
        request.set_timeout(deadline);
        answered(timeout_at(Instant::now() + deadline, grpc.stream_events(request)).await, deadline)
    }

    /// Puts an item into the catalogue, or replaces the whole entry.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn put_item(&self, item: Item) -> Result<ChangeResponse, Error> {
        let request = PutItemRequest { item: Some(item) };
        self.call(WRITE, request, async |grpc, request| grpc.put_item(request).await).await
    }

    /// Puts 1 to 1,000 items, all or none.
    ///
    /// # Errors
    /// [`Error`]; one bad item refuses them all, and the message names it.
    pub async fn put_items(&self, items: impl IntoIterator<Item = Item>) -> Result<ChangeResponse, Error> {
        let request = PutItemsRequest { items: items.into_iter().collect(), partial: false };
        self.call(WRITE, request, async |grpc, request| grpc.put_items(request).await).await
    }

    /// Changes some of an item, such as its price; the rest stays.
    ///
    /// # Errors
    /// [`Error`], with the code `item_not_found` where there is no such item.
    pub async fn patch_item(&self, change: PatchItemRequest) -> Result<ChangeResponse, Error> {
        self.call(WRITE, change, async |grpc, request| grpc.patch_item(request).await).await
    }

    /// A page of the catalogue: from the first item, or `after` the `next` of the page before.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn items(&self, after: Option<String>, limit: u32) -> Result<ListItemsResponse, Error> {
        let request = ListItemsRequest { after, limit: Some(limit) };
        self.call(READ, request, async |grpc, request| grpc.list_items(request).await).await
    }

    /// One item of the catalogue; none if it was never named, or deleted.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn item(&self, item_id: impl Into<String>) -> Result<Option<Item>, Error> {
        let request = GetItemRequest { item_id: item_id.into() };
        found(self.call(READ, request, async |grpc, request| grpc.get_item(request).await).await, "item_not_found")
    }

    /// Takes an item out of the catalogue; doing it twice is no error.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete_item(&self, item_id: impl Into<String>) -> Result<ChangeResponse, Error> {
        let request = DeleteItemRequest { item_id: item_id.into() };
        self.call(WRITE, request, async |grpc, request| grpc.delete_item(request).await).await
    }

    /// Describes a user, or replaces the whole description.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn put_user(&self, user: User) -> Result<ChangeResponse, Error> {
        let request = PutUserRequest { user: Some(user) };
        self.call(WRITE, request, async |grpc, request| grpc.put_user(request).await).await
    }

    /// Describes 1 to 1,000 users, all or none.
    ///
    /// # Errors
    /// [`Error`]; one bad description refuses them all, and the message names it.
    pub async fn put_users(&self, users: impl IntoIterator<Item = User>) -> Result<ChangeResponse, Error> {
        let request = PutUsersRequest { users: users.into_iter().collect(), partial: false };
        self.call(WRITE, request, async |grpc, request| grpc.put_users(request).await).await
    }

    /// A page of the users of whom something is known, as [`Self::items`].
    ///
    /// # Errors
    /// [`Error`].
    pub async fn users(&self, after: Option<String>, limit: u32) -> Result<ListUsersResponse, Error> {
        let request = ListUsersRequest { after, limit: Some(limit) };
        self.call(READ, request, async |grpc, request| grpc.list_users(request).await).await
    }

    /// One user; none if nothing is known of him.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn user(&self, user_id: impl Into<String>) -> Result<Option<User>, Error> {
        let request = GetUserRequest { user_id: user_id.into() };
        found(self.call(READ, request, async |grpc, request| grpc.get_user(request).await).await, "user_not_found")
    }

    /// Withdraws a user's description; his events stay.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete_user(&self, user_id: impl Into<String>) -> Result<ChangeResponse, Error> {
        let request = DeleteUserRequest { user_id: user_id.into(), erase: false };
        self.call(WRITE, request, async |grpc, request| grpc.delete_user(request).await).await
    }

    /// Removes all records of a user from the server's log, for good.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn erase_user(&self, user_id: impl Into<String>) -> Result<ChangeResponse, Error> {
        let request = DeleteUserRequest { user_id: user_id.into(), erase: true };
        let manner = Manner { wait: ERASURE_WAIT, ..WRITE };
        self.call(manner, request, async |grpc, request| grpc.delete_user(request).await).await
    }

    /// Sends a call until it is answered, may not be repeated, or is too late.
    async fn call<M: Clone, R>(
        &self,
        manner: Manner,
        message: M,
        send: impl AsyncFn(&mut Grpc, Request<M>) -> Result<Response<R>, Status>,
    ) -> Result<R, Error> {
        let wait = self.patience.deadline.unwrap_or(manner.wait);
        let ends = Instant::now() + wait;
        let mut attempts = self.retries.attempts(manner.repeat, self.patience.retries, ends);
        let mut grpc = self.grpc.clone();
        loop {
            let mut request = Request::new(message.clone());
            self.introduce(&mut request);
            if self.patience.deadline.is_some() {
                request.set_timeout(ends.saturating_duration_since(Instant::now()));
            }
            match answered(timeout_at(ends, send(&mut grpc, request)).await, wait) {
                Err(error) => attempts.again(error).await?,
                answer => return answer,
            }
        }
    }

    /// Says who calls, how much it matters, and what for.
    fn introduce<M>(&self, request: &mut Request<M>) {
        if let Some(Trace { parent, state }) = self.trace.as_deref() {
            request.metadata_mut().insert("traceparent", parent.clone());
            if let Some(state) = state {
                request.metadata_mut().insert("tracestate", state.clone());
            }
        }
        if self.priority == Priority::Low {
            request.metadata_mut().insert(Priority::HEADER, self.priority.metadata());
        }
        if let Some(value) = &self.authorization {
            request.metadata_mut().insert("authorization", value.clone());
        }
    }
}

fn answered<R>(
    answer: Result<Result<Response<R>, Status>, tokio::time::error::Elapsed>,
    deadline: Duration,
) -> Result<R, Error> {
    match answer {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(Error::of(status, deadline)),
        Err(_) => Err(Error::DeadlineExceeded { deadline }),
    }
}

/// None where the service says so by this code.
fn found<T>(answer: Result<T, Error>, absent: &str) -> Result<Option<T>, Error> {
    match answer {
        Err(error) if error.code() == absent => Ok(None),
        answer => answer.map(Some),
    }
}
