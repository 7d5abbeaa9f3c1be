//! How long a client may say nothing. The HTTP library has one timeout for the idle time between two requests of HTTP/1 and for
//! the head of the next one: what is right for a head closes connections that a load balancer still means to use.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, Version};
use hyper::service::Service;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::limits::{CONNECTION_AGE_MAX, HEADER_READ_TIMEOUT};
use crate::part::say_close;

/// What an HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The connections that a listener may hold.
pub(crate) struct Places {
    max: usize,
    taken: AtomicUsize,
    idle_timeout: Duration,
}

impl Places {
    pub(crate) fn new(max: usize, idle_timeout: Duration) -> Arc<Self> {
        Arc::new(Self { max, taken: AtomicUsize::new(0), idle_timeout })
    }

    pub(crate) fn take(self: &Arc<Self>) -> Place {
        self.taken.fetch_add(1, Ordering::Relaxed);
        Place(Arc::clone(self))
    }
}

/// One of them, until it is dropped.
pub(crate) struct Place(Arc<Places>);

impl Place {
    /// How long a connection may be idle that begins to be so now: less long in a crowd, where others may need its place.
    fn idle_timeout(&self) -> Duration {
        let Places { max, taken, idle_timeout } = &*self.0;
        let is_crowded = taken.load(Ordering::Relaxed) >= max / 2;
        if is_crowded { HEADER_READ_TIMEOUT.min(*idle_timeout) } else { *idle_timeout }
    }

    /// Longer than a client may say nothing.
    pub(crate) fn silence_max(&self) -> Duration {
        self.0.idle_timeout + HEADER_READ_TIMEOUT
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that is cut when an HTTP/1 client is idle for too long, or when the head of a request has begun and does not
/// come to its end within [`HEADER_READ_TIMEOUT`], whether bytes trickle in or none.
///
/// The preface of HTTP/2 must come within the same time; behind it the protocol has timeouts of its own.
pub(crate) struct Timed<S> {
    stream: S,
    place: Place,
    client: Arc<Client>,
    /// Bytes of [`PREFACE`] that came, if nothing else did.
    preface: Option<usize>,
    waiting: Waiting,
    timer: Pin<Box<Sleep>>,
}

/// What the client is to send next, and by when.
enum Waiting {
    /// As long as it likes: what it sent is answered.
    Nothing,
    /// The rest of a head that began after so many requests.
    Head { after: u64, until: Instant },
    /// The first byte of a head.
    Request { until: Instant },
}

/// What is known of the client of one connection.
pub(crate) struct Client {
    /// Requests that were handed to the service, and those of them that were answered.
    begun: AtomicU64,
    ended: AtomicU64,
    is_http2: AtomicBool,
    /// When its connection has been used for long enough.
    old_at: Instant,
}

impl Client {
    /// Ends when its connection is due to be told to end. An HTTP/1 connection is told by its next answer instead, so that
    /// nothing gets lost that is under way to it.
    pub(crate) async fn is_due(&self) {
        sleep_until(self.old_at).await;
        if !self.is_http2.load(Ordering::Relaxed) {
            std::future::pending().await
        }
    }

    fn is_idle(&self) -> bool {
        self.begun.load(Ordering::Relaxed) == self.ended.load(Ordering::Relaxed)
    }
}

impl<S> Timed<S> {
    /// The connection; its client; and the service, which tells when a head was read.
    pub(crate) fn new<T>(stream: S, service: T, place: Place) -> (Self, Arc<Client>, Counted<T>) {
        let now = Instant::now();
        // Those that came together do not go together.
        let old_at = now + CONNECTION_AGE_MAX.mul_f64(rand::random_range(0.9..1.0));
        let (begun, ended) = (AtomicU64::new(0), AtomicU64::new(0));
        let client = Arc::new(Client { begun, ended, is_http2: AtomicBool::new(false), old_at });
        let counted = Counted { service, client: Arc::clone(&client) };
        let connection = Self {
            stream,
            place,
            client: Arc::clone(&client),
            preface: Some(0),
            waiting: Waiting::Nothing,
            timer: Box::pin(sleep_until(now)),
        };
        (connection, client, counted)
    }

    /// Takes note of bytes that came.
    fn came(&mut self, bytes: &[u8]) {
        if let Some(seen) = self.preface.filter(|_| !bytes.is_empty()) {
            let equal = PREFACE[seen..].iter().zip(bytes).take_while(|(expected, byte)| expected == byte).count();
            let is_http2 = seen + equal == PREFACE.len();
            self.client.is_http2.store(is_http2, Ordering::Relaxed);
            self.preface = (equal == bytes.len() && !is_http2).then_some(seen + equal);
        }
        let begun = self.client.begun.load(Ordering::Relaxed);
        self.waiting = match self.waiting {
            // What comes while a request is answered is its body.
            _ if self.is_busy() => Waiting::Nothing,
            Waiting::Head { after, until } if after == begun => Waiting::Head { after, until },
            _ => Waiting::Head { after: begun, until: Instant::now() + HEADER_READ_TIMEOUT },
        };
    }

    /// Whether the client has said nothing for too long; if not, whoever polls is woken then.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let begun = self.client.begun.load(Ordering::Relaxed);
        self.waiting = match self.waiting {
            _ if self.is_busy() => Waiting::Nothing,
            Waiting::Head { after, until } if after == begun => Waiting::Head { after, until },
            Waiting::Request { until } => Waiting::Request { until },
            _ => Waiting::Request { until: Instant::now() + self.place.idle_timeout() },
        };
        let (Waiting::Head { until, .. } | Waiting::Request { until }) = self.waiting else { return false };
        if self.timer.deadline() != until {
            self.timer.as_mut().reset(until);
        }
        self.timer.as_mut().poll(context).is_ready()
    }

    /// Whether it is not the client's turn, or its protocol has timeouts of its own.
    fn is_busy(&self) -> bool {
        self.client.is_http2.load(Ordering::Relaxed) || !self.client.is_idle()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        match &read {
            Poll::Ready(_) => self.came(&buffer.filled()[before..]),
            Poll::Pending if self.is_late(context) => {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client said nothing for too long",
                )));
            }
            Poll::Pending => {}
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A service of which the connection knows what it has to do.
pub(crate) struct Counted<T> {
    service: T,
    client: Arc<Client>,
}

impl<T, B, A> Service<Request<B>> for Counted<T>
where
    T: Service<Request<B>, Response = Response<A>>,
    T::Future: Send + 'static,
{
    type Response = T::Response;
    type Error = T::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<A>, T::Error>> + Send>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        self.client.begun.fetch_add(1, Ordering::Relaxed);
        let ended = Ended(Arc::clone(&self.client));
        let is_last = request.version() <= Version::HTTP_11 && self.client.old_at <= Instant::now();
        let answer = self.service.call(request);
        Box::pin(async move {
            let _ended = ended;
            let mut answer = answer.await?;
            if is_last {
                say_close(&mut answer);
            }
            Ok(answer)
        })
    }
}

/// Counts a request as ended when it was answered or given up.
struct Ended(Arc<Client>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}
