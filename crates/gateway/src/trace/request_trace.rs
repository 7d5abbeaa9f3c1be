use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use parking_lot::Mutex;
use shortlist_recommender::{Answer, StageName, StageTiming};

use crate::limits::TRACE_SPANS_MAX;
use crate::received::Received;

tokio::task_local! {
    /// The trace of the request that this task answers.
    static CURRENT: Arc<RequestTrace>;
}

/// The trace of the request that this task answers, if it is traced.
pub(crate) fn current() -> Option<Arc<RequestTrace>> {
    CURRENT.try_with(Arc::clone).ok()
}

/// One request that is traced: its span, and the parts of it.
#[derive(Debug)]
pub(crate) struct RequestTrace {
    trace_id: TraceId,
    span_id: SpanId,
    /// The caller's span, and what he wants passed on with it.
    parent: Option<SpanContext>,
    /// The same moment, by the clock and by the time of day.
    at: (Instant, SystemTime),
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    attributes: Vec<KeyValue>,
    parts: Vec<Part>,
    is_ended: bool,
}

#[derive(Debug)]
struct Part {
    name: &'static str,
    started: Instant,
    elapsed: Duration,
    attributes: Vec<KeyValue>,
}

impl RequestTrace {
    /// A part of the caller's trace. One that begins here bears the request's own name, so that one leads to the other.
    pub(super) fn begin(received: &Received, parent: Option<SpanContext>) -> Self {
        let now = SystemTime::now();
        let own = TraceId::from_bytes(*received.request_id.as_bytes());
        Self {
            trace_id: parent.as_ref().map_or(own, SpanContext::trace_id),
            span_id: new_span_id(),
            parent,
            // The time that the request is answered by counts whole milliseconds, which is coarse for a span.
            at: (received.at, now.checked_sub(received.at.elapsed()).unwrap_or(now)),
            told: Mutex::default(),
        }
    }

    /// Its name in the logs.
    pub(crate) fn id(&self) -> String {
        self.trace_id.to_string()
    }

    /// Answers a request under its trace.
    pub(crate) async fn follow<T>(self: &Arc<Self>, answering: impl Future<Output = T>) -> T {
        CURRENT.scope(Arc::clone(self), answering).await
    }

    /// Says something of the request as a whole.
    pub(crate) fn tell(&self, key: &'static str, value: impl Into<Value>) {
        let mut told = self.told.lock();
        if told.attributes.len() < TRACE_SPANS_MAX {
            told.attributes.push(KeyValue::new(key, value));
        }
    }

    /// A part of the request that took `elapsed`.
    pub(crate) fn part(&self, name: &'static str, started: Instant, elapsed: Duration, attributes: Vec<KeyValue>) {
        let mut told = self.told.lock();
        // What comes after the answer, or the thousandth group of a stream, is left out.
        if !told.is_ended && told.parts.len() < TRACE_SPANS_MAX {
            told.parts.push(Part { name, started, elapsed, attributes });
        }
    }

    /// The stages of a list.
    pub(crate) fn stages(&self, timings: &[StageTiming]) {
        for timing in timings {
            let proposed = timing.proposed.and_then(|items| i64::try_from(items).ok());
            let attributes = proposed.map(|items| KeyValue::new("shortlist.proposed", items)).into_iter().collect();
            self.part(timing.stage.0, timing.started, timing.elapsed, attributes);
        }
    }

    /// The stages that were over when the request was left, and the one that was not: none before the first.
    pub(crate) fn left_behind(&self, stage: Option<StageName>, so_far: Option<&Answer>) {
        self.tell("shortlist.left_behind", stage.map_or("queue", |stage| stage.0));
        self.stages(so_far.map_or(&[], |answer| &answer.timings));
    }

    /// Its spans, the request's own first, now that it is answered. `method` is what was asked.
    pub(super) fn end(&self, scope: &InstrumentationScope, method: &'static str, status: Status) -> Vec<SpanData> {
        let Told { attributes, parts, .. } =
            std::mem::replace(&mut *self.told.lock(), Told { is_ended: true, ..Told::default() });
        let (at, time) = self.at;
        let span = |span_id: SpanId, parent: SpanId, started: Instant, elapsed: Duration| {
            let start_time = time + started.saturating_duration_since(at);
            let state = self.parent.as_ref().map_or(TraceState::NONE, |parent| parent.trace_state().clone());
            SpanData {
                span_context: SpanContext::new(self.trace_id, span_id, TraceFlags::SAMPLED, false, state),
                parent_span_id: parent,
                parent_span_is_remote: false,
                span_kind: SpanKind::Internal,
                name: method.into(),
                start_time,
                end_time: start_time + elapsed,
                attributes: Vec::new(),
                dropped_attributes_count: 0,
                events: SpanEvents::default(),
                links: SpanLinks::default(),
                status: Status::Unset,
                instrumentation_scope: scope.clone(),
            }
        };
        let parent = self.parent.as_ref().map_or(SpanId::INVALID, SpanContext::span_id);
        let mut spans = Vec::with_capacity(parts.len() + 1);
        spans.push(SpanData {
            span_kind: SpanKind::Server,
            parent_span_is_remote: self.parent.is_some(),
            attributes,
            status,
            ..span(self.span_id, parent, at, at.elapsed())
        });
        for Part { name, started, elapsed, attributes } in parts {
            let part = span(new_span_id(), self.span_id, started, elapsed);
            spans.push(SpanData { name: name.into(), attributes, ..part });
        }
        spans
    }
}

fn new_span_id() -> SpanId {
    // Zero names no span.
    SpanId::from(rand::random_range(1..=u64::MAX))
}
