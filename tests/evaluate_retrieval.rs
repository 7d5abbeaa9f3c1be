//! `shortlist evaluate retrieval`: the real binary over files of the three formats.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails

mod harness;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use harness::{fails, folder, ok, ok_json, path};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tempfile::TempDir;

/// Users with a taste for one of five kinds of items, and what was held out of each.
struct Data {
    train: BTreeMap<u32, Vec<u32>>,
    test: BTreeMap<u32, Vec<u32>>,
}

const ITEMS: u32 = 600;

fn data() -> Data {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut data = Data { train: BTreeMap::new(), test: BTreeMap::new() };
    for user in 0..150 {
        let mut items: Vec<u32> =
            (0..ITEMS).filter(|item| random.random_bool(if item % 5 == user % 5 { 0.3 } else { 0.01 })).collect();
        items.shuffle(&mut random);
        let test = items.split_off(items.len() - items.len() / 4);
        data.train.insert(user, items);
        data.test.insert(user, test);
    }
    data
}

fn adjacency(rows: &BTreeMap<u32, Vec<u32>>) -> String {
    rows.iter().fold(String::new(), |mut text, (user, items)| {
        let items: Vec<String> = items.iter().map(u32::to_string).collect();
        writeln!(text, "{user} {}", items.join(" ")).unwrap();
        text
    })
}

