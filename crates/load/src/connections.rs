use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use shortlist_client::{Client, Error, Event, Priority, RecommendRequest};
use tokio::sync::{Mutex, Semaphore};

use crate::limits::{ANSWER_TIMEOUT, GRPC_CONNECTIONS, IDLE_MAX, REST_CONNECTIONS_MAX};
use crate::outcome::beginning;
use crate::rest::retry_after;
use crate::{Kind, LoadError, Outcome, Planned, Protocol, RestConnection, Target};

/// How numbers are named.
type Name = Arc<dyn Fn(usize) -> String + Send + Sync>;

/// Hears of every list that came over REST: the user's number, and the body.
pub type Heard = Arc<dyn Fn(usize, &[u8]) + Send + Sync>;

/// What requests say.
#[derive(Clone)]
pub struct Asks {
    /// Items of a list.
    pub k: u32,
    /// Whether a shorter list has failed: because the catalogue has more to offer.
    pub must_be_full: bool,
    /// Type of an event.
    pub event_type: String,
    /// Whether somebody waits for the answers.
    pub priority: Priority,
    /// The id of a user by his number.
    pub user_name: Name,
    /// The id of an item by its number.
    pub item_name: Name,
    /// Whoever wants to read the lists.
    pub heard: Option<Heard>,
}

impl Asks {
    /// Full lists of `k` items for `user-0`, `user-1` and so on, and clicks on `item-0`, `item-1` and so on.
    pub fn full_lists(k: u32) -> Self {
        Self {
            k,
            must_be_full: true,
            event_type: "click".to_owned(),
            priority: Priority::High,
            user_name: Arc::new(|number| format!("user-{number}")),
            item_name: Arc::new(|number| format!("item-{number}")),
            heard: None,
        }
    }
}

/// How callers behave.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manners {
    /// Who is refused asks again at once, so many times.
    pub retries: usize,
    /// Every second caller waits no longer than this.
    pub impatience: Option<Duration>,
}

/// Connections that are kept between requests.
pub(crate) struct Connections {
    target: Target,
    asks: Asks,
    /// With the moment since when each is idle.
    idle: Mutex<Vec<(Instant, RestConnection)>>,
    places: Semaphore,
    grpc: Vec<Client>,
}

#[derive(Deserialize)]
struct RestAnswer {
    items: Vec<RestItem>,
    degraded: Vec<String>,
}

#[derive(Deserialize)]
struct RestItem {
    item_id: String,
}

/// One list.
struct List {
    ids: Vec<String>,
    degraded: usize,
}

type Fallible<T> = Result<T, LoadError>;

impl Connections {
    /// Opens the gRPC connections if they are to be used; REST connections open one by one.
    pub(crate) async fn open(target: Target, asks: Asks, kinds: &[Kind]) -> Result<Self, LoadError> {
        let mut grpc = Vec::new();
        if kinds.iter().any(|kind| matches!(kind, Kind::GrpcRecommend | Kind::GrpcEvent)) {
            for _ in 0..GRPC_CONNECTIONS {
                let opened = target.grpc(asks.priority).await;
                grpc.push(opened.map_err(|error| unreachable(&target, &error))?);
            }
        }
        let places = Semaphore::new(REST_CONNECTIONS_MAX);
        Ok(Self { target, asks, idle: Mutex::default(), places, grpc })
    }

    /// The ids of one list: whether the target answers at all, and what its catalogue holds.
    pub(crate) async fn probe(&self, protocol: Protocol, user: usize) -> Result<Vec<String>, LoadError> {
        if protocol == Protocol::Rest {
            let connection = self.open_rest().await?;
            self.idle.lock().await.push((Instant::now(), connection));
        }
        let target = || self.target.authority.clone();
        let answered = tokio::time::timeout(ANSWER_TIMEOUT, self.list(protocol, user, 0)).await;
        let answer = answered.map_err(|_| LoadError::Silent { target: target(), waited: ANSWER_TIMEOUT })?;
        match answer {
            Ok(Ok(list)) => Ok(list.ids),
            Ok(Err(Outcome::Failed(reason))) => Err(LoadError::Answer { target: target(), reason }),
            // A busy service is one.
            Ok(Err(_)) => Ok(Vec::new()),
            Err(error) => Err(LoadError::Answer { target: target(), reason: error.to_string() }),
        }
    }

    /// Sends one request, as its caller's manners are.
    pub(crate) async fn ask(&self, number: usize, planned: Planned, manners: Manners) -> Outcome {
        let impatience = manners.impatience.filter(|_| number % 2 == 1);
        let mut retries = manners.retries;
        loop {
            // What is dropped closes its connection.
            let answered = tokio::time::timeout(impatience.unwrap_or(ANSWER_TIMEOUT), self.send(number, planned)).await;
            match answered {
                Ok(Ok(Outcome::Refused)) if retries > 0 => retries -= 1,
                Ok(answered) => return answered.unwrap_or_else(|error| Outcome::of_broken(&error)),
                Err(_) if impatience.is_some() => return Outcome::HungUp,
                Err(_) => return Outcome::Failed(format!("no answer in {ANSWER_TIMEOUT:?}")),
            }
        }
    }

