use std::path::Path;

use shortlist_gateway::{Metric, MetricKind, all_metrics};

const BEGIN: &str = "<!-- Made from the metrics: `UPDATE_METRICS=1 cargo test -p shortlist-gateway metrics`. -->\n";
const END: &str = "<!-- End of what is made. -->\n";

fn row(metric: &Metric) -> String {
    let kind = match metric.kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
    };
    let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    format!("| `{}` | {kind} | {} | {} |\n", metric.name, labels.join(", "), metric.help.trim())
}

#[test]
fn the_metrics_in_the_documentation_are_those_of_the_server() {
    let rows: String = all_metrics().map(row).collect();
    let table = format!("\n| metric | type | labels | meaning |\n|---|---|---|---|\n{rows}\n");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/telemetry.md");
    let kept = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = kept.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!("{before}{BEGIN}{table}{END}{after}");
    if std::env::var_os("UPDATE_METRICS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    } else {
        assert!(
            kept == wanted,
            "docs/telemetry.md differs; run this test with UPDATE_METRICS=1 and look at the change"
        );
    }
}

#[test]
fn names_are_as_prometheus_wants_them_and_none_comes_twice() {
    let mut names: Vec<_> = all_metrics().map(|metric| metric.name).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|two| two[0] != two[1]), "{names:?}");
    for metric in all_metrics() {
        let Metric { name, kind, help, .. } = metric;
        assert_eq!(name.ends_with("_total"), *kind == MetricKind::Counter, "{name}");
        assert!(help.trim().ends_with('.') && !help.contains('\n') && !help.contains('|'), "{name}: {help:?}");
    }
}
