use std::net::SocketAddr;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use shortlist_client::Priority;
use tokio::net::TcpStream;

use crate::limits::CONNECT_TIMEOUT;
use crate::{LoadError, Target};

/// One HTTP/1.1 connection.
#[derive(Debug)]
pub struct RestConnection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    authorization: Option<HeaderValue>,
    priority: Priority,
}

type Answer = Result<Response<Bytes>, LoadError>;

impl RestConnection {
    /// Opens it.
    ///
    /// # Errors
    /// Nobody takes it.
    pub async fn open(target: &Target) -> Result<Self, LoadError> {
        let stream = connect(target.address)
            .await
            .map_err(|error| LoadError::Unreachable { target: target.authority.clone(), reason: error.to_string() })?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        // Ends with the sender; an error reaches whoever waits for an answer.
        tokio::spawn(connection);
        let bearer = target.api_key.as_ref().map(|key| HeaderValue::try_from(format!("Bearer {key}")));
        let authorization = bearer.transpose().map_err(|error| broken(&error))?;
        Ok(Self { sender, host: target.authority.clone(), authorization, priority: Priority::High })
    }

    /// The same, for requests of this priority.
    #[must_use]
    pub fn with_priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// Opens it to an address.
    ///
    /// # Errors
    /// Nobody takes it.
    pub async fn open_at(address: SocketAddr) -> Result<Self, LoadError> {
        Self::open(&address.into()).await
    }

    /// Whether the server has kept it open; it closes what is idle for long.
    pub(crate) async fn is_open(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// GET: the whole answer.
    ///
    /// # Errors
    /// The connection broke, or what came is no HTTP.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, String::new(), None).await
    }

    /// Posts JSON, with the time that the caller waits, if he says it; the whole answer.
    ///
    /// # Errors
    /// The connection broke, or what came is no HTTP.
    pub async fn post(&mut self, path: &str, body: &Value, timeout: Option<Duration>) -> Answer {
        self.send(Method::POST, path, body.to_string(), timeout).await
    }

    async fn send(&mut self, method: Method, path: &str, body: String, timeout: Option<Duration>) -> Answer {
        self.sender.ready().await.map_err(|error| broken(&error))?;
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.host);
        if let Some(timeout) = timeout {
            request = request.header("x-request-timeout", timeout.as_millis().to_string());
        }
        if self.priority == Priority::Low {
            request = request.header(Priority::HEADER, self.priority.name());
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.header(CONTENT_TYPE, "application/json").body(Full::from(body));
        let request = request.map_err(|error| broken(&error))?;
        let (head, body) = self.sender.send_request(request).await.map_err(|error| broken(&error))?.into_parts();
        let body = body.collect().await.map_err(|error| broken(&error))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address));
    let stream = connecting.await.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// With the cause, which says what happened.
fn broken(error: &(dyn std::error::Error + 'static)) -> LoadError {
    let ended = error.downcast_ref::<hyper::Error>().is_some_and(|error| error.is_canceled() || error.is_closed());
    if ended {
        return LoadError::Closed;
    }
    let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
    LoadError::Broken { reason: format!("{error}{cause}") }
}

/// Seconds after which a caller may come again, if he was told.
pub(crate) fn retry_after(response: &Response<Bytes>) -> Option<u64> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()
}
