//! All metrics of the server: what they are called, and what they mean. Labels come from closed lists: our own, and the
//! names of surfaces that the configuration has; never from a caller.

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{GatewayError, Priority};

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How many values lie below which bounds.
    Histogram,
}

/// One metric, as the documentation tells it.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// As Prometheus knows it.
    pub name: &'static str,
    /// What it is.
    pub kind: MetricKind,
    /// What tells its series apart.
    pub labels: &'static [&'static str],
    /// What it means, in one sentence.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $visible:vis const $id:ident: $kind:ident = $name:literal $labels:tt;)+) => {
        $($(#[doc = $help])+ $visible const $id: &str = $name;)+

        /// Those that the server counts itself.
        const OWN: &[Metric] = &[
            $(Metric { name: $name, kind: MetricKind::$kind, labels: &$labels, help: concat!($($help),+) }),+
        ];
    };
}

metrics! {
    /// Answers by method and by public error code, ok without an error.
    pub(crate) const REQUESTS: Counter = "shortlist_requests_total" ["method", "code"];
    /// Time from the head of a request to its answer, by method.
    pub(crate) const REQUEST_SECONDS: Histogram = "shortlist_request_seconds" ["method"];
    /// Lists by surface and by public error code, ok without an error; a request that was refused before its surface was read is in shortlist_requests_total alone.
    pub(crate) const SURFACE_REQUESTS: Counter = "shortlist_surface_requests_total" ["surface", "code"];
    /// Time from the head of a request to its list, by surface.
    pub(crate) const SURFACE_SECONDS: Histogram = "shortlist_surface_request_seconds" ["surface"];
    /// Time in one stage of a list, by stage and surface; queue is the wait for a thread.
    pub(crate) const STAGE_SECONDS: Histogram = "shortlist_stage_seconds" ["stage", "surface"];
    /// Items that a source proposed, by source and surface.
    pub(crate) const CANDIDATES: Counter = "shortlist_candidates_total" ["source", "surface"];
    /// Items of lists, once for each source that proposed them, by source and surface.
    pub(crate) const SHOWN: Counter = "shortlist_shown_total" ["source", "surface"];
    /// Answers that were less than asked, by reason, and by surface where there is one.
    pub(crate) const DEGRADED: Counter = "shortlist_degraded_total" ["reason", "surface"];
    /// Requests answered without a stage that did not come back, by stage.
    pub(crate) const LEFT_BEHIND: Counter = "shortlist_stages_left_behind_total" ["stage"];
    /// Lists whose caller hung up before the answer: shortlist_requests_total counts answers, and not these.
    pub(crate) const HUNG_UP: Counter = "shortlist_hung_up_total" [];
    /// Requests that were refused because too much is being served, or waits for the log, by priority.
    pub(crate) const SHED: Counter = "shortlist_shed_total" ["priority"];
    /// Requests that wait for a thread.
    pub(crate) const WAITING: Gauge = "shortlist_requests_waiting" [];
    /// Requests that were admitted and are not done, of concurrency_max.
    pub(crate) const ADMITTED: Gauge = "shortlist_requests_admitted" [];
    /// Part of the usual work that a request does, 1 unless the service is busy.
    pub(crate) const EFFORT: Gauge = "shortlist_effort" [];
    /// Events by result: accepted, duplicate, refused.
    pub(crate) const EVENTS: Counter = "shortlist_events_total" ["result"];
    /// 1 while the log takes records.
    pub(crate) const INGEST_HEALTHY: Gauge = "shortlist_ingest_healthy" [];
    /// Last record of the log that the state holds.
    pub(crate) const LOG_SEQ: Gauge = "shortlist_log_seq" [];
    /// Time of one synchronous transaction of the log.
    pub(crate) const LOG_COMMIT_SECONDS: Histogram = "shortlist_log_commit_seconds" [];
    /// New records of one transaction of the log.
    pub(crate) const LOG_COMMIT_RECORDS: Histogram = "shortlist_log_commit_records" [];
    /// Records that wait for the log.
    pub(crate) const LOG_WAITING: Gauge = "shortlist_log_records_waiting" [];
    /// Requests and exposures that wait for the served log.
    pub(crate) const SERVED_WAITING: Gauge = "shortlist_served_waiting" [];
    /// Requests and exposures that the served log was to keep and did not: its queue was full, or the disk.
    pub(crate) const SERVED_DROPPED: Counter = "shortlist_served_dropped_total" [];
    /// Share of the true nearest items that the neighbour search finds, of the requests that are repeated exactly.
    pub(crate) const ANN_RECALL: Histogram = "shortlist_ann_recall" [];
    /// 1, with the name of the bundle that serves.
    pub(crate) const BUNDLE_INFO: Gauge = "shortlist_bundle_info" ["bundle"];
    /// Time since the bundle that serves was first published; absent without one.
    pub(crate) const BUNDLE_AGE: Gauge = "shortlist_bundle_age_seconds" [];
    /// Swaps to another bundle while serving.
    pub const SWAPS: Counter = "shortlist_swaps_total" [];
    /// Bundles that were to serve and cannot, at their promotion, at the start, or when the server was about to swap to them; a registry that cannot be read counts as one.
    pub const BUNDLES_REFUSED: Counter = "shortlist_bundles_refused_total" [];
    /// Trainings of serve --train-every by how they ended: promoted, unchanged, refused by the gate, failed.
    pub const TRAININGS: Counter = "shortlist_trainings_total" ["outcome"];
    /// Time that the last training of serve --train-every took.
    pub const TRAINING_SECONDS: Gauge = "shortlist_training_seconds" [];
    /// Spans of traces by what became of them: exported, failed, because the collector did not take them, and dropped, because too many waited.
    pub(crate) const SPANS: Counter = "shortlist_spans_total" ["outcome"];
    /// Requests that were to be traced and were not, being more than traces_per_second.
    pub(crate) const TRACES_LIMITED: Counter = "shortlist_traces_limited_total" [];
    /// 1, with the version that runs.
    pub(crate) const BUILD_INFO: Gauge = "shortlist_build_info" ["version"];
}

