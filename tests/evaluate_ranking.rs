//! `shortlist evaluate ranking`: the real binary over tables with a split.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails

mod harness;

use std::fmt::Write as _;

use harness::{fails, folder, ok, ok_json, path};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tempfile::TempDir;

/// Users take the items of their own kind, on any day.
fn table(rows: usize, seed: u64) -> String {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut text = "label,user,item,day\n".to_owned();
    for _ in 0..rows {
        let (user, item, day) = (random.random_range(0..50), random.random_range(0..80), random.random_range(0..7));
        let chance = if (user + item) % 4 == 0 { 0.9 } else { 0.05 };
        writeln!(text, "{},u{user},i{item},d{day}", u8::from(random.random_bool(chance))).unwrap();
    }
    text
}

fn save(folder: &TempDir, name: &str, text: &str) -> String {
    let file = path(folder, name);
    std::fs::write(&file, text).unwrap();
    file
}

struct Files {
    folder: TempDir,
    train: String,
    valid: String,
    test: String,
}

fn files() -> Files {
    let folder = folder();
    let [train, valid, test] = [("train.csv", 8_000, 1), ("valid.csv", 2_000, 2), ("test.csv", 2_000, 3)]
        .map(|(name, rows, seed)| save(&folder, name, &table(rows, seed)));
    Files { folder, train, valid, test }
}

impl Files {
    fn ask<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let files = ["--train", &self.train, "--valid", &self.valid, "--test", &self.test];
        ["evaluate", "ranking"].into_iter().chain(files).chain(more.iter().copied()).collect()
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_model_is_fitted_judged_and_drawn_and_the_seed_repeats_it() {
    let files = files();
    let pictures = path(&files.folder, "pictures");
    let ask = files.ask(&["--model", "mlp", "--json", "--seed", "5", "--pictures", &pictures]);
    let answer = ok_json(&ask);
    assert_eq!(answer["model"], "mlp");
    assert_eq!(answer["chosen"]["history"], serde_json::json!(["user", "item"]));
    assert!(number(&answer["metrics"]["auc"]) > 0.85, "{}", answer["metrics"]);
    assert!(number(&answer["metrics"]["log_loss"]) < 0.4, "{}", answer["metrics"]);
    assert!((number(&answer["precision"]["auc_int8"]) - number(&answer["metrics"]["auc"])).abs() < 0.005);
    assert_eq!(answer["slices"].as_array().unwrap().len(), 7);
    for picture in ["roc.svg", "reliability.svg"] {
        let text = std::fs::read_to_string(format!("{pictures}/{picture}")).unwrap();
        assert!(text.starts_with("<svg") && text.contains("mlp"), "{picture}: {text}");
    }
    assert_eq!(ok_json(&ask)["metrics"], answer["metrics"]);
}

#[test]
fn best_says_what_it_chose_and_text_is_for_people() {
    let files = files();
    let text = ok(&files.ask(&["--model", "best"]));
    for expected in ["on validation:", "chosen", "reads the history of user and item", "calibration error", "in bytes"]
    {
        assert!(text.contains(expected), "{expected} is missing in {text}");
    }
}

#[test]
fn categories_that_training_never_met_are_scored() {
    let files = files();
    let unseen =
        save(&files.folder, "unseen.csv", "label,user,item,day\n1,new,i3,d1\n0,u1,never,d9\n1,,,\n0,u1,i2,d2\n");
    let files = Files { test: unseen, ..files };
    let answer = ok_json(&files.ask(&["--model", "logistic-regression", "--json"]));
    assert!(number(&answer["metrics"]["log_loss"]).is_finite());
}

#[test]
fn tables_that_cannot_be_used_are_refused_by_name() {
    let files = files();
    let one_class = save(&files.folder, "one.csv", "label,user,item,day\n1,a,b,c\n1,a,b,c\n");
    let other = save(&files.folder, "other.csv", "label,user,thing\n1,a,b\n0,a,b\n");
    let broken = save(&files.folder, "broken.csv", "label,user,item,day\n1,a,b,c\nmaybe,a,b,c\n");
    for (file, expected) in [
        (&one_class, "expected positives and negatives"),
        (&other, "must be label, user, item, day as in the first file"),
        (&broken, "broken.csv:3: label: must be 0 or 1, got \"maybe\""),
    ] {
        let ask = ["evaluate", "ranking", "--train", &files.train, "--valid", file, "--test", &files.test];
        let error = fails(1, &[&ask[..], &["--model", "logistic-regression"]].concat());
        assert!(error.contains(expected), "{error}");
    }
    fails(2, &files.ask(&["--model", "oracle"]));
}
