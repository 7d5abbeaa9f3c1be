//! How clients are sent away without a request lost.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::CONNECTION;
use http::{HeaderValue, Version};
use tokio::sync::watch;

/// Ends an HTTP/1 connection with its next answer: a client that is told so sends nothing more on it, and nothing can
/// get lost between the two. HTTP/2 has a frame for that, which the connection sends itself.
pub(crate) async fn part(request: Request, next: Next) -> Response {
    let can_say_so = request.version() <= Version::HTTP_11;
    let mut response = next.run(request).await;
    if can_say_so {
        say_close(&mut response);
    }
    response
}

/// Makes it the last answer of its HTTP/1 connection.
pub(crate) fn say_close<B>(response: &mut Response<B>) {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}

/// The same, once the service is leaving.
pub(crate) async fn part_when_leaving(
    State(leaving): State<watch::Receiver<bool>>,
    request: Request,
    next: Next,
) -> Response {
    if *leaving.borrow() { part(request, next).await } else { next.run(request).await }
}
