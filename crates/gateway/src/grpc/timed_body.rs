use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::{Instant, Sleep, sleep};

use super::{SERVICE_NAME, status};
use crate::api_error::ApiError;
use crate::limits::{BODY_READ_TIMEOUT, STREAM_IDLE_TIMEOUT};

/// Around every call: its message must come in time, a stream of events must not fall silent, and what the library
/// refuses is told in our words.
pub(super) async fn time_body(request: Request, next: Next) -> Response {
    let method = request.uri().path().strip_prefix('/').and_then(|path| path.strip_prefix(SERVICE_NAME));
    let is_one_message = method.is_some_and(|method| method != "/StreamEvents");
    let timed = |body| match is_one_message {
        true => TimedBody::around(body, BODY_READ_TIMEOUT, None),
        false => TimedBody::around(body, STREAM_IDLE_TIMEOUT, Some(STREAM_IDLE_TIMEOUT)),
    };
    status::in_our_words(next.run(request.map(timed)).await)
}

/// The body of a call that must come in time: as a whole, or, of a stream, one part after the other.
struct TimedBody {
    body: Body,
    end: Pin<Box<Sleep>>,
    /// How long a stream may be silent; none of a body that is timed as a whole.
    silence: Option<Duration>,
}

impl TimedBody {
    fn around(body: Body, limit: Duration, silence: Option<Duration>) -> Body {
        Body::new(Self { body, end: Box::pin(sleep(limit)), silence })
    }
}

impl http_body::Body for TimedBody {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, tonic::Status>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            if let Some(silence) = self.silence {
                self.end.as_mut().reset(Instant::now() + silence);
            }
            // Whoever breaks off does not read the answer.
            return Poll::Ready(frame.map(|frame| frame.map_err(|_| ApiError::BodyTimeout.into())));
        }
        match self.end.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(Err(ApiError::BodyTimeout.into()))),
            Poll::Pending => Poll::Pending,
        }
    }
}
