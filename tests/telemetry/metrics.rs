//! The page of metrics of the real binary, read by a parser of Prometheus' text format, after traffic whose counts are
//! known.

use std::collections::{BTreeMap, BTreeSet};

use prometheus_parse::{LineInfo, Scrape, Value as Read};
use serde_json::json;
use shortlist_client::{Client, RecommendRequest};
use shortlist_gateway::{MetricKind, all_metrics};
use tokio::runtime::Runtime;

use crate::harness::{Server, folder, imported_store, ok_json, path};

/// Metrics that are there only after what they count has happened.
const RARE: [&str; 3] = ["shortlist_stages_left_behind_total", "shortlist_shed_total", "shortlist_training_seconds"];
/// What labels may say. Codes and methods are checked by their form: the tables of both are elsewhere.
const STAGES: [&str; 12] = [
    "queue",
    "user_vector",
    "given",
    "ann",
    "item_to_item",
    "popular",
    "fresh",
    "trending",
    "merge",
    "features",
    "ranking",
    "rerank",
];
const SURFACES: [&str; 4] = ["home", "similar-items", "rank", "mine"];

/// The page, every line of which was understood.
pub struct Page(Scrape);

impl Page {
    pub fn read(server: &Server) -> Self {
        let text = server.page("/metrics");
        for line in text.lines() {
            assert_ne!(LineInfo::parse(line), LineInfo::Ignored, "no line of the format: {line}");
        }
        Self(Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap())
    }

    /// The sum of the series of a metric whose labels these are, or of the counts of a histogram.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let count = format!("{name}_count");
        let named = self.0.samples.iter().filter(|sample| sample.metric == name || sample.metric == count);
        let fit = named.filter(|sample| labels.iter().all(|(label, value)| sample.labels.get(label) == Some(value)));
        fit.map(|sample| match &sample.value {
            Read::Counter(value) | Read::Gauge(value) | Read::Untyped(value) => *value,
            Read::Histogram(_) | Read::Summary(_) => 0.0,
        })
        .sum()
    }

    fn labels(&self, label: &str) -> BTreeSet<&str> {
        self.0.samples.iter().filter_map(|sample| sample.labels.get(label)).collect()
    }
}

