//! Import, train, evaluate, recommend and the registry, by the binary, on generated files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails

mod harness;

use std::collections::BTreeMap;

use harness::{fails, folder, imported_store, market, ok, ok_json, path, write_jsonl};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_log_becomes_a_bundle_that_recommends_and_the_same_log_gives_the_same_bundle() {
    let folder = folder();
    let store = imported_store(&folder);
    let trained = ok_json(&["train", "--store", &store, "--seed", "7", "--json"]);
    assert_eq!(trained["promoted"], true, "{trained}");
    let bundle = trained["bundle"].as_str().unwrap();
    let metrics = &trained["metrics"];
    for (name, metric) in [
        ("candidate_recall", &metrics["candidate_recall"]),
        ("auc", &metrics["auc"]),
        ("two_stage", &metrics["ndcg_at_10"]["two_stage"]),
        ("retrieval_order", &metrics["ndcg_at_10"]["retrieval_order"]),
        ("popularity", &metrics["ndcg_at_10"]["popularity"]),
    ] {
        assert!((0.0..=1.0).contains(&number(metric)), "{name} is {metric}");
    }
    assert!(number(&metrics["auc"]) > 0.5, "the ranker orders no better than a coin: {metrics}");
    assert!(number(&trained["seconds"]) > 0.0);

    // Evaluating the published bundle again, from its files, gives the reported numbers.
    let evaluated = ok_json(&["evaluate", "store", "--store", &store, "--seed", "7", "--json"]);
    assert_eq!(evaluated["metrics"], *metrics);
    assert_eq!(evaluated["groups"], trained["groups"]);

    // Another store with the same log: the same bundle, bit for bit.
    let twin = path(&folder, "twin");
    ok(&["import", "jsonl", &path(&folder, "market.jsonl"), "--store", &twin]);
    assert_eq!(ok_json(&["train", "--store", &twin, "--seed", "7", "--json"])["bundle"], bundle);
    let other_seed = ok_json(&["train", "--store", &twin, "--seed", "8", "--json", "--promote", "never"]);
    assert_ne!(other_seed["bundle"], bundle);
    assert_eq!(other_seed["promoted"], false);

    // The registry tells them apart, promotes and rolls back.
    let list = ok_json(&["registry", "list", "--store", &twin, "--json"]);
    assert_eq!(list["bundles"].as_array().unwrap().len(), 2);
    let other = other_seed["bundle"].as_str().unwrap();
    assert_eq!(ok_json(&["registry", "promote", "--store", &twin, other, "--json"])["current"], other);
    assert_eq!(ok_json(&["registry", "rollback", "--store", &twin, "--json"])["current"], bundle);
    let shown = ok_json(&["registry", "show", "--store", &twin, "--json"]);
    assert_eq!(shown["provenance"]["seed"], 7);
    assert!(shown["coefficients"]["wanted"]["retrieval_score"].is_number(), "{shown}");
    assert!(fails(1, &["registry", "promote", "--store", &twin, "../../etc"]).contains("b-"));
    assert!(fails(1, &["registry", "promote", "--store", &twin, "b-0123456789abcdef"]).contains("b-0123456789abcdef"));

    // Recommendations: for people, for machines, with reasons, and for strangers.
    let table = ok(&["recommend", "--store", &store, "--user", "user-3", "-k", "4", "--explain"]);
    assert!(table.contains("title") && table.contains("because") && table.contains(bundle), "{table}");
    let answer = ok_json(&["recommend", "--store", &store, "--user", "user-3", "-k", "4", "--json"]);
    assert_eq!(harness::ids(&answer).len(), 4);
    assert_eq!(answer["bundle"], bundle);
    assert_eq!(answer["degraded"], serde_json::json!([]));
    let stranger = ok(&["recommend", "--store", &store, "--user", "nobody"]);
    assert!(stranger.contains("user nobody is not known: popular items"), "{stranger}");
    assert!(
        fails(1, &["recommend", "--store", &store, "--user", "user-3", "-k", "501"]).contains("k: must be 1 to 500")
    );
}

#[test]
fn a_bundle_of_another_log_is_refused() {
    let folder = folder();
    let store = imported_store(&folder);
    ok(&["train", "--store", &store]);
    let foreign = path(&folder, "foreign");
    write_jsonl(&folder.path().join("other.jsonl"), &market(100, 200, 20_000));
    ok(&["import", "jsonl", &path(&folder, "other.jsonl"), "--store", &foreign]);
    for name in ["bundles", "registry.json"] {
        let status = std::process::Command::new("cp")
            .args(["-r", &format!("{store}/{name}"), &format!("{foreign}/")])
            .status()
            .unwrap();
        assert!(status.success());
    }
    let error = fails(1, &["recommend", "--store", &foreign, "--user", "user-3"]);
    assert!(error.contains("trained on another log") && error.contains("train again"), "{error}");
}

