//! What an operator relies on: trainings beside the service, metrics that dashboards and alerts can name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails

mod harness;

use std::fs::read_to_string;
use std::time::{Duration, Instant};

use harness::{Server, fails, folder, imported_store, ok, ok_json};

/// The value of a metric on the page, or none.
fn metric(page: &str, name: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[test]
fn a_server_trains_by_itself_and_serves_what_passes_the_gate() {
    let folder = folder();
    let store = imported_store(&folder);
    std::fs::write(harness::path(&folder, "store/shortlist.toml"), "[gateway]\nrecall_probe_every = 1\n").unwrap();
    let error = fails(2, &["serve", "--store", &store, "--train-every", "1s"]);
    assert!(error.contains("must be 10 seconds to 30 days"), "{error}");
    let args = ["serve", "--store", &store, "--listen", "127.0.0.1:0", "--train-every", "10s"];
    let server = Server::start_with(&args);
    assert_eq!(server.get("/readyz").1["bundle"], "no_bundle");
    let promoted = "shortlist_trainings_total{outcome=\"promoted\"}";
    assert_eq!(metric(&server.page("/metrics"), promoted), Some(0.0));
    let started = Instant::now();
    while metric(&server.page("/metrics"), promoted) == Some(0.0) {
        assert!(started.elapsed() < Duration::from_secs(90), "nothing was trained");
        let (status, _) = server.get("/v1/users/user-3/recommendations?k=3");
        assert_eq!(status, 200, "it serves meanwhile");
        std::thread::sleep(Duration::from_millis(100));
    }
    let swapped = Instant::now();
    let bundle = loop {
        let bundle = server.get("/readyz").1["bundle"].clone();
        if bundle != "no_bundle" {
            break bundle;
        }
        assert!(swapped.elapsed() < Duration::from_secs(10), "what was promoted does not serve");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(server.get("/v1/users/user-3/recommendations?k=3").1["bundle"], bundle);
    // It answered some lists before anybody asked for one.
    assert!(warmed(&server, "swapped", "warmed_by_lists") > 10);
    // Every request is repeated by an exact search: of so few items the search misses none.
    for user in 1..=40 {
        server.get(&format!("/v1/users/user-{user}/recommendations?k=3"));
    }
    let (mut recall, started) = (None, Instant::now());
    while recall.is_none() && started.elapsed() < Duration::from_secs(10) {
        let page = server.page("/metrics");
        let count = metric(&page, "shortlist_ann_recall_count").filter(|count| *count >= 10.0);
        recall = count.and_then(|count| Some(metric(&page, "shortlist_ann_recall_sum")? / count));
    }
    assert!(recall.is_some_and(|recall| recall > 0.99), "recall of the neighbour search: {recall:?}");
    // It stops at once, whether the next training runs or not, and leaves a store that is whole.
    assert_eq!(server.stop(), Some(0));
    assert_eq!(ok_json(&["registry", "show", "--store", &store, "--json"])["id"], bundle);
    ok(&["log", "verify", "--store", &store]);
    let server = Server::start(&store);
    assert!(warmed(&server, "warmed", "lists") > 10, "it was ready before it was warm");
}

/// How many lists warmed the bundle, as one line of the log says.
fn warmed(server: &Server, message: &str, field: &str) -> u64 {
    let lines = server.lines().into_iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(&line).ok());
    let mut fields = lines.map(|line| line["fields"].clone());
    let line = fields.find(|fields| fields["message"] == message).expect("nothing of it in the log");
    line[field].as_u64().expect("a number of lists")
}

#[test]
fn what_a_training_beside_the_service_makes_passes_the_gate_or_does_not_serve() {
    let folder = folder();
    let store = imported_store(&folder);
    // Ten items that nobody knows yet are worse than popular ones, with which the gate compares.
    let config = "[surfaces.home]\ncandidates_max = 10\n[surfaces.home.sources]\nfresh = { share = 1.0 }\n\
                  ann = { share = 0.0 }\nitem_to_item = { share = 0.0 }\npopular = { share = 0.0 }\n";
    std::fs::write(harness::path(&folder, "store/shortlist.toml"), config).unwrap();
    let server = Server::start_with(&["serve", "--store", &store, "--listen", "127.0.0.1:0", "--train-every", "10s"]);
    let refused = "shortlist_trainings_total{outcome=\"refused\"}";
    server.wait_until("a training is refused", |server| metric(&server.page("/metrics"), refused) >= Some(1.0));
    assert!(server.said("the gate refused the bundle"));
    assert_eq!(server.get("/readyz").1["bundle"], "no_bundle");
}

/// What the system says of a process.
struct Process {
    runs: bool,
    parent: u32,
    niceness: i32,
}

fn process(id: u32) -> Option<Process> {
    let stat = read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Process { runs: fields[0] != "Z", parent: fields[1].parse().ok()?, niceness: fields[16].parse().ok()? })
}

fn children(parent: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").unwrap();
    let ids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id| process(*id).is_some_and(|process| process.parent == parent)).collect()
}

#[test]
fn a_training_is_the_first_to_go_and_does_not_outlive_its_server() {
    let folder = folder();
    let store = imported_store(&folder);
    let server = Server::start_with(&["serve", "--store", &store, "--listen", "127.0.0.1:0", "--train-every", "10s"]);
    let first_to_go =
        |id: &u32| read_to_string(format!("/proc/{id}/oom_score_adj")).is_ok_and(|score| score.trim() == "500");
    server.wait_until("a training runs", |server| children(server.id()).iter().any(first_to_go));
    let training = children(server.id()).into_iter().find(first_to_go).unwrap();
    let [niceness, others] = [training, server.id()].map(|id| process(id).unwrap().niceness);
    assert!(niceness >= 10 && niceness >= others, "it does not stand back: {niceness}, the server {others}");
    server.kill();
    let killed = Instant::now();
    while process(training).is_some_and(|process| process.runs) {
        assert!(killed.elapsed() < Duration::from_secs(2), "it trains for nobody");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(ok_json(&["registry", "list", "--store", &store, "--json"])["bundles"], serde_json::json!([]));
}
