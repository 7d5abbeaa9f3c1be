//! Dashboard and alerts name what is there.

use std::collections::BTreeSet;

use shortlist_gateway::all_metrics;

/// What a query says of a metric: its name, and the labels that it picks by.
fn named(text: &str) -> BTreeSet<(String, Vec<String>)> {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let mut found = BTreeSet::new();
    for (at, _) in ["shortlist_", "process_"].iter().flat_map(|prefix| text.match_indices(prefix)) {
        if text[..at].ends_with(letter) {
            continue;
        }
        let name: String = text[at..].chars().take_while(|c| letter(*c)).collect();
        let rest = &text[at + name.len()..];
        let picked = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(picked, _)| picked);
        let labels =
            picked.split(',').filter_map(|one| one.split_once(['=', '!'])).map(|(label, _)| label.trim().to_owned());
        found.insert((name, labels.collect()));
    }
    found
}

#[test]
fn dashboard_and_alerts_name_metrics_and_labels_that_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut used = BTreeSet::new();
    for file in ["docker/grafana/dashboards/shortlist.json", "docker/prometheus/alerts.yml"] {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        for (name, labels) in named(&text) {
            let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let metric = all_metrics().find(|metric| [Some(name.as_str()), of_histogram].contains(&Some(metric.name)));
            let metric = metric.unwrap_or_else(|| panic!("{file} names {name}, which no metric is called"));
            // `job` is what Prometheus itself adds.
            let unknown = labels.iter().find(|label| *label != "job" && !metric.labels.contains(&label.as_str()));
            assert_eq!(unknown, None, "{file} picks {name} by a label that it has not");
            used.insert(metric.name);
        }
    }
    let unseen: Vec<_> = all_metrics().map(|metric| metric.name).filter(|name| !used.contains(name)).collect();
    // Nothing that is counted is only there for itself; these are for a person who asks.
    assert_eq!(unseen, UNSEEN, "neither on the dashboard nor in an alert");
}

const UNSEEN: [&str; 7] = [
    "shortlist_hung_up_total",
    "shortlist_log_seq",
    "shortlist_training_seconds",
    "shortlist_build_info",
    "process_virtual_memory_bytes",
    "process_virtual_memory_max_bytes",
    "process_start_time_seconds",
];
