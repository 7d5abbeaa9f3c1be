//! The feature schema by the binary: from the configuration to the bundle, to a request with a context, to the
//! list of what matters.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails

mod harness;

use std::process::Stdio;

use harness::{Server, fails, folder, imported_store, ok, ok_json};
use serde_json::{Value, json};

const CONFIG: &str = r#"
[store]
served_share = 1.0

[features]
phone = { kind = "context_has", attribute = "device", value = "phone" }
hurry = { kind = "context_number", attribute = "hurry" }
category_affinity = { kind = "affinity", attribute = "category", half_life_days = 30 }
price_on_phone = { kind = "cross", of = ["price", "phone"] }
price = { kind = "item_number", attribute = "price" }
take_rate = false
"#;

fn configured_store(folder: &tempfile::TempDir, config: &str) -> String {
    let store = imported_store(folder);
    std::fs::write(format!("{store}/shortlist.toml"), config).unwrap();
    store
}

fn features(store: &str) -> Vec<Value> {
    ok_json(&["features", "list", "--store", store, "--json"])["features"].as_array().unwrap().clone()
}

fn importance(store: &str, name: &str) -> Option<f64> {
    let all = features(store);
    all.iter().find(|feature| feature["name"] == name).unwrap_or_else(|| panic!("no {name}"))["importance"].as_f64()
}

#[test]
fn features_of_the_configuration_are_trained_served_audited_and_listed() {
    let folder = folder();
    let store = configured_store(&folder, CONFIG);
    assert_eq!(importance(&store, "affinity"), None);
    assert!(ok(&["features", "list", "--store", &store]).contains("no importance: there is no promoted bundle"));
    ok(&["train", "--store", &store, "--promote", "always"]);
    assert!(features(&store).iter().any(|feature| feature["importance"].as_f64().unwrap() > 0.01));
    assert!(features(&store).iter().all(|feature| feature["name"] != "take_rate"));
    let table = ok(&["features", "list", "--store", &store]);
    for text in
        ["category_affinity", r#"attribute "category""#, "user's events, item", "logarithm", "AUC lost in bundle b-"]
    {
        assert!(table.contains(text), "{text}: {table}");
    }

    // Who reads one line has what he wanted.
    let mut child = harness::shortlist(&["features", "list", "--store", &store])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", harness::text(&output.stderr));

    // A request's context reaches the ranker, and the audit finds what it read.
    let server = Server::start(&store);
    let ask = |context: Value| {
        let body = json!({"user_id": "user-3", "k": 5, "explain": true, "context": context});
        server.post("/v1/recommend", &body)
    };
    let (status, answer) = ask(json!({"device": "phone", "hurry": 3}));
    assert_eq!(status, 200, "{answer}");
    let contributions = answer["items"][0]["explanation"]["contributions"].as_array().unwrap();
    assert!(contributions.iter().any(|one| one["feature"] == "phone"), "{answer}");
    for (context, field) in [
        (json!({"device": {"a": 1}}), "context"),
        (json!({"": 1}), "context"),
        (json!((0..65).map(|n| (format!("a{n}"), json!(n))).collect::<serde_json::Map<_, _>>()), "context"),
    ] {
        let (status, problem) = ask(context);
        assert_eq!(status, 400, "{problem}");
        assert!(problem.to_string().contains(field), "{problem}");
    }
    assert_eq!(server.stop(), Some(0));
    let report = ok_json(&["audit", "skew", "--store", &store, "--json"]);
    assert_eq!((&report["verified"], &report["differences"]), (&json!(1), &json!(0)), "{report}");

    // The bundle keeps its own list: it serves on under another configuration, and says nothing of what it does
    // not read.
    std::fs::write(format!("{store}/shortlist.toml"), "[features]\nprice = { kind = \"item_age\" }\n").unwrap();
    assert_eq!(importance(&store, "price"), None);
    assert!(importance(&store, "wanted_90d").is_some());
    let answer = ok_json(&["recommend", "--store", &store, "--user", "user-3", "--explain", "--json"]);
    assert_eq!(answer["degraded"], json!([]));
    assert!(answer.to_string().contains("price_on_phone"), "{answer}");
}

#[test]
fn what_cannot_be_used_is_refused_with_its_line_before_anything_starts() {
    let folder = folder();
    let store = configured_store(&folder, "[features]\nx = { kind = \"affinty\" }\n");
    for command in [&["features", "list"][..], &["train"], &["serve", "--listen", "127.0.0.1:0"]] {
        let error = fails(64, &[command, &["--store", &store]].concat());
        assert!(error.contains("line 2") && error.contains("unknown variant `affinty`"), "{error}");
    }
    // A misspelt attribute is no error, for it may come yet; it is said.
    std::fs::write(
        format!("{store}/shortlist.toml"),
        "[features]\nx = { kind = \"item_number\", attribute = \"prize\" }\n",
    )
    .unwrap();
    let said = harness::text(&harness::run(&["train", "--store", &store]).stderr);
    assert!(said.contains("nobody in the log has the attribute") && said.contains("prize"), "{said}");
    // Rows of a served log that is not there.
    std::fs::write(format!("{store}/shortlist.toml"), "[training]\nrows = \"served\"\n").unwrap();
    assert!(fails(1, &["train", "--store", &store]).contains("served_share"));
}
