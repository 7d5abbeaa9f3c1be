use std::sync::Arc;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::HeaderMap;
use metrics::counter;
use opentelemetry::InstrumentationScope;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanContext, Status, TraceContextExt};
use opentelemetry_sdk::propagation::TraceContextPropagator;

use super::export::{Export, SpanQueue};
use super::{RequestTrace, TelemetryConfig};
use crate::GatewayError;
use crate::metric::TRACES_LIMITED;
use crate::received::Received;

/// Methods that are traced only if their caller wants it: what probes and scrapes ask every few seconds.
const NOT_DRAWN: [&str; 2] = ["operations", "health"];

/// Which requests are traced, and where their spans go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traces(Option<Arc<On>>);

#[derive(Debug)]
struct On {
    config: TelemetryConfig,
    limiter: DefaultDirectRateLimiter,
    queue: SpanQueue,
    scope: InstrumentationScope,
}

impl Traces {
    /// As the configuration says.
    pub(crate) fn new(config: &TelemetryConfig) -> Self {
        let Some(per_second) = std::num::NonZeroU32::new(config.traces_per_second) else { return Self(None) };
        let scope = InstrumentationScope::builder("shortlist").with_version(env!("CARGO_PKG_VERSION")).build();
        Self(config.otlp_endpoint.is_some().then(|| {
            Arc::new(On {
                config: config.clone(),
                limiter: RateLimiter::direct(Quota::per_second(per_second)),
                queue: SpanQueue::default(),
                scope,
            })
        }))
    }

    /// Begins to send, if there is where to. To be called in the runtime of the server, once.
    ///
    /// # Errors
    /// The collector's address cannot be used.
    pub(crate) fn start_export(&self) -> Result<Option<Export>, GatewayError> {
        self.0.as_ref().map(|on| Export::start(&on.config, &on.queue)).transpose()
    }

    /// The trace of a request that came with these headers, if it is one of those that are traced: its caller traces it,
    /// or it is drawn, and there were not too many this second.
    pub(crate) fn begin(
        &self,
        method: &'static str,
        headers: &HeaderMap,
        received: &Received,
    ) -> Option<TracedRequest> {
        let on = self.0.as_ref()?;
        let parent = parent_of(headers);
        let is_wanted = parent.as_ref().map_or_else(
            || !NOT_DRAWN.contains(&method) && rand::random_bool(on.config.sample),
            SpanContext::is_sampled,
        );
        if !is_wanted {
            return None;
        }
        if on.limiter.check().is_err() {
            counter!(TRACES_LIMITED).increment(1);
            return None;
        }
        let trace = Arc::new(RequestTrace::begin(received, parent));
        trace.tell("shortlist.request_id", received.request_id.to_string());
        Some(TracedRequest { on: Arc::clone(on), trace, method, is_answered: false, status: Status::Unset })
    }
}

/// A request that is traced, until its spans are handed over: when it is answered, or dropped, because its caller hung up
/// or the server ends.
pub(crate) struct TracedRequest {
    on: Arc<On>,
    trace: Arc<RequestTrace>,
    method: &'static str,
    is_answered: bool,
    status: Status,
}

impl TracedRequest {
    /// Its parts, and what is told of it.
    pub(crate) fn trace(&self) -> &Arc<RequestTrace> {
        &self.trace
    }

    /// Hands the spans over.
    pub(crate) fn end(mut self, status: Status) {
        (self.is_answered, self.status) = (true, status);
    }
}

impl Drop for TracedRequest {
    fn drop(&mut self) {
        if !self.is_answered {
            self.trace.tell("shortlist.code", "unanswered");
        }
        let status = std::mem::replace(&mut self.status, Status::Unset);
        self.on.queue.send(self.trace.end(&self.on.scope, self.method, status));
    }
}

/// What W3C's `traceparent` and `tracestate` say; gRPC's metadata are headers, too.
fn parent_of(headers: &HeaderMap) -> Option<SpanContext> {
    let states = headers.get_all(TRACE_STATE).iter().filter_map(|state| state.to_str().ok());
    let states = states.collect::<Vec<_>>().join(",");
    let context = TraceContextPropagator::new().extract(&Headers { headers, states });
    context.has_active_span().then(|| context.span().span_context().clone())
}

const TRACE_STATE: &str = "tracestate";

struct Headers<'a> {
    headers: &'a HeaderMap,
    /// There may be several of them.
    states: String,
}

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        if key == TRACE_STATE {
            return Some(&self.states).filter(|states| !states.is_empty()).map(String::as_str);
        }
        self.headers.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.headers.keys().map(http::HeaderName::as_str).collect()
    }
}
