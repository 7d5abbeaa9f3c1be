use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::client_timeouts::{Place, Places, Timed};
use crate::limits::{
    ACCEPT_PAUSE, CONNECTION_AGE_MAX, FIRST_BYTE_GRACE, HEAD_BYTES_MAX, HEADER_BYTES_MAX, HEADER_READ_TIMEOUT,
    KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIMEOUT, SHUTDOWN_GRACE, STREAMS_MAX,
};

/// Bytes that are looked for before anything is made of a connection. Larger reads pass them by.
const FIRST_BYTES: usize = 256;

/// The connections of one listener.
pub(crate) struct Connections {
    listener: TcpListener,
    router: Router,
    tls: Option<TlsAcceptor>,
    max: usize,
    places: Arc<Places>,
    open: JoinSet<()>,
    stopped: watch::Receiver<()>,
}

impl Connections {
    /// At most `max` at once; they end when `stopped` changes. Those of HTTP/1 may be idle for `idle_timeout` between two
    /// requests.
    pub(crate) fn new(
        listener: TcpListener,
        router: Router,
        tls: Option<TlsAcceptor>,
        max: usize,
        idle_timeout: Duration,
        stopped: watch::Receiver<()>,
    ) -> Self {
        let places = Places::new(max, idle_timeout);
        Self { listener, router, tls, max, places, open: JoinSet::new(), stopped }
    }

    /// Takes the next connection, or sees one end. May be left and called again.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            accepted = self.listener.accept(), if self.open.len() < self.max => match accepted {
                Ok((stream, _)) => self.serve(stream),
                Err(error) => {
                    // Such as no free file descriptor: that passes, and the server must outlive it.
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = self.open.join_next() => {}
            else => std::future::pending().await,
        }
    }

    fn serve(&mut self, stream: TcpStream) {
        let (router, tls, stopped) = (self.router.clone(), self.tls.clone(), self.stopped.clone());
        self.open.spawn(serve_stream(stream, self.places.take(), router, tls, stopped));
    }

    /// Lets those that are open end by themselves, and gives the listener back: who waits there is not lost.
    pub(crate) fn leave(mut self) -> TcpListener {
        self.open.detach_all();
        self.listener
    }

    /// Takes those that wait at the door, whose requests are under way, and no more. Who comes in the instant between the last
    /// of them and the end of the listener is reset: no system has a way to end both at once.
    pub(crate) fn close(mut self) -> Closed {
        for _ in self.open.len()..self.max {
            match accept_now(&self.listener) {
                Ok(stream) => self.serve(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Such as one that was given up meanwhile: others may stand behind it.
                Err(error) => tracing::debug!(%error, "a connection could not be accepted"),
            }
        }
        let Self { listener, open, .. } = self;
        drop(listener);
        Closed { open }
    }
}

/// A connection that the system holds. The runtime would hear of it some moments later.
fn accept_now(listener: &TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = SockRef::from(listener).accept()?;
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream.into())
}

/// Connections whose listener is gone.
pub(crate) struct Closed {
    open: JoinSet<()>,
}

impl Closed {
    /// Waits for the answers that run.
    pub(crate) async fn drain(mut self, of: &str) {
        let open = &mut self.open;
        tracing::info!(of, open = open.len(), "takes no more connections");
        let drained = timeout(SHUTDOWN_GRACE, async { while open.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!(of, open = open.len(), "connections were cut at the end of the grace period");
            open.shutdown().await;
        }
    }
}

/// One connection, from its first byte to its end, or until the answers that run at shutdown are sent.
async fn serve_stream(
    stream: TcpStream,
    place: Place,
    router: Router,
    tls: Option<TlsAcceptor>,
    mut stopped: watch::Receiver<()>,
) {
    // Answers are small and wait for nothing.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "the connection keeps Nagle's delay");
    }
    let Some(tls) = tls else { return serve(stream, place, router, stopped).await };
    match in_time(tls.accept(stream), &mut stopped).await {
        Some(Ok(stream)) => serve(stream, place, router, stopped).await,
        Some(Err(error)) => tracing::debug!(%error, "a connection spoke no TLS that we speak"),
        None => tracing::debug!("a connection did not finish its handshake in time"),
    }
}

/// What comes within the time for a head. At shutdown it must come soon: whoever connected a moment before has a request
/// under way.
async fn in_time<T>(coming: impl Future<Output = T>, stopped: &mut watch::Receiver<()>) -> Option<T> {
    let at_last = async {
        let _ = stopped.changed().await;
        sleep(FIRST_BYTE_GRACE).await;
    };
    tokio::select! {
        came = timeout(HEADER_READ_TIMEOUT, coming) => came.ok(),
        () = at_last => None,
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    place: Place,
    router: Router,
    mut stopped: watch::Receiver<()>,
) {
    let mut stream = BufReader::with_capacity(FIRST_BYTES, stream);
    // The timeouts of heads begin with their first byte.
    match in_time(stream.fill_buf(), &mut stopped).await {
        Some(Ok([_, ..])) => {}
        _ => return,
    }
    let builder = connection_builder(place.silence_max());
    let (stream, client, service) = Timed::new(stream, TowerToHyperService::new(router), place);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        // What has come is read first: a connection that is told to end before it knows its protocol ends without a word.
        biased;
        outcome = connection.as_mut() => outcome,
        () = client.is_due() => {
            connection.as_mut().graceful_shutdown();
            // A request that does not end must not keep it: at shutdown all are cut.
            timeout(CONNECTION_AGE_MAX, connection).await.unwrap_or(Ok(()))
        }
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            timeout(SHUTDOWN_GRACE, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended with an error");
    }
}

fn connection_builder(silence_max: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // Clients have timeouts of their own. With one for heads, the next read is begun as soon as an answer is sent, and theirs
    // begins with it.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(silence_max).max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX);
    builder
}