/// Those of the process, which a library reads under the names that all exporters use.
const PROCESS: &[Metric] = &[
    process("process_cpu_seconds_total", MetricKind::Counter, "Time that the process took of all cores."),
    process("process_resident_memory_bytes", MetricKind::Gauge, "Memory that the process holds."),
    process("process_virtual_memory_bytes", MetricKind::Gauge, "Address space of the process, mapped files included."),
    process("process_virtual_memory_max_bytes", MetricKind::Gauge, "Most address space that the process may have."),
    process("process_open_fds", MetricKind::Gauge, "File descriptors that are open."),
    process("process_max_fds", MetricKind::Gauge, "Most file descriptors that may be open."),
    process("process_threads", MetricKind::Gauge, "Threads of the process."),
    process("process_start_time_seconds", MetricKind::Gauge, "When the process began, in seconds since 1970."),
];

const fn process(name: &'static str, kind: MetricKind, help: &'static str) -> Metric {
    Metric { name, kind, labels: &[], help }
}

const REQUEST_BUCKETS: [f64; 14] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
const RECALL_BUCKETS: [f64; 8] = [0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0];
const STAGE_BUCKETS: [f64; 12] =
    [0.000_01, 0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1];
const COMMIT_BUCKETS: [f64; 13] =
    [0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];
const RECORDS_BUCKETS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0];

/// All metrics, in the order of the documentation.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    OWN.iter().chain(PROCESS)
}

/// Installs the recorder of this process, once, and returns what `/metrics` renders.
///
/// # Errors
/// Another recorder is installed already.
pub fn install_metrics() -> Result<PrometheusHandle, GatewayError> {
    let mut builder = PrometheusBuilder::new();
    for (name, buckets) in [
        (REQUEST_SECONDS, &REQUEST_BUCKETS[..]),
        (SURFACE_SECONDS, &REQUEST_BUCKETS),
        (STAGE_SECONDS, &STAGE_BUCKETS),
        (ANN_RECALL, &RECALL_BUCKETS),
        (LOG_COMMIT_SECONDS, &COMMIT_BUCKETS),
        (LOG_COMMIT_RECORDS, &RECORDS_BUCKETS),
    ] {
        builder = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)?;
    }
    let handle = builder.install_recorder()?;
    for metric in all() {
        match metric.kind {
            MetricKind::Counter => describe_counter!(metric.name, metric.help.trim()),
            MetricKind::Gauge => describe_gauge!(metric.name, metric.help.trim()),
            MetricKind::Histogram => describe_histogram!(metric.name, metric.help.trim()),
        }
    }
    // What has not happened yet is 0, not absent: so a first one is a change.
    for metric in OWN.iter().filter(|metric| metric.kind == MetricKind::Counter && metric.labels.is_empty()) {
        counter!(metric.name).absolute(0);
    }
    for priority in Priority::ALL {
        counter!(SHED, "priority" => priority.name()).absolute(0);
    }
    for outcome in ["exported", "failed", "dropped"] {
        counter!(SPANS, "outcome" => outcome).absolute(0);
    }
    gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

/// The page that Prometheus reads. `bundle` is what serves, and for how many seconds there has been such a bundle: both
/// are written here, since a gauge of the recorder would go on showing the bundles before.
pub(crate) fn page(handle: &PrometheusHandle, bundle: &str, bundle_age_seconds: Option<f64>) -> String {
    metrics_process::Collector::default().collect();
    let mut page = handle.render();
    let mut write = |name: &str, labels: &str, value: f64| {
        let help = all().find(|metric| metric.name == name).map_or("", |metric| metric.help.trim());
        page.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name}{labels} {value}\n"));
    };
    write(BUNDLE_INFO, &format!("{{bundle=\"{bundle}\"}}"), 1.0);
    if let Some(age) = bundle_age_seconds {
        write(BUNDLE_AGE, "", age);
    }
    page
}
