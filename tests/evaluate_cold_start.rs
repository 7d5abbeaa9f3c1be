//! `shortlist evaluate cold-start`: the real binary over a store whose items and users say by their
//! attributes what they are like.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails

mod harness;

use std::fmt::Write as _;

use harness::{fails, folder, ok, ok_json, path};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tempfile::TempDir;

const KINDS: usize = 5;
const ITEMS: usize = 400;
const USERS: usize = 300;

/// JSON lines: items of one kind each, users of one kind each who take items of their kind.
fn lines(described: bool) -> String {
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let mut text = String::new();
    let attributes = |name: &str, kind: usize| {
        if described { format!(r#","attributes":{{"{name}":"{kind}"}}"#) } else { String::new() }
    };
    for item in 0..ITEMS {
        writeln!(text, r#"{{"kind":"item","item_id":"i{item}"{}}}"#, attributes("genre", item % KINDS)).unwrap();
    }
    for user in 0..USERS {
        writeln!(text, r#"{{"kind":"user","user_id":"u{user}"{}}}"#, attributes("club", user % KINDS)).unwrap();
    }
    for user in 0..USERS {
        let of_kind: Vec<usize> = (0..ITEMS).filter(|item| item % KINDS == user % KINDS).collect();
        for item in of_kind.choose_multiple(&mut random, 20) {
            let item = if random.random_bool(0.1) { random.random_range(0..ITEMS) } else { *item };
            let second = random.random_range(0..86_400);
            writeln!(
                text,
                r#"{{"user_id":"u{user}","item_id":"i{item}","event_type":"click","timestamp":"2026-05-01T{:02}:{:02}:{:02}Z"}}"#,
                second / 3_600,
                second / 60 % 60,
                second % 60
            )
            .unwrap();
        }
    }
    text
}

fn store(folder: &TempDir, described: bool) -> String {
    let (data, store) = (path(folder, "data.jsonl"), path(folder, "store"));
    std::fs::write(&data, lines(described)).unwrap();
    ok(&["import", "jsonl", &data, "--store", &store]);
    store
}

fn mean(report: &Value, pointer: &str) -> f64 {
    report.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer} in {report}"))
}

#[test]
fn items_and_users_that_training_never_met_are_found_by_their_attributes() {
    let folder = folder();
    let store = store(&folder, true);
    let args = ["evaluate", "cold-start", "--store", &store, "-k", "5", "--json"];
    let report = ok_json(&args);
    assert_eq!(report["new_items"]["items"], 40);
    let (recall, random) = (mean(&report, "/new_items/recall/mean"), mean(&report, "/new_items/random_recall"));
    assert!(recall > 3.0 * random, "{recall} {random}");
    assert!(mean(&report, "/new_items/candidate_recall/mean") > 0.5, "{report}");
    assert_eq!(report["new_users"]["users"], 30);
    assert!(mean(&report, "/new_users/ndcg_over_popularity/low") > 0.0, "{report}");
    let mut again = ok_json(&args);
    again["seconds"] = report["seconds"].clone();
    assert_eq!(again, report, "the same seed gives the same answer");
    let text = ok(&args[..args.len() - 1]);
    assert!(text.contains("40 new items") && text.contains("30 new users"), "{text}");
    assert_eq!(ok_json(&["registry", "list", "--store", &store, "--json"])["bundles"], Value::Array(Vec::new()));
}

#[test]
fn what_cannot_be_measured_is_said() {
    let folder = folder();
    let store = store(&folder, false);
    let error = fails(1, &["evaluate", "cold-start", "--store", &store]);
    assert!(error.contains("both attributes and events"), "{error}");
    for share in ["0", "1", "nan", "x"] {
        let error = fails(2, &["evaluate", "cold-start", "--store", &store, "--share", share]);
        assert!(error.contains("--share"), "{error}");
    }
    let missing = path(&folder, "nowhere");
    assert!(fails(1, &["evaluate", "cold-start", "--store", &missing]).contains("nowhere"));
}
