use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use metrics::{counter, histogram};
use opentelemetry::trace::Status;
use tonic::Code;
use tracing::Instrument;
use tracing::field::Empty;

use crate::endpoint::Endpoint;
use crate::metric::{REQUEST_SECONDS, REQUESTS};
use crate::received::Received;
use crate::trace::Traces;

/// Names the request, on every response of both protocols.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The public error code in the metadata of a gRPC response.
pub(crate) const GRPC_ERROR_CODE: &str = "shortlist-code";

/// The public error code of a REST response, for the metrics.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ErrorCode(pub(crate) &'static str);

/// Around every request of both protocols: reads the clock, gives the id, opens the span, counts and
/// logs the outcome.
pub(crate) async fn observe(State(traces): State<Traces>, mut request: Request, next: Next) -> Response {
    let received = Received::new();
    let method = Endpoint::of(&request).name;
    request.extensions_mut().insert(received);
    let traced = traces.begin(method, request.headers(), &received);
    // Of the highest level, so that every line about a request bears its name, whatever is said at all.
    let span = tracing::error_span!("request", request_id = %received.request_id, method, trace_id = Empty);
    let answering = next.run(request).instrument(span.clone());
    let mut response = match &traced {
        None => answering.await,
        Some(traced) => {
            span.record("trace_id", traced.trace().id());
            traced.trace().follow(answering).await
        }
    };

    let elapsed = received.at.elapsed();
    let code = code_of(&response);
    counter!(REQUESTS, "method" => method, "code" => code.clone()).increment(1);
    histogram!(REQUEST_SECONDS, "method" => method).record(elapsed);
    span.in_scope(|| log(&response, method, &code, elapsed));
    if let Some(traced) = traced {
        traced.trace().tell("shortlist.code", code.clone());
        traced.trace().tell("http.response.status_code", i64::from(response.status().as_u16()));
        traced.end(if failed_inside(&response) { Status::error(code) } else { Status::Unset });
    }
    if let Ok(id) = HeaderValue::from_str(&received.request_id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn log(response: &Response, method: &str, code: &str, elapsed: Duration) {
    let (status, elapsed_ms) = (response.status().as_u16(), elapsed.as_micros() as f64 / 1e3);
    // A probe that hears that the service is not ready has been answered, every few seconds.
    if failed_inside(response) && method != "operations" {
        tracing::warn!(status, code, elapsed_ms, "the request failed");
    } else {
        tracing::debug!(status, code, elapsed_ms, "the request was answered");
    }
}

/// Whether it is the service that is at fault.
fn failed_inside(response: &Response) -> bool {
    let failures = [Code::Internal, Code::Unavailable, Code::DeadlineExceeded, Code::Unknown];
    response.status().is_server_error() || grpc_status(response).is_some_and(|status| failures.contains(&status))
}

/// The code that an answer is counted under: from our own lists, never from the caller.
fn code_of(response: &Response) -> String {
    if let Some(ErrorCode(code)) = response.extensions().get() {
        return (*code).to_owned();
    }
    if let Some(code) = response.headers().get(GRPC_ERROR_CODE).and_then(|code| code.to_str().ok()) {
        return code.to_owned();
    }
    match grpc_status(response) {
        // The gRPC library refused it before it came to us: a malformed or too large message.
        Some(code) if code != Code::Ok => format!("grpc_{}", i32::from(code)),
        _ => "ok".to_owned(),
    }
}

fn grpc_status(response: &Response) -> Option<Code> {
    response.headers().get("grpc-status").map(|status| Code::from_bytes(status.as_bytes()))
}