#[test]
fn a_damaged_bundle_is_refused_and_named() {
    let folder = folder();
    let store = imported_store(&folder);
    let trained = ok_json(&["train", "--store", &store, "--json"]);
    let bundle = trained["bundle"].as_str().unwrap();
    let ranker = format!("{store}/bundles/{bundle}/ranker.json");
    let mut bytes = std::fs::read(&ranker).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let mut permissions = std::fs::metadata(&ranker).unwrap().permissions();
    #[allow(clippy::permissions_set_readonly_false)] // the test's own temporary file
    permissions.set_readonly(false);
    std::fs::set_permissions(&ranker, permissions).unwrap();
    std::fs::write(&ranker, bytes).unwrap();
    let error = fails(1, &["recommend", "--store", &store, "--user", "user-3"]);
    assert!(error.contains("ranker.json") && error.contains(bundle), "{error}");
}

#[test]
fn too_little_to_learn_from_is_said_with_the_slice() {
    let folder = folder();
    let store = path(&folder, "store");
    let events = folder.path().join("events.jsonl");
    let event = |day: u32| {
        format!(
            "{{\"user_id\":\"u\",\"item_id\":\"i{day}\",\"event_type\":\"click\",\"timestamp\":\"2026-01-{day:02}T00:00:00Z\"}}\n"
        )
    };
    std::fs::write(&events, (1..9).map(event).collect::<String>()).unwrap();
    ok(&["import", "jsonl", events.to_str().unwrap(), "--store", &store]);
    let error = fails(1, &["train", "--store", &store]);
    assert!(error.contains("too little to learn from") && error.contains("2026-01-"), "{error}");
    let error = fails(1, &["evaluate", "store", "--store", &store]);
    assert!(error.contains("no promoted bundle") && error.contains("shortlist train"), "{error}");
}

#[test]
fn lists_are_told_as_a_whole_for_each_diversity() {
    let folder = folder();
    let store = imported_store(&folder);
    ok(&["train", "--store", &store, "--promote", "always"]);
    let picture = path(&folder, "lists.svg");
    let asked = ["evaluate", "store", "--store", &store, "--diversity", "0,0.5", "--calibration-of", "category,colour"];
    let evaluated = ok_json(&[&asked[..], &["--svg", &picture, "--json"]].concat());
    let lists = evaluated["lists"].as_array().unwrap();
    assert_eq!(
        lists[0]["ndcg_at_10"]["mean"], evaluated["metrics"]["ndcg_at_10"]["two_stage"],
        "0 is the ranker's order"
    );
    assert!(number(&lists[1]["intra_list_diversity"]) > number(&lists[0]["intra_list_diversity"]) + 0.02, "{lists:?}");
    for list in lists {
        assert!((0.0..=1.0).contains(&number(&list["coverage"])) && number(&list["novelty"]) > 0.0, "{list}");
        assert!(
            number(&list["miscalibration"]["category"]) > 0.0 && list["miscalibration"]["colour"].is_null(),
            "{list}"
        );
    }
    assert!(std::fs::read_to_string(&picture).unwrap().contains("What diversity costs"));
    assert!(ok(&asked).contains("off in category, nats"));
    let error = fails(2, &["evaluate", "store", "--store", &store, "--diversity", "0,2"]);
    assert!(error.contains("must be 0 to 1"), "{error}");
}

