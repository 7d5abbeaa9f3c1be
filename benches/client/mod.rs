//! The two ways to ask the service, over connections that are kept: REST by hyper, gRPC by the
//! generated client.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use shortlist_proto::v1;
use shortlist_proto::v1::shortlist_service_client::ShortlistServiceClient;
use tokio::net::TcpStream;
use tonic::transport::Channel;
use tonic::{Code, Status};

/// What became of one request.
#[derive(Debug)]
pub(crate) enum Outcome {
    Ok,
    /// Answered with less than asked, and said so.
    Degraded,
    /// Turned away at the door, and told when to come again: 429 or `RESOURCE_EXHAUSTED`.
    Refused,
    /// The caller waited no longer.
    HungUp,
    Failed(String),
}

impl Outcome {
    /// A full list is fine; a short one is not, because the catalogue has more to offer.
    fn of_answer(items: usize, k: usize, degraded: bool) -> Self {
        match degraded {
            _ if items != k => Self::Failed(format!("expected {k} items, got {items}")),
            true => Self::Degraded,
            false => Self::Ok,
        }
    }
}

/// One HTTP/1.1 connection.
pub(crate) struct RestConnection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

#[derive(Deserialize)]
struct RestAnswer {
    items: Vec<serde::de::IgnoredAny>,
    degraded: Vec<String>,
}

impl RestConnection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Ends with the sender; an error reaches whoever waits for an answer.
        tokio::spawn(connection);
        Ok(Self { sender, host: address.to_string() })
    }

    /// Whether the server has kept it open; it closes what is idle for long.
    pub(crate) async fn is_open(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<Response<Bytes>> {
        self.send(Method::GET, path, String::new(), None).await
    }

    /// Gets with an API key.
    pub(crate) async fn get_with_key(&mut self, path: &str, key: &str) -> anyhow::Result<Response<Bytes>> {
        self.sender.ready().await?;
        let request = Request::get(path).header(HOST, &self.host).header(AUTHORIZATION, format!("Bearer {key}"));
        let (head, body) = self.sender.send_request(request.body(Full::default())?).await?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }

    pub(crate) async fn recommend(&mut self, user_id: &str, k: usize) -> anyhow::Result<Outcome> {
        let response = self.post("/v1/recommend", &json!({ "user_id": user_id, "k": k }), None).await?;
        if response.status() != StatusCode::OK {
            return Ok(refusal(&response));
        }
        let answer: RestAnswer = serde_json::from_slice(response.body())?;
        Ok(Outcome::of_answer(answer.items.len(), k, !answer.degraded.is_empty()))
    }

    pub(crate) async fn click(&mut self, user_id: &str, item_id: &str) -> anyhow::Result<Outcome> {
        let body = json!({ "user_id": user_id, "item_id": item_id, "event_type": "click" });
        let response = self.post("/v1/events", &body, None).await?;
        Ok(if response.status() == StatusCode::OK { Outcome::Ok } else { refusal(&response) })
    }

    /// Posts JSON, with the time that the caller waits, if he says it.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        body: &Value,
        timeout: Option<Duration>,
    ) -> anyhow::Result<Response<Bytes>> {
        self.send(Method::POST, path, body.to_string(), timeout).await
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: String,
        timeout: Option<Duration>,
    ) -> anyhow::Result<Response<Bytes>> {
        self.sender.ready().await?;
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.host);
        if let Some(timeout) = timeout {
            request = request.header("x-request-timeout", timeout.as_millis().to_string());
        }
        let request = request.header(CONTENT_TYPE, "application/json").body(Full::from(body))?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }
}

fn refusal(response: &Response<Bytes>) -> Outcome {
    let comes_again = response.headers().get(RETRY_AFTER).and_then(|text| text.to_str().ok()?.parse::<u64>().ok());
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS if comes_again.is_some_and(|seconds| seconds >= 1) => Outcome::Refused,
        status => Outcome::Failed(format!("{status}: {}", String::from_utf8_lossy(response.body()))),
    }
}

/// One HTTP/2 connection; clones share it.
#[derive(Clone)]
pub(crate) struct GrpcConnection(ShortlistServiceClient<Channel>);

impl GrpcConnection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self(ShortlistServiceClient::connect(format!("http://{address}")).await?))
    }

    pub(crate) async fn recommend(&mut self, user_id: &str, k: usize) -> anyhow::Result<Outcome> {
        let asked = Some(u32::try_from(k)?);
        let request = v1::RecommendRequest { user_id: Some(user_id.to_owned()), k: asked, ..Default::default() };
        Ok(match self.0.recommend(request).await {
            Ok(answer) => {
                let answer = answer.into_inner();
                Outcome::of_answer(answer.items.len(), k, !answer.degraded.is_empty())
            }
            Err(status) if is_refusal(&status) => Outcome::Refused,
            Err(status) => Outcome::Failed(status.to_string()),
        })
    }
}

fn is_refusal(status: &Status) -> bool {
    let comes_again = status.metadata().get("retry-after").and_then(|text| text.to_str().ok()?.parse::<u64>().ok());
    status.code() == Code::ResourceExhausted && comes_again.is_some_and(|seconds| seconds >= 1)
}

impl GrpcConnection {
    /// The generated client.
    pub(crate) fn client(&mut self) -> &mut ShortlistServiceClient<Channel> {
        &mut self.0
    }

    /// Streams so many clicks with ids of their own, numbered from `first`, and waits until they are
    /// durable; how many were taken.
    pub(crate) async fn stream(&mut self, first: u64, count: usize) -> anyhow::Result<u64> {
        let event = |n: u64| {
            let drawn = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            v1::Event {
                event_id: Some(format!("{drawn:016x}-{n:08x}")),
                user_id: format!("user-{}", drawn % 100_000),
                item_id: format!("item-{}", drawn / 100_000 % 100_000),
                event_type: "click".to_owned(),
                ..Default::default()
            }
        };
        let events: Vec<_> = (first..).take(count).map(event).collect();
        Ok(self.0.stream_events(tokio_stream::iter(events)).await?.into_inner().accepted)
    }
}

/// Waits for a server that loads its bundle: `/readyz` says which one serves.
pub(crate) async fn is_ready(address: SocketAddr) -> anyhow::Result<()> {
    let response = RestConnection::open(address).await?.get("/readyz").await?;
    let (status, body) = (response.status(), String::from_utf8_lossy(response.body()));
    ensure!(status == StatusCode::OK, "{status}: {body}");
    let readiness: serde_json::Value = serde_json::from_str(&body).context("/readyz")?;
    ensure!(readiness["bundle"].as_str().is_some_and(|bundle| bundle.starts_with("b-")), "no bundle: {body}");
    Ok(())
}
