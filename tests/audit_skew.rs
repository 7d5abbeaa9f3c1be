//! `audit skew`: a difference is found and named, and what cannot be told is said. That serving reads what the
//! log says, beside events and swaps, is shown by `tests/reliability/skew.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails

mod harness;

use std::path::Path;
use std::sync::Arc;

use harness::{Server, fails, folder, imported_store, ok, ok_json, path, run};
use serde_json::{Value, json};
use shortlist_recommender::{Bundle, DurableState, Recommender, Request, Served, Surfaces};
use shortlist_store::{ServedLog, Store, StoreConfig};
use shortlist_types::{RequestId, Timestamp, Unlimited, UserId};

/// A store with a bundle that keeps every request.
fn kept_store(folder: &tempfile::TempDir) -> String {
    let store = imported_store(folder);
    std::fs::write(format!("{store}/shortlist.toml"), "[store]\nserved_share = 1.0\n").unwrap();
    ok(&["train", "--store", &store, "--promote", "always"]);
    store
}

fn audit(store: &str) -> Value {
    ok_json(&["audit", "skew", "--store", store, "--json"])
}

#[test]
fn what_cannot_be_told_is_counted_with_its_reason() {
    let folder = folder();
    let store = kept_store(&folder);
    for _ in 0..2 {
        let server = Server::start(&store);
        (0..30).for_each(|n| drop(server.list(&format!("user-{n}"), 5)));
        assert_eq!(server.stop(), Some(0));
        ok(&["train", "--store", &store, "--promote", "always", "--seed", "77"]);
    }
    let report = audit(&store);
    assert_eq!((&report["requests"], &report["differences"]), (&json!(60), &json!(0)), "{report}");
    assert!(ok(&["audit", "skew", "--store", &store]).contains("differences"));

    // A bundle that was removed cannot be asked any more.
    let list = ok_json(&["registry", "list", "--store", &store, "--json"]);
    let id = list["bundles"][0]["id"].as_str().unwrap_or_else(|| panic!("{list}"));
    std::fs::remove_dir_all(Path::new(&store).join("bundles").join(id)).unwrap();
    // Users without a history are shown what is popular: nothing is read of it.
    let ranked = 60 - report["unranked"].as_u64().unwrap();
    assert!(ranked > 40, "{report}");
    let report = audit(&store);
    assert_eq!(report["unverifiable"]["its bundle was removed"], ranked / 2, "{report}");

    // Whoever is erased is in the served log no more, and what others were shown counted him.
    ok(&["log", "erase", "--store", &store, "--user", "user-3"]);
    let report = audit(&store);
    assert_eq!((&report["requests"], &report["differences"]), (&json!(58), &json!(0)), "{report}");
    assert_eq!(report["unverifiable"], json!({"a user was erased since": ranked - 2}), "{report}");
    assert!(!served_holds(&store, "user-3") && served_holds(&store, "user-8"));
}

fn served_holds(store: &str, user: &str) -> bool {
    let database = rusqlite::Connection::open(format!("{store}/served.db")).unwrap();
    let sql = "SELECT 1 FROM served WHERE user_id = ?1";
    database.prepare(sql).unwrap().exists([user]).unwrap()
}

#[test]
fn a_feature_that_is_computed_otherwise_in_serving_is_found_and_named() {
    let folder = folder();
    let store_dir = kept_store(&folder);
    let store = Store::open(&store_dir).unwrap();
    let served = ServedLog::start(&store, &StoreConfig { served_share: 1.0, ..StoreConfig::default() }).unwrap();
    let durable = DurableState::new(store.clone(), Arc::default());
    let state = durable.restore(&mut |_| ()).unwrap();
    let now = state.latest().unwrap();
    let recommender = Recommender::new(state, &Surfaces::default()).unwrap();
    let id = store.registry().current().unwrap().unwrap();
    let bundle = Bundle::load(&store.registry(), &store.reader().unwrap(), &id).unwrap();
    recommender.swap(Some(Arc::new(bundle)));
    let serve = |name: &str, clock: Timestamp| {
        let request = Request { keep: true, ..Request::of(UserId::parse("user-3").unwrap(), 5) };
        let mut answer = recommender.recommend(&request, clock, &Unlimited).unwrap();
        let request_id = RequestId::parse(name).unwrap();
        let row = Served { request_id: &request_id, now, erasures: 0 }.row(request, &durable.schema(), &mut answer);
        served.keep(row.unwrap());
    };
    serve("right", now);
    served.flush();
    assert_eq!(audit(&store_dir)["differences"], 0);
    // Serving reads another clock than it says: ages and decayed counters differ.
    serve("wrong", now.plus_seconds(3_600));
    served.flush();
    assert_eq!(store.served().unwrap().unwrap().count().unwrap(), 2);
    let error = fails(1, &["audit", "skew", "--store", &store_dir]);
    assert!(error.contains("numbers that serving read differ from what the log says"), "{error}");
    let output = run(&["audit", "skew", "--store", &store_dir, "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["verified"], &report["first"]["request_id"]), (&json!(2), &json!("wrong")), "{report}");
    assert!(report["first"]["served"] != report["first"]["recomputed"], "{report}");
}

#[test]
fn without_a_served_log_it_says_how_to_get_one() {
    let folder = folder();
    let store = imported_store(&folder);
    let error = fails(1, &["audit", "skew", "--store", &store]);
    assert!(error.contains("served_share"), "{error}");
    std::fs::write(path(&folder, "store/served.db"), "a letter").unwrap();
    let error = fails(1, &["audit", "skew", "--store", &store]);
    assert!(error.contains("served.db was not written by shortlist"), "{error}");
    // It keeps nobody from being served.
    assert_eq!(Server::start(&store).get("/readyz").0, 200);
}
