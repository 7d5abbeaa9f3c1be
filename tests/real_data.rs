//! The main job on real data: `SHORTLIST_DATA` names the folder; without it these tests fail.
//! Run with `--features real-data`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails
#![cfg(feature = "real-data")]

mod harness;

use harness::{folder, ids, ok, ok_json, path, real_data};
use serde_json::Value;

fn ndcg(report: &Value, order: &str) -> f64 {
    report["metrics"]["ndcg_at_10"][order].as_f64().expect("a number")
}

fn imported_and_trained(format: &str, data: &str) -> (tempfile::TempDir, String, Value) {
    let folder = folder();
    let store = path(&folder, "store");
    ok(&["import", format, real_data(data).to_str().unwrap(), "--store", &store]);
    let trained = ok_json(&["train", "--store", &store, "--json"]);
    (folder, store, trained)
}

#[test]
fn on_movielens_100k_each_stage_earns_its_place() {
    let (_folder, store, trained) = imported_and_trained("movielens-100k", "ml-100k");
    let evaluated = ok_json(&["evaluate", "store", "--store", &store, "--json"]);
    assert_eq!(evaluated["metrics"], trained["metrics"], "what was published is what was evaluated");
    assert!(evaluated["protocol"]["candidates"].as_f64().unwrap() <= 168.2, "more than 10 % of the catalogue");
    let (popularity, retrieval, two_stage) =
        (ndcg(&evaluated, "popularity"), ndcg(&evaluated, "retrieval_order"), ndcg(&evaluated, "two_stage"));
    assert!(retrieval > popularity * 1.3, "{evaluated}");
    assert!(two_stage > retrieval * 1.05, "{evaluated}");
    let gain = &evaluated["groups"]["all"]["two_stage_over_retrieval"]["difference"];
    assert!(gain["low"].as_f64().unwrap() > 0.0, "the ranker's gain may be chance: {gain}");
    let answer = ok_json(&["recommend", "--store", &store, "--user", "1", "--json"]);
    assert_eq!(ids(&answer).len(), 10);
    assert!(ok(&["recommend", "--store", &store, "--user", "1"]).contains("(19"), "titles carry years");
}

#[test]
fn on_movielens_1m_the_whole_beats_its_parts() {
    let (_folder, _store, trained) = imported_and_trained("movielens-1m", "ml-1m");
    assert_eq!(trained["promoted"], true);
    assert!(ndcg(&trained, "two_stage") > ndcg(&trained, "retrieval_order") * 1.03, "{trained}");
    assert!(ndcg(&trained, "two_stage") > ndcg(&trained, "popularity") * 1.03, "{trained}");
}