    async fn send(&self, number: usize, planned: Planned) -> Fallible<Outcome> {
        let protocol = match planned.kind {
            Kind::RestRecommend => Protocol::Rest,
            Kind::GrpcRecommend => Protocol::Grpc,
            Kind::RestEvent => return self.click_over_rest(planned).await,
            Kind::GrpcEvent => return Ok(self.click_over_grpc(number, planned).await),
        };
        let expected = self.asks.must_be_full.then_some(self.asks.k);
        let list = self.list(protocol, planned.user, number).await?;
        Ok(list.map_or_else(|outcome| outcome, |list| Outcome::of_answer(list.ids.len(), expected, list.degraded)))
    }

    /// One list, or why there was none.
    async fn list(&self, protocol: Protocol, number_of_user: usize, number: usize) -> Fallible<Result<List, Outcome>> {
        let user = (self.asks.user_name)(number_of_user);
        if protocol == Protocol::Grpc {
            let answer = self.grpc(number).recommend(RecommendRequest::for_user(user, self.asks.k)).await;
            return Ok(answer.map_err(|error| Outcome::of_error(&error)).map(|answer| List {
                ids: answer.items.into_iter().map(|item| item.item_id).collect(),
                degraded: answer.degraded.len(),
            }));
        }
        let body = json!({ "user_id": user, "k": self.asks.k });
        let response = self.post("/v1/recommend", &body).await?;
        if response.status() != StatusCode::OK {
            return Ok(Err(Outcome::of_status(response.status(), retry_after(&response), response.body())));
        }
        if let Some(hear) = &self.asks.heard {
            hear(number_of_user, response.body());
        }
        let parsed = serde_json::from_slice::<RestAnswer>(response.body());
        Ok(match parsed {
            Ok(answer) => Ok(List {
                ids: answer.items.into_iter().map(|item| item.item_id).collect(),
                degraded: answer.degraded.len(),
            }),
            Err(error) => Err(Outcome::Failed(format!("{error} in {}", beginning(response.body())))),
        })
    }

    async fn click_over_rest(&self, planned: Planned) -> Fallible<Outcome> {
        let Event { user_id, item_id, event_type, .. } = self.event(planned);
        let body = json!({ "user_id": user_id, "item_id": item_id, "event_type": event_type });
        let response = self.post("/v1/events", &body).await?;
        Ok(match response.status() {
            StatusCode::OK => Outcome::Ok,
            status => Outcome::of_status(status, retry_after(&response), response.body()),
        })
    }

    async fn click_over_grpc(&self, number: usize, planned: Planned) -> Outcome {
        match self.grpc(number).ingest([self.event(planned)]).await {
            Ok(_) => Outcome::Ok,
            Err(error) => Outcome::of_error(&error),
        }
    }

    fn event(&self, planned: Planned) -> Event {
        let Asks { user_name, item_name, event_type, .. } = &self.asks;
        Event::new(user_name(planned.user), item_name(planned.item), event_type)
    }

    fn grpc(&self, number: usize) -> &Client {
        &self.grpc[number % self.grpc.len()]
    }

    async fn post(&self, path: &str, body: &serde_json::Value) -> Fallible<http::Response<hyper::body::Bytes>> {
        // Never closed.
        let _place = self.places.acquire().await;
        loop {
            let kept = self.kept_connection().await;
            let was_kept = kept.is_some();
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.open_rest().await?,
            };
            match connection.post(path, body, None).await {
                // It ended between two requests, and the one that was to go next is still here.
                Err(LoadError::Closed) if was_kept => {}
                Err(error) => return Err(error),
                Ok(response) => {
                    self.idle.lock().await.push((Instant::now(), connection));
                    return Ok(response);
                }
            }
        }
    }

    async fn open_rest(&self) -> Fallible<RestConnection> {
        Ok(RestConnection::open(&self.target).await?.with_priority(self.asks.priority))
    }

    /// One that is still open.
    async fn kept_connection(&self) -> Option<RestConnection> {
        loop {
            let (since, mut connection) = self.idle.lock().await.pop()?;
            // One that was idle for longer may be closed by the server while the request is on its way.
            if since.elapsed() < IDLE_MAX && connection.is_open().await {
                return Some(connection);
            }
        }
    }
}

fn unreachable(target: &Target, error: &Error) -> LoadError {
    let reason = match error {
        Error::Unreachable { reason } => reason.clone(),
        other => other.to_string(),
    };
    LoadError::Unreachable { target: target.authority.clone(), reason }
}