fn save(folder: &TempDir, name: &str, text: &str) -> String {
    let file = path(folder, name);
    std::fs::write(&file, text).unwrap();
    file
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// The same answer but for what the clock says.
fn without_times(mut answer: Value) -> Value {
    for field in ["seconds", "fit_seconds"] {
        answer[field].take();
    }
    answer["serving"]["milliseconds_per_request"].take();
    for timed in ["/choice/trials", "/fits"] {
        for row in answer.pointer_mut(timed).unwrap().as_array_mut().unwrap() {
            row["seconds"].take();
        }
    }
    answer
}

#[test]
fn every_model_beats_popularity_as_served_and_the_same_seed_gives_the_same_answer() {
    let (folder, data) = (folder(), data());
    let train = save(&folder, "train.txt", &adjacency(&data.train));
    let test = save(&folder, "test.txt", &adjacency(&data.test));
    let base = ["evaluate", "retrieval", "--train", &train, "--test", &test, "--format", "adjacency", "--json"];
    for model in ["ials", "graph-filter", "softmax", "item-to-item", "ease", "best"] {
        let args = [&base[..], &["--model", model, "--trials", "1"]].concat();
        let answer = ok_json(&args);
        let (ndcg, popularity) =
            (number(&answer["metrics"]["ndcg_at_20"]), number(&answer["popularity"]["ndcg_at_20"]));
        assert!(ndcg > 1.5 * popularity, "{model}: {ndcg} {popularity}");
        for metric in ["recall_at_20", "hit_rate_at_20", "map_at_20", "mrr_at_20", "precision_at_20"] {
            let value = number(&answer["metrics"][metric]);
            assert!(value > 0.0 && value <= 1.0, "{model}: {metric} {value}");
        }
        assert!(number(&answer["serving"]["found_of_exact"]) > 0.95, "{model}: {}", answer["serving"]);
        assert_eq!(answer["slice"], "contiguous");
        if model == "best" {
            assert_eq!(without_times(answer), without_times(ok_json(&args)));
        }
    }
    let popularity = ok_json(&[&base[..], &["--model", "popularity"]].concat());
    assert_eq!(popularity["metrics"], popularity["popularity"]);
}

#[test]
fn a_validation_file_is_chosen_on_and_never_trained_on() {
    let (folder, mut data) = (folder(), data());
    let valid: BTreeMap<u32, Vec<u32>> =
        data.train.iter_mut().map(|(user, items)| (*user, items.split_off(items.len() - 3))).collect();
    let fewer = valid.iter().map(|(user, items)| (*user, items[..1].to_vec())).collect();
    let train = save(&folder, "train.txt", &adjacency(&data.train));
    let test = save(&folder, "test.txt", &adjacency(&data.test));
    let answer = |name: &str, valid: &BTreeMap<u32, Vec<u32>>| {
        let valid = save(&folder, name, &adjacency(valid));
        let files = ["evaluate", "retrieval", "--train", &train, "--valid", &valid, "--test", &test];
        ok_json(&[&files[..], &["--format", "adjacency", "--json", "--model", "ials", "--trials", "1"]].concat())
    };
    // With one trial there is nothing to choose: other validation pairs must not change the fit.
    let (whole, fewer) = (answer("valid.txt", &valid), answer("fewer.txt", &fewer));
    assert_eq!(whole["slice"], "file");
    assert_eq!(whole["metrics"], fewer["metrics"]);
    assert_ne!(whole["choice"]["ndcg"], fewer["choice"]["ndcg"]);
}

#[test]
fn leave_one_out_ranks_among_the_negatives_and_sequence_needs_no_test_file() {
    let (folder, data) = (folder(), data());
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let (mut train, mut test, mut negatives, mut sequence) =
        (String::new(), String::new(), String::new(), String::new());
    for (user, items) in &data.train {
        for item in items {
            writeln!(train, "{user}\t{item}\t1\t0").unwrap();
        }
        let wanted = data.test[user][0];
        writeln!(test, "{user}\t{wanted}\t5\t0").unwrap();
        let unknown: Vec<u32> =
            (0..ITEMS).filter(|item| !items.contains(item) && !data.test[user].contains(item)).collect();
        let drawn: Vec<String> = unknown.choose_multiple(&mut random, 20).map(u32::to_string).collect();
        writeln!(negatives, "({user},{wanted})\t{}", drawn.join("\t")).unwrap();
        let all: Vec<String> = items.iter().chain(&data.test[user]).map(u32::to_string).collect();
        writeln!(sequence, "{user} {}", all.join(" ")).unwrap();
    }
    let (train, test) = (save(&folder, "train.tsv", &train), save(&folder, "test.tsv", &test));
    let (negatives, sequence) = (save(&folder, "negatives.tsv", &negatives), save(&folder, "s.txt", &sequence));
    let base = ["evaluate", "retrieval", "--trials", "1", "-k", "10", "--json"];
    let files = ["--train", &train, "--test", &test, "--format", "leave-one-out"];
    let among_all = ok_json(&[&base[..], &files].concat());
    let among_some = ok_json(&[&base[..], &files, &["--negatives", &negatives]].concat());
    let hits = |answer: &Value| number(&answer["metrics"]["hit_rate_at_10"]);
    // Ten of twenty-one by chance are .48.
    assert!(hits(&among_some) > 0.8 && hits(&among_some) > hits(&among_all), "{}", among_some["metrics"]);

    let answer = ok_json(&[&base[..], &["--train", &sequence, "--format", "sequence"]].concat());
    assert_eq!(answer["slice"], "file");
    // By chance one of fifty-seven users is hit.
    assert!(hits(&answer) > 0.03, "{}", answer["metrics"]);
}

#[test]
fn a_search_goes_on_where_it_was_and_refuses_another_ones_trials() {
    let (folder, data) = (folder(), data());
    let train = save(&folder, "train.txt", &adjacency(&data.train));
    let test = save(&folder, "test.txt", &adjacency(&data.test));
    let study = path(&folder, "study");
    let base = ["evaluate", "retrieval", "--train", &train, "--test", &test, "--format", "adjacency", "--json"];
    let kept = ["--model", "item-to-item", "--study", &study];
    let whole = ok_json(&[&base[..], &["--model", "item-to-item", "--trials", "6"]].concat());
    ok(&[&base[..], &kept, &["--trials", "2"]].concat());
    // As a kill in the middle of a line leaves it.
    let journal = format!("{study}/linear-filter.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, &text[..text.len() - 10]).unwrap();
    let resumed = ok_json(&[&base[..], &kept, &["--trials", "6"]].concat());
    assert_eq!(without_times(resumed), without_times(whole));

    let error = fails(1, &[&base[..], &kept, &["--trials", "6", "--seed", "7"]].concat());
    // Another seed cuts another slice.
    assert!(error.contains("belongs to another study: the data was"), "{error}");
}

#[test]
fn refusals_name_the_file_the_line_and_the_way_out() {
    let folder = folder();
    let train = save(&folder, "train.txt", "1 2 3\n");
    let empty = save(&folder, "empty.txt", "\n");
    let odd = save(&folder, "odd.txt", "1 2\n3 4\u{7}\n");
    let base = ["evaluate", "retrieval", "--train", &train, "--format", "adjacency"];
    let missing = fails(1, &[&base[..], &["--test", "/no/such/file"]].concat());
    assert!(missing.contains("/no/such/file"), "{missing}");
    assert!(fails(1, &base).contains("--test"));
    let nothing = fails(1, &[&base[..], &["--test", &empty]].concat());
    assert!(nothing.contains("empty.txt"), "{nothing}");
    let control = fails(1, &[&base[..], &["--test", &odd]].concat());
    assert!(control.contains("odd.txt") && control.contains('2'), "{control}");
    fails(2, &[&base[..], &["--test", &train, "--model", "magic"]].concat());
    fails(2, &[&base[..], &["--test", &train, "-k", "0"]].concat());
    // One user with two items: nothing can be held out, and the defaults are fitted all the same.
    let test = save(&folder, "test.txt", "1 4\n");
    let answer = ok_json(&[&base[..], &["--test", &test, "--json", "--trials", "1"]].concat());
    assert_eq!(answer["compared_on"], 0);
    assert!((0.0..=1.0).contains(&number(&answer["metrics"]["recall_at_20"])));
}
