//! What was acknowledged survives the end of the process, however it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails

mod harness;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use harness::{Server, folder, path};
use serde_json::json;

const WRITERS: usize = 4;
const ROUNDS: u64 = 3;

#[test]
fn kill_and_restart_keeps_every_acknowledged_event_once() {
    let folder = folder();
    let store = path(&folder, "store");
    let mut acknowledged = HashSet::new();
    for round in 0..ROUNDS {
        let server = Server::start(&store);
        let stop = AtomicBool::new(false);
        let by_writer = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let (server, stop) = (&server, &stop);
                    scope.spawn(move || {
                        let mut acknowledged = Vec::new();
                        for n in 0.. {
                            let id = format!("{round}-{writer}-{n}");
                            let event = json!({"event_id": id, "user_id": "u", "item_id": id, "event_type": "click"});
                            if server.post("/v1/events", &event).0 == 200 {
                                acknowledged.push(id);
                            }
                            if stop.load(Ordering::Relaxed) {
                                break;
                            }
                        }
                        acknowledged
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_millis(150 + 170 * round));
            kill_nine(&server);
            stop.store(true, Ordering::Relaxed);
            writers.into_iter().map(|writer| writer.join().unwrap()).collect::<Vec<_>>()
        });
        acknowledged.extend(by_writer.into_iter().flatten());
        server.kill();
    }
    assert!(acknowledged.len() > 20, "only {} events were acknowledged: the test shows nothing", acknowledged.len());

    let (log, twice) = event_ids(&store);
    assert_eq!(twice, 0, "an event stands in the log twice");
    let lost: Vec<_> = acknowledged.difference(&log).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    // At most one event per writer and round was on its way when the process died.
    assert!(log.len() <= acknowledged.len() + WRITERS * usize::try_from(ROUNDS).unwrap());

    // The restarted server has applied them: a client that sends one again changes nothing.
    let server = Server::start(&store);
    let id = acknowledged.iter().next().unwrap();
    let event = json!({"event_id": id, "user_id": "u", "item_id": id, "event_type": "click"});
    assert_eq!(server.post("/v1/events", &event).1["duplicates"], 1);
    assert_eq!(server.get("/readyz").1["log_seq"], log.len());
}

#[test]
fn a_training_that_is_killed_leaves_exactly_the_old_or_the_new_bundle() {
    let folder = folder();
    let store = harness::imported_store(&folder);
    let train = |seed: &str| {
        vec!["train", "--store", &store, "--seed", seed, "--promote", "always", "--json"]
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let run = |args: &[String]| {
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        harness::ok_json(&args)
    };
    let started = std::time::Instant::now();
    run(&train("1"));
    let whole = started.elapsed();
    // The last moments of a training are where it publishes: that is where most of the kills fall.
    for (round, share) in [0.5, 0.8, 0.9, 0.95, 0.98, 1.0, 1.02].into_iter().enumerate() {
        let args = train(&format!("{}", round + 2));
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let mut child = harness::shortlist(&args)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole.mul_f64(share));
        let _ = child.kill();
        child.wait().unwrap();
        let list = harness::ok_json(&["registry", "list", "--store", &store, "--json"]);
        let bundles = list["bundles"].as_array().unwrap();
        let current: Vec<_> = bundles.iter().filter(|bundle| bundle["current"] == true).collect();
        assert_eq!(current.len(), 1, "{list}");
        let current = current[0]["id"].as_str().unwrap();
        let answer = harness::ok_json(&["recommend", "--store", &store, "--user", "user-3", "--json"]);
        assert_eq!(answer["bundle"], current);
    }
    let last = run(&train("99"));
    assert_eq!(last["promoted"], true);
    let left = std::fs::read_dir(format!("{store}/bundles")).unwrap();
    let unfinished =
        left.filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with('.')).count();
    assert_eq!(unfinished, 0, "a stale temporary folder was left");
}

fn kill_nine(server: &Server) {
    let killed = std::process::Command::new("kill").args(["-KILL", &server.id().to_string()]).status();
    assert!(killed.unwrap().success());
}

/// The event ids in the log as its own reader gives them, and how many stand there more than once.
fn event_ids(store: &str) -> (HashSet<String>, usize) {
    let log = shortlist_store::Store::open(store).unwrap().reader().unwrap();
    let head = log.head().unwrap().log_seq;
    let (mut ids, mut twice) = (HashSet::new(), 0);
    log.read(shortlist_types::LogSeq::default(), head, |_, record| {
        if let shortlist_types::LogRecord::Event(event) = record {
            twice += usize::from(!ids.insert(event.event_id.unwrap().to_string()));
        }
        Ok::<_, shortlist_store::StoreError>(())
    })
    .unwrap();
    (ids, twice)
}