#[test]
fn a_network_ranks_as_it_was_judged_and_its_files_are_checked() {
    let folder = folder();
    let store = imported_store(&folder);
    let config = path(&folder, "store/shortlist.toml");
    let all = [("mlp", "listwise", "int8"), ("dcn-v2", "pointwise", "f32"), ("two-stream", "pairwise", "f32")];
    for (kind, loss, precision) in all {
        let ranker = format!(
            "[training.ranker]\nkind = \"{kind}\"\nloss = \"{loss}\"\nhidden = [16, 8]\nprecision = \"{precision}\"\n"
        );
        std::fs::write(&config, format!("{ranker}[store]\nserved_share = 1.0\n")).unwrap();
        let trained = ok_json(&["train", "--store", &store, "--promote", "always", "--json"]);
        let metrics = &trained["metrics"];
        assert!(number(&metrics["auc"]) > 0.5, "{kind} orders no better than a coin: {metrics}");
        let log_loss = number(&metrics["log_loss"]);
        assert!(log_loss < 0.7, "{kind} with {loss} says nothing of how likely an outcome is: {metrics}");
        // From its files it gives the same, in evaluation and in another process's training.
        let evaluated = ok_json(&["evaluate", "store", "--store", &store, "--json"]);
        assert_eq!(evaluated["metrics"], *metrics, "{kind}");
        let again = ok_json(&["train", "--store", &store, "--promote", "never", "--json"]);
        assert_eq!(again["bundle"], trained["bundle"], "{kind}: the same log and seed give another bundle");
        let shown = ok_json(&["registry", "show", "--store", &store, "--json"]);
        assert_eq!((&shown["ranker"], &shown["coefficients"]), (&json!(kind), &json!({})), "{shown}");
        assert!(ok(&["registry", "show", "--store", &store]).contains("tensor"));

        let server = harness::Server::start(&store);
        let (status, body) = server.get("/v1/users/user-3/recommendations?k=5");
        assert_eq!((status, &body["degraded"], &body["bundle"]), (200, &json!([]), &trained["bundle"]), "{body}");
        assert_eq!(server.stop(), Some(0));
        // The service and the command line say the same.
        let answer = ok_json(&["recommend", "--store", &store, "--user", "user-3", "-k", "5", "--json"]);
        assert_eq!(harness::ids(&answer), harness::ids(&body));
    }
    assert_eq!(ok_json(&["audit", "skew", "--store", &store, "--json"])["differences"], 0);

    // One weight that is no number, in a bundle whose checksums fit: named by its tensor.
    let current = ok_json(&["registry", "show", "--store", &store, "--json"])["id"].as_str().unwrap().to_owned();
    let published = shortlist_store::Store::open(&store).unwrap().registry();
    let id = shortlist_store::BundleId::parse(&current).unwrap();
    let mut files = published.open(&id).unwrap().read_all().unwrap();
    let weights = files.get_mut("ranker.safetensors").unwrap();
    let last = weights.len() - 4;
    weights[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    fitted_together(&mut files, "ranker.safetensors");
    let damaged = published.publish(&files, shortlist_types::Timestamp::EPOCH, &mut |_| ()).unwrap();
    let error = fails(1, &["registry", "promote", "--store", &store, damaged.as_str()]);
    assert!(error.contains("ranker.safetensors") && error.contains("must be finite"), "{error}");
    files.remove("ranker.safetensors");
    let missing = published.publish(&files, shortlist_types::Timestamp::EPOCH, &mut |_| ()).unwrap();
    let error = fails(1, &["registry", "promote", "--store", &store, missing.as_str()]);
    assert!(error.contains("has no file ranker.safetensors"), "{error}");
}

#[test]
fn logged_impressions_make_probabilities_of_several_outcomes() {
    let folder = folder();
    let store = imported_store(&folder);
    let config = path(&folder, "store/shortlist.toml");
    let categories = "[categories]\ncategory = { of = \"item\", attribute = \"category\" }\n\
                      item = { of = \"item\", attribute = \"item_id\" }\n";
    let network = format!("{categories}[training.ranker]\nkind = \"mlp\"\nloss = \"pointwise\"\nhidden = [16, 8]\n");
    for ranker in ["[training.ranker]\n", &network] {
        std::fs::write(&config, format!("{ranker}outcomes = [\"click\"]\n")).unwrap();
        let trained = ok_json(&["train", "--store", &store, "--promote", "always", "--json"]);
        let evaluated = ok_json(&["evaluate", "store", "--store", &store, "--json"]);
        assert_eq!(evaluated["calibration"], trained["calibration"], "from its files it is calibrated as it was");
        for outcome in ["wanted", "click"] {
            let judged = &trained["calibration"][outcome];
            let (predicted, observed) = (number(&judged["predicted"]), number(&judged["observed"]));
            assert!((predicted / observed - 1.0).abs() < 0.25, "{outcome}: {judged}");
            assert!(number(&judged["expected_error"]) < 0.1 * predicted.max(0.3), "{outcome}: {judged}");
        }
        let server = harness::Server::start(&store);
        let (status, body) = server.get("/v1/users/user-3/recommendations?k=20");
        assert_eq!((status, &body["score_kind"]), (200, &json!("calibrated")), "{body}");
        let of = |item: &Value, outcome: &str| number(&item["probabilities"][outcome]);
        let items = body["items"].as_array().unwrap();
        assert!(items.is_sorted_by(|a, b| of(a, "wanted") >= of(b, "wanted")), "{body}");
        assert!(items.iter().all(|item| (0.0..1.0).contains(&of(item, "click"))), "{body}");
        let asked = json!({ "user_id": "user-3", "explain": true });
        let (_, explained) = server.post("/v1/recommend", &asked);
        for item in explained["items"].as_array().unwrap() {
            let why = &item["explanation"];
            let contributions = why["contributions"].as_array().unwrap();
            let sum: f64 = contributions.iter().map(|one| number(&one["contribution"])).sum();
            if ranker == network {
                // An approximation: no base, and the categories are inputs like the others.
                let of_items = contributions.iter().find(|one| one["feature"] == "item").unwrap();
                assert!(number(&of_items["contribution"]) != 0.0 && why["base_score"].is_null(), "{item}");
                assert!(contributions.is_sorted_by_key(|one| -number(&one["contribution"]).abs()), "{item}");
            } else {
                let score = number(&item["score"]);
                assert!((number(&why["base_score"]) + sum - score).abs() < 1e-3, "{item}");
            }
        }
        // Of a stranger nothing is known that a probability could be made of.
        let (_, body) = server.get("/v1/users/nobody/recommendations?k=2");
        assert_eq!((&body["score_kind"], &body["items"][0]["probabilities"]), (&json!("relative"), &Value::Null));
        assert_eq!(server.stop(), Some(0));
    }
    let listed = ok_json(&["features", "list", "--store", &store, "--json"])["categories"].clone();
    assert!(listed.as_array().unwrap().iter().all(|one| one["importance"].is_number()) && listed[1]["name"] == "item");
    assert!(ok(&["features", "list", "--store", &store]).contains("category vocabulary \"category\""));
    let shown = ok(&["registry", "show", "--store", &store]);
    assert!(shown.contains("outcome click: probability of") && shown.contains("2 categories"), "{shown}");

    // Encoders that are not those that the network was fitted with.
    let current = ok_json(&["registry", "show", "--store", &store, "--json"])["id"].as_str().unwrap().to_owned();
    let registry = shortlist_store::Store::open(&store).unwrap().registry();
    let id = shortlist_store::BundleId::parse(&current).unwrap();
    let mut files = registry.open(&id).unwrap().read_all().unwrap();
    let mut ranker: Value = serde_json::from_slice(&files["ranker.json"]).unwrap();
    let texts = ranker["model"]["network"]["categories"][0]["encoder"]["vocabulary"].as_array_mut().unwrap();
    texts.push(json!("another"));
    files.insert("ranker.json".to_owned(), serde_json::to_vec(&ranker).unwrap());
    let foreign = registry.publish(&files, shortlist_types::Timestamp::EPOCH, &mut |_| ()).unwrap();
    let error = fails(1, &["registry", "promote", "--store", &store, foreign.as_str()]);
    assert!(error.contains("ranker.json: was not fitted together with the other parts"), "{error}");
    // Even if it says that they are.
    fitted_together(&mut files, "ranker.json");
    let foreign = registry.publish(&files, shortlist_types::Timestamp::EPOCH, &mut |_| ()).unwrap();
    let error = fails(1, &["registry", "promote", "--store", &store, foreign.as_str()]);
    assert!(error.contains("embeds other categories than its encoders give"), "{error}");
}

/// Has a bundle's files say that this one belongs to them.
fn fitted_together(files: &mut BTreeMap<String, Vec<u8>>, name: &str) {
    let mut parts: Value = serde_json::from_slice(&files["parts.json"]).unwrap();
    parts["fitted_together"][name] = json!(format!("{:016x}", xxh3_64(&files[name])));
    files.insert("parts.json".to_owned(), serde_json::to_vec(&parts).unwrap());
}

#[test]
fn a_ranker_that_cannot_be_is_refused_by_name() {
    let folder = folder();
    let config = path(&folder, "shortlist.toml");
    for (table, expected) in [
        ("kind = \"oracle\"", "kind: must be one of logistic-regression"),
        ("kind = \"factorization-machine\"", "kind: factorization-machine multiplies categories"),
        (
            "[categories]\nx = { of = \"item\", attribute = \"genre\" }",
            "training.ranker.kind: logistic-regression reads",
        ),
        (
            "kind = \"mlp\"\n[categories]\naffinity = { of = \"item\", attribute = \"genre\" }",
            "categories.affinity: is the name of a feature already",
        ),
        ("outcomes = [\"klick\"]", "training.ranker.outcomes: unknown type \"klick\"; known are click"),
        ("outcomes = [\"impression\"]", "that an item was shown is no outcome"),
        ("outcomes = [\"hide\", \"hide\"]", "outcomes: names \"hide\" twice"),
        ("outcomes = [\"wanted\"]", "outcomes: names \"wanted\" twice"),
        ("kind = \"mlp\"\nloss = \"hinge\"", "hinge"),
        ("kind = \"mlp\"\nhidden = []", "hidden"),
        ("kind = \"mlp\"\nprecision = \"int4\"", "int4"),
        ("kind = \"mlp\"\ndropout = 1.0", "dropout"),
        ("kind = \"mlp\"\nlearning_rate = 0.0", "learning_rate"),
        ("layers = 3", "layers"),
    ] {
        std::fs::write(&config, format!("[training.ranker]\n{table}\n")).unwrap();
        let error = fails(64, &["config", "check", &config]);
        assert!(error.contains(expected), "{table}: {error}");
    }
}