#[test]
fn the_page_of_metrics_is_of_the_format_and_says_what_happened() {
    let folder = folder();
    let store = imported_store(&folder);
    let config =
        "[gateway]\nrecall_probe_every = 1\n[store]\nserved_share = 1.0\n[surfaces.mine.rerank]\ndiversity = 0.2\n";
    std::fs::write(path(&folder, "store/shortlist.toml"), config).unwrap();
    // So that the next training is due in six hours.
    ok_json(&["train", "--store", &store, "--promote", "never", "--seed", "9", "--json"]);
    let server = Server::start_with(&["serve", "--store", &store, "--listen", "127.0.0.1:0", "--train-every", "6h"]);
    assert_eq!(server.get("/v1/users/user-3/recommendations?k=3").0, 200);
    let before = Page::read(&server);
    assert_eq!(before.sum("shortlist_degraded_total", &[("reason", "no_bundle"), ("surface", "home")]), 1.0);
    assert_eq!(before.sum("shortlist_bundle_info", &[("bundle", "no_bundle")]), 1.0);
    assert!(before.0.samples.iter().all(|sample| sample.metric != "shortlist_bundle_age_seconds"), "of no bundle");

    let bundle = ok_json(&["train", "--store", &store, "--promote", "always", "--json"])["bundle"].clone();
    server.wait_until("it serves the bundle", |server| server.get("/readyz").1["bundle"] == bundle);
    for user in 0..20 {
        let asked = json!({"user_id": format!("user-{user}"), "k": 5, "surface": "mine"});
        assert_eq!(server.post("/v1/recommend", &asked).0, 200);
    }
    assert_eq!(server.post("/v1/recommend", &json!({"k": 0, "surface": "mine"})).0, 400);
    assert_eq!(server.post("/v1/recommend", &json!({"surface": "nowhere-at-all"})).0, 400);
    assert_eq!(server.put("/v1/items/brand-new", &json!({})).0, 200);
    assert_eq!(server.post("/v1/similar", &json!({"item_id": "brand-new"})).0, 200);
    let event = json!({"event_id": "e-1", "user_id": "user-1", "item_id": "brand-new", "event_type": "click"});
    assert_eq!(server.post("/v1/events", &event).0, 200);
    assert_eq!(server.post("/v1/events", &event).0, 200);
    Runtime::new().unwrap().block_on(async {
        let client = Client::connect(server.url.clone()).await.unwrap();
        for user in 0..5 {
            client.recommend(RecommendRequest::for_user(format!("user-{user}"), 4)).await.unwrap();
        }
    });
    server.wait_until("lists were asked for again", |server| Page::read(server).sum("shortlist_ann_recall", &[]) > 0.0);
    // Gauges are brought up to date every second.
    let seq = server.get("/readyz").1["log_seq"].as_f64().unwrap();
    server.wait_until("gauges are new", |server| Page::read(server).sum("shortlist_log_seq", &[]) >= seq);

    let page = Page::read(&server);
    for (name, labels, expected) in [
        ("shortlist_requests_total", &[("method", "recommend"), ("code", "ok")][..], 26.0),
        ("shortlist_requests_total", &[("method", "recommend"), ("code", "invalid_input")], 2.0),
        ("shortlist_request_seconds", &[("method", "recommend")], 28.0),
        ("shortlist_surface_requests_total", &[("surface", "mine"), ("code", "ok")], 20.0),
        ("shortlist_surface_requests_total", &[("surface", "mine"), ("code", "invalid_input")], 1.0),
        ("shortlist_surface_requests_total", &[("surface", "home"), ("code", "ok")], 6.0),
        ("shortlist_surface_requests_total", &[], 27.0),
        ("shortlist_surface_request_seconds", &[("surface", "mine")], 21.0),
        ("shortlist_stage_seconds", &[("stage", "queue"), ("surface", "mine")], 20.0),
        ("shortlist_stage_seconds", &[("stage", "rerank"), ("surface", "mine")], 20.0),
        ("shortlist_stage_seconds", &[("stage", "ranking"), ("surface", "home")], 6.0),
        ("shortlist_degraded_total", &[("reason", "item_not_in_bundle")], 1.0),
        ("shortlist_events_total", &[("result", "accepted")], 1.0),
        ("shortlist_events_total", &[("result", "duplicate")], 1.0),
        ("shortlist_log_commit_seconds", &[], 3.0),
        ("shortlist_log_commit_records_sum", &[], 2.0),
        ("shortlist_log_seq", &[], seq),
        ("shortlist_log_records_waiting", &[], 0.0),
        ("shortlist_served_dropped_total", &[], 0.0),
        ("shortlist_bundle_info", &[("bundle", bundle.as_str().unwrap())], 1.0),
        ("shortlist_bundle_info", &[], 1.0),
        ("shortlist_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0),
        ("shortlist_ingest_healthy", &[], 1.0),
        ("shortlist_trainings_total", &[], 0.0),
    ] {
        assert_eq!(page.sum(name, labels), expected, "{name} {labels:?}");
    }
    // Each user is shown five items, each by at least one source, and never more than were proposed.
    let shown = page.sum("shortlist_shown_total", &[("surface", "mine")]);
    assert!(shown >= 100.0 && page.sum("shortlist_candidates_total", &[("surface", "mine")]) > shown, "{shown}");
    let ann = [("source", "ann"), ("surface", "mine")];
    assert!(page.sum("shortlist_candidates_total", &ann) >= page.sum("shortlist_shown_total", &ann));
    assert!(page.sum("shortlist_candidates_total", &ann) > 0.0);
    let age = page.sum("shortlist_bundle_age_seconds", &[]);
    assert!((0.0..600.0).contains(&age), "{age} s");
    let memory = page.sum("process_resident_memory_bytes", &[]) / f64::from(1 << 20);
    let by_system = server.memory_mib() as f64;
    assert!((memory - by_system).abs() < 0.2 * by_system + 20.0, "{memory} MiB, {by_system} by the system's word");
    let files = page.sum("process_open_fds", &[]);
    assert!((files - server.open_files() as f64).abs() <= 8.0, "{files} files");
    every_metric_is_described_and_there(&page);
    labels_come_from_closed_lists(&page);
}

fn every_metric_is_described_and_there(page: &Page) {
    let mut kinds = BTreeMap::new();
    for sample in &page.0.samples {
        let of_histogram = ["_sum", "_count"].iter().find_map(|end| sample.metric.strip_suffix(end));
        let kind = match &sample.value {
            Read::Counter(_) => MetricKind::Counter,
            Read::Gauge(_) => MetricKind::Gauge,
            Read::Histogram(_) => MetricKind::Histogram,
            // The parser gives these no type of their own.
            Read::Untyped(_) if of_histogram.is_some() => continue,
            other => panic!("{} is {other:?}", sample.metric),
        };
        kinds.insert(sample.metric.as_str(), kind);
        assert!(page.0.docs.contains_key(&sample.metric), "{} has no HELP", sample.metric);
    }
    let documented: BTreeMap<_, _> = all_metrics().map(|metric| (metric.name, metric.kind)).collect();
    for (name, kind) in &documented {
        assert!(RARE.contains(name) || kinds.get(name) == Some(kind), "{name}: {:?}", kinds.get(name));
    }
    for name in kinds.keys() {
        assert!(documented.contains_key(name), "{name} is not documented");
    }
    for sample in &page.0.samples {
        let name = ["_sum", "_count"].iter().find_map(|end| sample.metric.strip_suffix(end)).unwrap_or(&sample.metric);
        let metric = all_metrics().find(|metric| metric.name == name || metric.name == sample.metric).unwrap();
        assert!(sample.labels.keys().all(|label| metric.labels.contains(&label.as_str())), "{sample:?}");
    }
}

fn labels_come_from_closed_lists(page: &Page) {
    let only = |label: &str, known: &[&str]| {
        let unknown: Vec<_> = page.labels(label).into_iter().filter(|value| !known.contains(value)).collect();
        assert!(unknown.is_empty(), "{label}: {unknown:?}");
    };
    only("stage", &STAGES);
    only("source", &STAGES);
    only("surface", &SURFACES);
    only("reason", &["no_bundle", "item_not_in_bundle", "brownout", "source_timeout", "ranker_timeout"]);
    only("result", &["accepted", "duplicate", "refused"]);
    only("outcome", &["promoted", "unchanged", "refused", "failed", "exported", "dropped"]);
    for label in ["method", "code"] {
        let is_ours = |value: &&str| value.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(page.labels(label).iter().all(is_ours), "{:?}", page.labels(label));
    }
    // Nobody's words.
    for sample in &page.0.samples {
        for value in sample.labels.values() {
            assert!(!["user-", "item-", "nowhere", "brand"].iter().any(|word| value.contains(word)), "{sample:?}");
        }
    }
}
