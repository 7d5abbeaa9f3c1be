use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{pending, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use shortlist_client::{Client, ClientBuilder};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Code, Status};
use tower::Service;

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// Answers with an empty message.
    Answer,
    /// Answers with a status and these metadata.
    Refuse(Code, &'static [(&'static str, &'static str)]),
    /// Takes the request and says nothing.
    Hang,
    /// Begins to answer and goes no further.
    Stall,
}

/// One request as it came.
pub(crate) struct Came {
    pub(crate) at: Instant,
    pub(crate) headers: HeaderMap,
}

/// A server that does what it was told, one request after the other, and answers when it was told no more.
#[derive(Clone, Default)]
pub(crate) struct ScriptedServer {
    script: Arc<Mutex<VecDeque<Does>>>,
    came: Arc<Mutex<Vec<Came>>>,
}

impl ScriptedServer {
    /// Starts it; it ends with the runtime.
    pub(crate) async fn start(script: &[Does]) -> (Self, ClientBuilder) {
        let server = Self { script: Arc::new(Mutex::new(script.iter().cloned().collect())), came: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let serving = tonic::transport::Server::builder().add_service(server.clone());
        tokio::spawn(serving.serve_with_incoming(TcpListenerStream::new(listener)));
        (server, Client::builder(format!("http://{address}")))
    }

    /// Requests that came.
    pub(crate) fn count(&self) -> usize {
        self.came.lock().unwrap().len()
    }

    /// A header of request number `number`.
    pub(crate) fn header(&self, number: usize, name: &str) -> Option<String> {
        let came = self.came.lock().unwrap();
        Some(came[number].headers.get(name)?.to_str().unwrap().to_owned())
    }

    /// The times between requests.
    pub(crate) fn gaps(&self) -> Vec<Duration> {
        self.came.lock().unwrap().windows(2).map(|pair| pair[1].at - pair[0].at).collect()
    }
}

impl NamedService for ScriptedServer {
    const NAME: &'static str = "shortlist.v1.ShortlistService";
}

impl Service<Request<Body>> for ScriptedServer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.came.lock().unwrap().push(Came { at: Instant::now(), headers: request.headers().clone() });
        match self.script.lock().unwrap().pop_front().unwrap_or(Does::Answer) {
            Does::Answer => Box::pin(ready(Ok(empty_message()))),
            Does::Hang => Box::pin(pending()),
            Does::Stall => Box::pin(ready(Ok(begun()))),
            Does::Refuse(code, metadata) => {
                let mut status = Status::new(code, "as the script says");
                for (name, value) in metadata {
                    status.metadata_mut().insert(*name, value.parse().unwrap());
                }
                Box::pin(ready(Ok(status.into_http())))
            }
        }
    }
}

/// A message without a field set, whatever its type.
fn empty_message() -> Response<Body> {
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
    let frame = Full::from(&[0_u8; 5][..]).with_trailers(ready(Some(Ok(trailers))));
    let response = Response::builder().header("content-type", "application/grpc");
    response.body(Body::new(frame)).unwrap()
}

/// The head of an answer whose body never comes.
fn begun() -> Response<Body> {
    let body = StreamBody::new(tokio_stream::pending::<Result<Frame<Bytes>, Infallible>>());
    Response::builder().header("content-type", "application/grpc").body(Body::new(body)).unwrap()
}
