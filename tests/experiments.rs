//! Experiments on the real binary: who is in which variant, what a report finds, and what it does not.

#![allow(clippy::unwrap_used, reason = "functions beside the tests are tests too")]

mod harness;

use std::collections::BTreeMap;

use harness::{Server, fails, folder, market, ok, ok_json, path, write_jsonl};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use shortlist_evaluation::{Effect, Sample, sample_ratio_p};
use shortlist_recommender::{Experiment, Variant};
use shortlist_simulator::{MarketConfig, Truth};
use shortlist_types::{ItemId, LogRecord, Timestamp, UserId};

const USERS: usize = 500;
const ITEMS: usize = 300;

/// A better ranker is planted: half of the users see what falls out of a hat. On another shelf both halves see the same.
const PLANTED: &str = r#"
[experiments.planted.variants.control]
share = 0.5
settings = { candidates_share = 1.0, rerank = { explore = { share = 1.0, epsilon = 1.0, among = 300 } } }
[experiments.planted.variants.better]
share = 0.5

[surfaces.shelf]
[experiments.same]
surface = "shelf"
salt    = "another"
control = "a"
variants = { a = { share = 0.5 }, b = { share = 0.5 } }
"#;

fn end() -> Timestamp {
    Timestamp::parse("2026-06-01T00:00:00Z").unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// The p-value of a metric of a variant.
fn p_value(report: &Value, variant: &str, metric: &str) -> (f64, f64) {
    let variant = report["variants"].as_array().unwrap().iter().find(|one| one["variant"] == variant).unwrap();
    let metric = variant["metrics"].as_array().unwrap().iter().find(|one| one["metric"] == metric).unwrap();
    (number(&metric["effect"]["difference"]["mean"]), number(&metric["effect"]["p_value"]))
}

#[test]
fn a_planted_better_ranker_is_found_and_none_is_found_where_there_is_none() {
    let folder = folder();
    let store = path(&folder, "store");
    let file = folder.path().join("market.jsonl");
    write_jsonl(&file, &market(USERS, ITEMS, 40_000));
    ok(&["import", "jsonl", file.to_str().unwrap(), "--store", &store]);
    let config = path(&folder, "store/shortlist.toml");
    std::fs::write(&config, PLANTED).unwrap();
    ok(&["train", "--store", &store, "--promote", "always"]);
    let error = fails(1, &["experiment", "report", "--store", &store, "planted"]);
    assert!(error.contains("nobody who was shown a variant of \"planted\""), "{error}");
    let error = fails(1, &["experiment", "report", "--store", &store]);
    assert!(error.contains("which experiment? The configuration has planted, same"), "{error}");

    // What each user takes is drawn from the market's own truth.
    let truth = Truth::generate(&MarketConfig { users: USERS, items: ITEMS, ..MarketConfig::new(11, end()) }).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let server = Server::start(&store);
    let mut variants: BTreeMap<String, String> = BTreeMap::new();
    let mut clicks: BTreeMap<String, f64> = BTreeMap::new();
    for user in 1..=USERS {
        let user_id = UserId::parse(&format!("user-{user}")).unwrap();
        let mut events = Vec::new();
        for surface in ["home", "shelf"] {
            let asked = json!({ "user_id": user_id.as_str(), "k": 8, "surface": surface });
            let (status, body) = server.post("/v1/recommend", &asked);
            assert_eq!(status, 200, "{body}");
            let name = if surface == "home" { "planted" } else { "same" };
            assert_eq!(body["experiment"]["name"], name, "{body}");
            if surface == "shelf" {
                continue;
            }
            variants.insert(user_id.to_string(), body["experiment"]["variant"].as_str().unwrap().to_owned());
            for item in harness::ids(&body) {
                let takes = truth.preference(&user_id, &ItemId::parse(&item).unwrap(), end()).unwrap_or(0.0);
                if random.random_bool(takes) {
                    *clicks.entry(variants[user_id.as_str()].clone()).or_default() += 1.0;
                    events.push(json!({ "user_id": user_id.as_str(), "item_id": item, "event_type": "click" }));
                }
            }
        }
        if !events.is_empty() {
            assert_eq!(server.post("/v1/events", &json!({ "events": events })).0, 200);
        }
    }
    // Who is not known by name is in no experiment.
    let (_, body) = server.post("/v1/recommend", &json!({ "k": 3 }));
    assert!(body["experiment"].is_null(), "{body}");
    assert_eq!(server.stop(), Some(0));

    let users: Vec<&str> = variants.keys().map(String::as_str).take(50).collect();
    let assigned = ok_json(&[&["experiment", "assign", "--store", &store, "--json", "planted"], &users[..]].concat());
    for user in users {
        assert_eq!(assigned["variants"][user], variants[user].as_str(), "{user}");
    }

    let picture = path(&folder, "effects.svg");
    let report = ok_json(&["experiment", "report", "--store", &store, "planted", "--json", "--svg", &picture]);
    let shown: u64 = report["variants"].as_array().unwrap().iter().map(|one| one["users"].as_u64().unwrap()).sum();
    assert_eq!((shown, &report["sample_ratio_mismatch"]), (USERS as u64, &json!(false)), "{report}");
    for variant in report["variants"].as_array().unwrap() {
        let metric =
            variant["metrics"].as_array().unwrap().iter().find(|one| one["metric"] == "click per user").unwrap();
        let counted = number(&metric["mean"]["mean"]) * number(&variant["users"]);
        let sent = clicks[variant["variant"].as_str().unwrap()];
        assert!((counted - sent).abs() < 1e-6, "{counted} clicks of {sent} are counted: {variant}");
    }
    let (difference, p) = p_value(&report, "better", "wanted per user");
    assert!(difference > 0.0 && p < 0.001, "the better ranker is not found: {difference}, p {p}");
    assert!(std::fs::read_to_string(&picture).unwrap().contains("planted: difference to control"));
    let (_, p) =
        p_value(&ok_json(&["experiment", "report", "--store", &store, "same", "--json"]), "b", "wanted per user");
    assert!(p > 0.001, "an effect where there is none: p {p}");
    let table = ok(&["experiment", "report", "--store", &store, "planted"]);
    assert!(table.contains("fell on the variants as planned") && table.contains("wanted per request"), "{table}");

    // Other shares than those that users were split by: nothing else that the report says is to be trusted.
    let changed = PLANTED.replacen("share = 0.5\nsettings", "share = 0.3\nsettings", 1);
    std::fs::write(&config, changed).unwrap();
    let report = ok_json(&["experiment", "report", "--store", &store, "planted", "--json"]);
    assert_eq!(report["sample_ratio_mismatch"], true, "{report}");
    assert!(ok(&["experiment", "report", "--store", &store, "planted"]).contains("SAMPLE RATIO MISMATCH"));
}

#[test]
fn a_comparison_of_the_same_finds_an_effect_as_often_as_it_says() {
    // What users of the simulator wanted in its last ten days, split a thousand times.
    let since = end().plus_seconds(-10 * 86_400);
    let mut wanted: BTreeMap<UserId, f64> = BTreeMap::new();
    for record in market(USERS, ITEMS, 40_000) {
        if let LogRecord::Event(event) = record {
            let counts = event.timestamp >= since && ["click", "purchase"].contains(&event.event_type.as_str());
            *wanted.entry(event.user_id).or_default() += f64::from(u8::from(counts));
        }
    }
    let half = || Variant { share: 0.5, settings: None, bundle: None };
    let (mut found, mut mismatches) = (0, 0);
    const SPLITS: usize = 1_000;
    for split in 0..SPLITS {
        let experiment = Experiment {
            surface: "home".to_owned(),
            salt: format!("split-{split}"),
            control: "a".to_owned(),
            variants: [("a".to_owned(), half()), ("b".to_owned(), half())].into(),
        };
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for (user, count) in &wanted {
            if experiment.assign(user) == Some("a") { a.push(*count) } else { b.push(*count) }
        }
        let effect = Effect::between(&Sample::of(&b).unwrap(), &Sample::of(&a).unwrap());
        found += usize::from(effect.p_value < 0.05);
        let ratio = sample_ratio_p(&[a.len() as u64, b.len() as u64], &[0.5, 0.5]).unwrap();
        mismatches += usize::from(ratio < 0.001);
    }
    // Three standard deviations of 1,000 throws of a coin that falls so once in twenty.
    assert!((29..=71).contains(&found), "{found} of {SPLITS} find an effect at 5 %");
    assert!(mismatches <= 5, "{mismatches} of {SPLITS} splits look broken");
}

#[test]
fn a_variant_may_serve_from_a_bundle_of_its_own() {
    let folder = folder();
    let store = harness::imported_store(&folder);
    let first = ok_json(&["train", "--store", &store, "--promote", "always", "--json"]);
    let second = ok_json(&["train", "--store", &store, "--promote", "never", "--seed", "7", "--json"]);
    assert_ne!(first["bundle"], second["bundle"]);
    let config = path(&folder, "store/shortlist.toml");
    let with = |bundle: &str| {
        format!(
            "[store]\nserved_share = 1.0\n[experiments.seed.variants]\ncontrol = {{ share = 0.4 }}\n\
             other = {{ share = 0.4, bundle = \"{bundle}\" }}\n"
        )
    };
    std::fs::write(&config, with("b-0123456789abcdef")).unwrap();
    let error = fails(64, &["serve", "--store", &store, "--listen", "127.0.0.1:0"]);
    assert!(error.contains("experiments: serve from bundle b-0123456789abcdef, which is not there"), "{error}");

    std::fs::write(&config, with(second["bundle"].as_str().unwrap())).unwrap();
    let server = Server::start(&store);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for user in 1..=60 {
        let (_, body) = server.get(&format!("/v1/users/user-{user}/recommendations?k=3"));
        let variant = body["experiment"]["variant"].as_str().unwrap_or("none");
        let expected = if variant == "other" { &second["bundle"] } else { &first["bundle"] };
        assert_eq!(&body["bundle"], expected, "{body}");
        *seen.entry(variant.to_owned()).or_default() += 1;
    }
    assert!(seen.len() == 3 && seen.values().all(|users| *users >= 4), "{seen:?}");
    // Another bundle is promoted: the control follows it, the variant stays with its own.
    ok(&["registry", "promote", "--store", &store, second["bundle"].as_str().unwrap()]);
    let all_second = || {
        (1..=60).all(|user| {
            server.get(&format!("/v1/users/user-{user}/recommendations?k=3")).1["bundle"] == second["bundle"]
        })
    };
    let started = std::time::Instant::now();
    while !all_second() {
        assert!(started.elapsed().as_secs() < 20, "what was promoted does not serve");
    }
    // An item that is put now is known to both.
    let item = json!({ "attributes": { "category": "garden" } });
    assert_eq!(server.put("/v1/items/just-now", &item).0, 200);
    assert_eq!(server.stop(), Some(0));
    // What either read is what the log says.
    assert_eq!(ok_json(&["audit", "skew", "--store", &store, "--json"])["differences"], 0);

    // One that went bad keeps nobody from being served: its variant is left out.
    let ranker = format!("store/bundles/{}/ranker.json", first["bundle"].as_str().unwrap());
    std::fs::write(path(&folder, &ranker), "{}").unwrap();
    std::fs::write(&config, with(first["bundle"].as_str().unwrap())).unwrap();
    let server = Server::start(&store);
    assert!(server.said("a variant of an experiment has no bundle"));
    for user in 1..=60 {
        let (_, body) = server.get(&format!("/v1/users/user-{user}/recommendations?k=3"));
        assert_eq!(body["bundle"], second["bundle"], "{body}");
        assert_ne!(body["experiment"]["variant"], "other", "{body}");
    }
}

#[test]
fn an_experiment_that_cannot_run_is_refused_before_anything_starts() {
    let folder = folder();
    let file = path(&folder, "shortlist.toml");
    let half = "control = { share = 0.5 }";
    for (text, what) in [
        (
            format!("[experiments.x]\nsurface = \"hom\"\nvariants = {{ {half}, b = {{ share = 0.5 }} }}"),
            "experiments.x.surface: unknown surface \"hom\"; known are home, ",
        ),
        (format!("[experiments.x]\nvariants = {{ {half} }}"), "experiments.x.variants: must be 2 to 8, got 1"),
        (
            format!("[experiments.x]\nvariants = {{ {half}, b = {{ share = 0.6 }} }}"),
            "their shares must add up to at most 1, got 1.1",
        ),
        (
            format!("[experiments.x]\nvariants = {{ {half}, b = {{ share = 0.0 }} }}"),
            "experiments.x.variants.b.share: must be above 0",
        ),
        (
            "[experiments.x]\nvariants = { a = { share = 0.5 }, b = { share = 0.5 } }".to_owned(),
            "experiments.x.control: must name the variant that the others are compared with, one of a, b",
        ),
        (
            format!(
                "[experiments.x]\nvariants = {{ {half}, b = {{ share = 0.5, settings = {{ candidates_max = 1 }} }} }}"
            ),
            "experiments.x.variants.b.settings.candidates_max: must be 10 to 5000",
        ),
        (
            format!(
                "[experiments.x]\nvariants = {{ {half}, b = {{ share = 0.5, settings = {{ deadline_ms = 10 }} }} }}"
            ),
            "settings.deadline_ms: is the surface's own",
        ),
        (
            format!("[experiments.x]\nvariants = {{ {half}, b = {{ share = 0.5, bundle = \"7\" }} }}"),
            "experiments.x.variants.b.bundle: must be `b-` and 16",
        ),
        (
            format!(
                "[experiments.x]\nvariants = {{ {half}, b = {{ share = 0.5 }} }}\n[experiments.y]\nvariants = {{ {half}, b = {{ share = 0.5 }} }}"
            ),
            "experiments.y.surface: \"home\" has the experiment \"x\" already",
        ),
        (format!("[experiments.\"Ü\"]\nvariants = {{ {half}, b = {{ share = 0.5 }} }}"), "names are 1 to 64 of a-z"),
        (format!("[experiments.x]\nvariants = {{ {half}, b = {{ shares = 0.5 }} }}"), "unknown field `shares`"),
    ] {
        std::fs::write(&file, &text).unwrap();
        let error = fails(64, &["config", "check", &file]);
        assert!(error.contains(what), "{text}: {error}");
    }
}
