//! `shortlist loadtest` against the running server, and against what is none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails

mod harness;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use harness::{Server, fails, folder, imported_store, ok_json, path, run, shortlist, text};
use serde_json::{Value, json};

/// The keys that DESIGN names; others may come.
const KEYS: [&str; 10] =
    ["rate", "sent", "ok", "refused", "failed", "degraded", "p50_ms", "p90_ms", "p99_ms", "p999_ms"];

fn number(report: &Value, key: &str) -> f64 {
    report[key].as_f64().unwrap_or_else(|| panic!("{key} is no number in {report}"))
}

fn count(report: &Value, key: &str) -> u64 {
    report[key].as_u64().unwrap_or_else(|| panic!("{key} is no count in {report}"))
}

#[test]
fn reads_and_writes_leave_at_their_rate_over_both_protocols_and_are_all_accounted_for() {
    let folder = folder();
    let server = Server::start(&imported_store(&folder));
    for protocol in ["rest", "grpc"] {
        let before = count(&server.get("/readyz").1, "log_seq");
        let svg = path(&folder, protocol);
        let mut command = shortlist(&["loadtest", "--target", &server.url, "--protocol", protocol, "--users", "150"]);
        command.args(["--rate", "200", "--duration", "3s", "--writes", "0.25", "--json", "--svg", &svg]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        for key in KEYS {
            number(&report, key);
        }
        let [sent, ok, degraded] = ["sent", "ok", "degraded"].map(|key| count(&report, key));
        // Five standard deviations of a Poisson count.
        assert!((475..725).contains(&sent), "{report}");
        assert_eq!(sent, ok + count(&report, "refused") + count(&report, "failed"));
        assert_eq!((&report["rate"], count(&report, "failed")), (&json!(200.0), 0), "{report}");
        let [p50, p90, p99, p999] = ["p50_ms", "p90_ms", "p99_ms", "p999_ms"].map(|key| number(&report, key));
        assert!(0.0 < p50 && p50 <= p90 && p90 <= p99 && p99 <= p999, "{report}");
        let of_kinds = report["kinds"].as_array().unwrap();
        let named = |kind: &Value| kind["kind"].as_str().unwrap().rsplit_once(' ').unwrap().1.to_owned();
        assert_eq!(of_kinds.iter().map(named).collect::<Vec<_>>(), ["recommend", "event"], "{report}");
        assert_eq!(of_kinds.iter().map(|kind| count(kind, "ok")).sum::<u64>(), ok, "{report}");
        // Without a bundle every list is degraded; what is left are events, and they are in the log.
        let written = count(&server.get("/readyz").1, "log_seq") - before;
        assert_eq!(written, ok - degraded, "{report}");
        assert!((100..200).contains(&written), "{written} events of {sent} requests");
        assert!(text(&output.stderr).contains("answered, p50"), "no live line: {}", text(&output.stderr));
        let picture = std::fs::read_to_string(&svg).unwrap();
        assert!(picture.starts_with("<svg") && picture.contains(" event\n</text>"), "{picture}");
        assert!(picture.contains("99.9 %") && !picture.contains("NaN"), "{picture}");
    }
}

#[test]
fn a_stall_is_charged_to_everybody_who_came_meanwhile() {
    let folder = folder();
    let server = Server::start(&imported_store(&folder));
    let signal =
        |name: &str| assert!(Command::new("kill").args([name, &server.id().to_string()]).status().unwrap().success());
    for protocol in ["rest", "grpc"] {
        let report = std::thread::scope(|scope| {
            let load = scope.spawn(|| {
                let args = ["--protocol", protocol, "--rate", "100", "--duration", "4", "--json"];
                ok_json(&[&["loadtest", "--target", &server.url][..], &args].concat())
            });
            std::thread::sleep(Duration::from_millis(1_500));
            signal("-STOP");
            std::thread::sleep(Duration::from_millis(1_200));
            signal("-CONT");
            load.join().unwrap()
        });
        // Of 400 requests about 120 came in the 1.2 s, and waited for 0.6 s on average.
        assert!(number(&report, "p90_ms") > 300.0 && number(&report, "p99_ms") > 900.0, "{report}");
        assert!(number(&report, "p50_ms") < 300.0, "{report}");
        assert!(number(&report, "sent") > 300.0, "the loop waited: {report}");
    }
}

#[test]
fn a_broken_limit_of_p99_fails_after_the_report() {
    let folder = folder();
    let server = Server::start(&imported_store(&folder));
    let args = ["loadtest", "--target", &server.url, "--rate", "50", "--duration", "1", "--json", "--max-p99-ms"];
    let output = run(&[&args[..], &["0.001"]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--max-p99-ms 0.001 is broken"), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(number(&report, "ok") > 0.0);
    ok_json(&[&args[..], &["5000"]].concat());
}

#[test]
fn refusals_are_told_apart_from_failures_and_count_against_the_limit() {
    let folder = folder();
    let store = imported_store(&folder);
    std::fs::write(format!("{store}/shortlist.toml"), "[gateway]\nconcurrency_max = 1\n").unwrap();
    let server = Server::start(&store);
    let args = ["loadtest", "--target", &server.url, "--rate", "1500", "--duration", "2", "--json"];
    let report = ok_json(&args);
    assert!(number(&report, "refused") > number(&report, "sent") / 50.0, "{report}");
    assert_eq!(count(&report, "failed"), 0, "{report}");
    let error = fails(1, &[&args[..], &["--max-p99-ms", "5000"]].concat());
    assert!(error.contains("is broken") && error.contains("refused"), "{error}");

    let shed = |priority: &str| {
        let page = server.page("/metrics");
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix(&format!("shortlist_shed_total{{priority=\"{priority}\"}} ")));
        line.map_or(0.0, |count| count.parse::<f64>().unwrap())
    };
    assert!(shed("high") >= number(&report, "refused") && shed("low") == 0.0);
    let mut refused = 0.0;
    for protocol in ["rest", "grpc"] {
        let report = ok_json(&[&args[..], &["--priority", "low", "--protocol", protocol]].concat());
        refused += number(&report, "refused");
        assert!(refused > 0.0 && shed("low") >= refused, "{report}");
    }
}

#[test]
fn a_server_with_keys_wants_one() {
    let folder = folder();
    let (keys, secret) = (path(&folder, "keys.toml"), path(&folder, "secret"));
    let made = ok_json(&["keys", "new", "--role", "read", "--name", "load", "--file", &keys, "--json"]);
    std::fs::write(&secret, format!("{}\n", made["key"].as_str().unwrap())).unwrap();
    let store = imported_store(&folder);
    let server = Server::start_with(&["serve", "--store", &store, "--listen", "127.0.0.1:0", "--keys", &keys]);
    for protocol in ["rest", "grpc"] {
        let args = ["--protocol", protocol, "--rate", "50", "--duration", "1", "--json"];
        let args = [&["loadtest", "--target", &server.url][..], &args].concat();
        let error = fails(1, &args);
        assert!(error.contains("send a key that the server knows"), "{error}");
        assert_eq!(count(&ok_json(&[&args[..], &["--api-key-file", &secret]].concat()), "failed"), 0);
    }
}

#[test]
fn a_target_that_is_none_is_named_with_what_is_wrong() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    for protocol in ["rest", "grpc"] {
        let told = |url: &str| {
            fails(1, &["loadtest", "--target", url, "--protocol", protocol, "--rate", "10", "--duration", "1"])
        };
        let error = told(&format!("http://{closed}"));
        assert!(
            error.contains(&closed.to_string()) && error.contains("refused") && error.contains("running"),
            "{error}"
        );
        for url in ["127.0.0.1:8080", "ftp://127.0.0.1", "https://127.0.0.1:1", "http://127.0.0.1:1/v1", "http://"] {
            let error = told(url);
            assert!(error.contains("must be like http://127.0.0.1:8080") && error.contains(url), "{error}");
        }
        let letter = server_that_says(b"220 mail.example.org ready\r\n");
        let error = told(&letter);
        assert!(error.contains("did not answer a question as shortlist does"), "{error}");
    }
    let other = server_that_says(b"HTTP/1.1 404 Not Found\r\ncontent-length: 8\r\n\r\nnot here");
    let error = fails(1, &["loadtest", "--target", &other, "--rate", "10", "--duration", "1"]);
    assert!(error.contains("404 Not Found: not here"), "{error}");
}

#[test]
fn a_server_that_takes_connections_and_says_nothing_is_given_up() {
    let silent = server_that_says(b"");
    std::thread::scope(|scope| {
        for protocol in ["rest", "grpc"] {
            let args = ["loadtest", "--target", &silent, "--protocol", protocol, "--rate", "10", "--duration", "1"];
            scope.spawn(move || {
                let error = fails(1, &args);
                assert!(error.contains("took the connection and did not answer within 10 s"), "{error}");
            });
        }
    });
}

#[test]
fn numbers_out_of_range_and_an_empty_catalogue_are_named() {
    let folder = folder();
    let server = Server::start(&path(&folder, "store"));
    let with = |args: &[&str]| {
        let output = run(&[&["loadtest", "--target", &server.url][..], args].concat());
        assert!(!output.status.success());
        text(&output.stderr)
    };
    assert!(with(&["--rate", "0", "--duration", "1"]).contains("the rate must be more than 0"));
    assert!(with(&["--rate", "1", "--duration", "0"]).contains("the duration must be more than 0"));
    assert!(with(&["--rate", "1", "--duration", "1", "--users", "0"]).contains("the number of users must be 1 to"));
    assert!(with(&["--rate", "1", "--duration", "1", "--writes", "2"]).contains("must be 0 to 1"));
    assert!(with(&["--rate", "1", "--duration", "1", "-k", "501"]).contains("k: must be a whole number from 1 to 500"));
    assert!(with(&["--rate", "1", "--duration", "1", "--writes", "1"]).contains("put items first"));
    assert!(with(&["--rate", "1", "--duration", "1", "--api-key-file", "/no/such"]).contains("/no/such"));
    let (status, _) = server.post("/v1/recommend", &json!({"user_id": "u"}));
    assert_eq!(status, 200);
}

/// Takes every connection, says this, and then nothing, until the test ends.
fn server_that_says(text: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                // Who speaks HTTP waits for a request.
                let mut heard = [0; 1_024];
                if text.starts_with(b"HTTP") {
                    let _ = stream.read(&mut heard);
                }
                let _ = stream.write_all(text);
                while stream.read(&mut heard).is_ok_and(|bytes| bytes > 0) {}
            });
        }
    });
    url
}
