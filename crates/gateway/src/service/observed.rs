//! What is counted of lists, of the log and of the bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, histogram};
use parking_lot::Mutex;
use shortlist_recommender::{Answer, Recommender};
use shortlist_store::{BundleId, LogWriter, Registry};
use shortlist_types::Timestamp;

use crate::api::{NO_BUNDLE, RecommendResponse};
use crate::api_error::ApiError;
use crate::metric::{
    CANDIDATES, DEGRADED, LOG_COMMIT_RECORDS, LOG_COMMIT_SECONDS, SHOWN, STAGE_SECONDS, SURFACE_REQUESTS,
    SURFACE_SECONDS,
};
use crate::trace::RequestTrace;

/// Codes of lists that the service owes somebody.
const FAILURES: [&str; 2] = ["internal", "deadline_exceeded"];

/// The names of the configured surfaces: no other becomes a label.
pub(super) struct SurfaceNames(BTreeSet<Arc<str>>);

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct SurfaceName(Arc<str>);

impl SurfaceNames {
    pub(super) fn of(recommender: &Recommender) -> Self {
        let names: BTreeSet<Arc<str>> = recommender.surfaces().map(Arc::from).collect();
        // So that a first failure is a change.
        for (surface, code) in names.iter().flat_map(|name| FAILURES.map(|code| (name, code))) {
            counter!(SURFACE_REQUESTS, "surface" => Arc::clone(surface), "code" => code).absolute(0);
        }
        Self(names)
    }

    /// The one called `name`, which a request was checked to be for.
    pub(super) fn find(&self, name: &str) -> SurfaceName {
        SurfaceName(self.0.get(name).cloned().unwrap_or_else(|| Arc::from("other")))
    }
}

impl SurfaceName {
    /// Counts how a request ended.
    pub(super) fn count(&self, outcome: &Result<RecommendResponse, ApiError>, elapsed: Duration) {
        let code = match outcome {
            Ok(response) => {
                count_degraded(&response.degraded, Some(self));
                "ok"
            }
            Err(error) => error.told().code,
        };
        counter!(SURFACE_REQUESTS, "surface" => Arc::clone(&self.0), "code" => code).increment(1);
        histogram!(SURFACE_SECONDS, "surface" => Arc::clone(&self.0)).record(elapsed);
    }

    /// Says in the trace of a request what was asked and how it ended.
    pub(super) fn tell(&self, trace: &RequestTrace, outcome: &Result<RecommendResponse, ApiError>) {
        trace.tell("shortlist.surface", Arc::clone(&self.0));
        if let Ok(response) = outcome {
            trace.tell("shortlist.degraded", response.degraded.join(","));
            trace.tell("shortlist.bundle", response.bundle.clone().unwrap_or_else(|| NO_BUNDLE.to_owned()));
            trace.tell("shortlist.items", i64::try_from(response.items.len()).unwrap_or(i64::MAX));
        }
    }

    /// Counts what the stages took and found, and which sources proposed what is shown.
    pub(super) fn count_stages(&self, queue: Duration, answer: &Answer) {
        let stage = |name: &'static str, elapsed: Duration| {
            histogram!(STAGE_SECONDS, "stage" => name, "surface" => Arc::clone(&self.0)).record(elapsed);
        };
        stage("queue", queue);
        let mut shown: BTreeMap<&'static str, u64> = BTreeMap::new();
        for timing in &answer.timings {
            stage(timing.stage.0, timing.elapsed);
            if let Some(proposed) = timing.proposed {
                shown.insert(timing.stage.0, 0);
                counter!(CANDIDATES, "source" => timing.stage.0, "surface" => Arc::clone(&self.0))
                    .increment(proposed as u64);
            }
        }
        for hit in answer.items.iter().flat_map(|item| &item.sources) {
            *shown.entry(hit.source.0).or_default() += 1;
        }
        for (source, items) in shown {
            counter!(SHOWN, "source" => source, "surface" => Arc::clone(&self.0)).increment(items);
        }
    }
}

/// Counts why an answer is less than asked, and says what is not usual.
pub(super) fn count_degraded(reasons: &[&'static str], surface: Option<&SurfaceName>) {
    for &reason in reasons {
        match surface {
            Some(SurfaceName(surface)) => counter!(DEGRADED, "reason" => reason, "surface" => Arc::clone(surface)),
            None => counter!(DEGRADED, "reason" => reason),
        }
        .increment(1);
        match reason {
            // States of the service or of an item, not events: a line per answer would tell nothing new, and of a service
            // that is busy cost what it lacks.
            "no_bundle" | "item_not_in_bundle" | "brownout" | "source_skipped" | "ranker_skipped" => {
                tracing::debug!(reason, "the answer is degraded")
            }
            _ => tracing::warn!(reason, "the answer is degraded"),
        }
    }
}

/// Counts the transactions of the log from now on.
pub(super) fn count_commits(writer: &LogWriter) {
    writer.on_commit(Box::new(|commit| {
        histogram!(LOG_COMMIT_SECONDS).record(commit.elapsed);
        histogram!(LOG_COMMIT_RECORDS).record(commit.records as f64);
    }));
}

/// When the bundle that serves was published: looked up once per bundle.
#[derive(Debug, Default)]
pub(super) struct BundleAge(Mutex<Option<(BundleId, Timestamp)>>);

impl BundleAge {
    /// Seconds since `bundle` was first published; none if the registry does not say.
    pub(super) fn seconds(&self, bundle: &BundleId, registry: &Registry, now: Timestamp) -> Option<f64> {
        let mut known = self.0.lock();
        if known.as_ref().is_none_or(|(known, _)| known != bundle) {
            let listed = registry.list().ok()?.into_iter().find(|info| info.id == *bundle)?;
            *known = Some((listed.id, listed.published_at));
        }
        let (_, published_at) = known.as_ref()?;
        Some(now.as_micros().saturating_sub(published_at.as_micros()) as f64 / 1e6)
    }
}
