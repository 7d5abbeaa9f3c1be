//! The names of all metrics of the gateway, and what they mean. Labels come from fixed lists.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::GatewayError;

/// Answers by method and by public error code; `ok` without an error.
pub(crate) const REQUESTS: &str = "shortlist_requests_total";
/// Time from the head of a request to its answer, by method.
pub(crate) const REQUEST_SECONDS: &str = "shortlist_request_seconds";
/// Time in one stage of a recommendation, by stage.
pub(crate) const STAGE_SECONDS: &str = "shortlist_stage_seconds";
/// Requests answered without a stage that did not come back, by stage.
pub(crate) const LEFT_BEHIND: &str = "shortlist_stages_left_behind_total";
/// Questions that nobody waited for any longer.
pub(crate) const HUNG_UP: &str = "shortlist_hung_up_total";
/// Requests that were refused at the gate because too much is being served, by priority.
pub(crate) const SHED: &str = "shortlist_shed_total";
/// Requests that wait for a thread.
pub(crate) const WAITING: &str = "shortlist_requests_waiting";
/// Requests that were admitted and are not done, of `concurrency_max`.
pub(crate) const ADMITTED: &str = "shortlist_requests_admitted";
/// Part of the usual work that a request does, 1 unless the service is busy.
pub(crate) const EFFORT: &str = "shortlist_effort";
/// Answers that were less than asked, by reason.
pub(crate) const DEGRADED: &str = "shortlist_degraded_total";
/// Events by result: `accepted`, `duplicate`, `refused`.
pub(crate) const EVENTS: &str = "shortlist_events_total";
/// 1 while the log takes records.
pub(crate) const INGEST_HEALTHY: &str = "shortlist_ingest_healthy";
/// Last record of the log that the state holds.
pub(crate) const LOG_SEQ: &str = "shortlist_log_seq";
/// Share of the true nearest items that the neighbour search finds, of the requests that are repeated exactly.
pub(crate) const ANN_RECALL: &str = "shortlist_ann_recall";
/// Requests that the served log was to keep and did not: its queue was full, or the disk.
pub(crate) const SERVED_DROPPED: &str = "shortlist_served_dropped_total";
/// 1, with the name of the bundle that serves. Written at the scrape: a gauge of the recorder would
/// go on showing the bundles before it.
pub(crate) const BUNDLE_INFO: &str = "shortlist_bundle_info";

/// Bundles that requests began to be served from.
pub const SWAPS: &str = "shortlist_swaps_total";
/// Bundles that were to serve and cannot: at their promotion, or when the server was about to swap to them.
pub const BUNDLES_REFUSED: &str = "shortlist_bundles_refused_total";

const REQUEST_BUCKETS: [f64; 14] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
const RECALL_BUCKETS: [f64; 8] = [0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0];
const STAGE_BUCKETS: [f64; 12] =
    [0.000_01, 0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1];

/// Installs the recorder of this process, once, and returns what `/metrics` renders.
///
/// # Errors
/// Another recorder is installed already.
pub fn install_metrics() -> Result<PrometheusHandle, GatewayError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(REQUEST_SECONDS.to_owned()), &REQUEST_BUCKETS)?
        .set_buckets_for_metric(Matcher::Full(STAGE_SECONDS.to_owned()), &STAGE_BUCKETS)?
        .set_buckets_for_metric(Matcher::Full(ANN_RECALL.to_owned()), &RECALL_BUCKETS)?
        .install_recorder()?;
    describe_counter!(REQUESTS, "Answers by method and by public error code, ok without an error.");
    describe_histogram!(REQUEST_SECONDS, Unit::Seconds, "Time from the head of a request to its answer, by method.");
    describe_histogram!(STAGE_SECONDS, Unit::Seconds, "Time in one stage of a recommendation, by stage.");
    describe_counter!(DEGRADED, "Answers that were less than asked, by reason.");
    describe_counter!(LEFT_BEHIND, "Requests answered without a stage that did not come back, by stage.");
    describe_counter!(HUNG_UP, "Questions that nobody waited for any longer.");
    describe_counter!(SHED, "Requests that were refused because too much is being served, by priority.");
    describe_gauge!(WAITING, "Requests that wait for a thread.");
    describe_gauge!(ADMITTED, "Requests that were admitted and are not done, of concurrency_max.");
    describe_gauge!(EFFORT, "Part of the usual work that a request does, 1 unless the service is busy.");
    describe_counter!(EVENTS, "Events by result: accepted, duplicate, refused.");
    describe_gauge!(INGEST_HEALTHY, "1 while the log takes records.");
    describe_gauge!(LOG_SEQ, "Last record of the log that the state holds.");
    describe_histogram!(ANN_RECALL, "Share of the true nearest items that the neighbour search finds.");
    describe_counter!(SERVED_DROPPED, "Requests that the served log was to keep and did not.");
    describe_counter!(SWAPS, "Bundles that requests began to be served from.");
    describe_counter!(BUNDLES_REFUSED, "Bundles that were to serve and cannot, at their promotion or at the swap.");
    for name in [SWAPS, BUNDLES_REFUSED] {
        // An alert must see the first one rise from something.
        counter!(name).absolute(0);
    }
    Ok(handle)
}
