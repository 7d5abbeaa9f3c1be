//! `shortlist index`: builds, measures and verifies by the real binary, over `.npy` files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails

mod harness;

use harness::{fails, folder, ok, ok_json, path, run, text};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde_json::Value;
use tempfile::TempDir;

const DIMENSIONS: usize = 16;

/// Rows around fifty centres.
fn clustered(seed: u64, rows: usize) -> Vec<f32> {
    let centres = noise(1, 50 * DIMENSIONS);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let row = |_| {
        let centre = random.random_range(0..50) * DIMENSIONS;
        let near = centres[centre..centre + DIMENSIONS].iter();
        near.map(|x| x + 0.4 * random.sample::<f32, _>(StandardNormal)).collect::<Vec<f32>>()
    };
    (0..rows).flat_map(row).collect()
}

fn noise(seed: u64, count: usize) -> Vec<f32> {
    ChaCha8Rng::seed_from_u64(seed).sample_iter(StandardNormal).take(count).collect()
}

/// A file as `np.save` writes it.
fn save(folder: &TempDir, name: &str, descr: &str, shape: (usize, usize), data: &[u8]) -> String {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape:?}, }}");
    let header = format!("{header:<117}\n");
    let bytes = [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat();
    let file = path(folder, name);
    std::fs::write(&file, bytes).unwrap();
    file
}

fn save_vectors(folder: &TempDir, name: &str, dimensions: usize, vectors: &[f32]) -> String {
    let data: Vec<u8> = vectors.iter().flat_map(|x| x.to_le_bytes()).collect();
    save(folder, name, "<f4", (vectors.len() / dimensions, dimensions), &data)
}

/// A built index of clustered vectors, and queries for it.
fn built(folder: &TempDir, rows: usize) -> (String, String) {
    let base = save_vectors(folder, "base.npy", DIMENSIONS, &clustered(2, rows));
    let queries = save_vectors(folder, "queries.npy", DIMENSIONS, &clustered(3, 100));
    let index = path(folder, "index");
    ok(&["index", "build", "--vectors", &base, "--out", &index]);
    (index, queries)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn each_command_has_help_that_names_its_options() {
    for (command, option) in [("build", "--leaf-points"), ("bench", "at most 100 queries"), ("verify", "--json")] {
        let help = ok(&["index", command, "--help"]);
        assert!(help.contains(option), "{help}");
    }
}

#[test]
fn any_number_of_threads_builds_the_same_bytes_and_says_what_it_built() {
    let folder = folder();
    let base = save_vectors(&folder, "base.npy", DIMENSIONS, &clustered(2, 3_000));
    let mut files = Vec::new();
    for threads in ["1", "2"] {
        let out = path(&folder, threads);
        let said = ok_json(&["index", "build", "--vectors", &base, "--out", &out, "--threads", threads, "--json"]);
        let file = std::fs::read(format!("{out}/index.shortlist")).unwrap();
        assert_eq!((&said["items"], &said["dimensions"]), (&3_000.into(), &DIMENSIONS.into()));
        assert_eq!((&said["metric"], &said["file_bytes"]), (&"ip".into(), &file.len().into()));
        assert_eq!(said["threads"].to_string(), threads);
        assert!(number(&said["build_seconds"]) > 0.0);
        // The vectors take 64 bytes each, and the rest of the file is what an item takes beside them.
        let beside = number(&said["bytes_per_item"]);
        assert!((beside * 3_000.0 + 64.0 * 3_000.0 - file.len() as f64).abs() < 1.0, "{said}");
        let left: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["index.shortlist"], "a temporary file was left");
        files.push(file);
    }
    assert!(files[0] == files[1], "the index depends on the number of threads");
}

#[test]
fn bench_rows_go_from_fast_to_exact() {
    let folder = folder();
    let (index, queries) = built(&folder, 5_000);
    let bench = ["index", "bench", "--index", &index, "--queries", &queries, "--k", "20"];
    let said = ok_json(&[&bench[..], &["--ef-search", "1600,50,400", "--json"]].concat());
    assert_eq!((&said["items"], &said["queries"], &said["k"]), (&5_000.into(), &100.into(), &20.into()));
    assert!(number(&said["open_seconds"]) > 0.0);
    let rows = said["rows"].as_array().unwrap();
    let efs: Vec<_> = rows.iter().map(|row| row["ef_search"].as_u64()).collect();
    assert_eq!(efs, [Some(50), Some(400), Some(1_600), None]);
    for row in rows {
        assert_eq!(row["exact"], row["ef_search"].is_null());
        assert!(number(&row["qps"]) > 0.0 && number(&row["p50_us"]) <= number(&row["p99_us"]), "{row}");
    }
    assert!(number(&rows[2]["recall"]) >= 0.95, "{said}");
    assert_eq!(rows[3]["recall"], 1.0, "{said}");

    let table = ok(&[&bench[..], &["--max-queries", "10"]].concat());
    assert!(table.contains("12800") && table.contains("exact") && table.contains("10 queries"), "{table}");
}

#[test]
fn recall_is_against_the_truth_that_is_given() {
    let folder = folder();
    // Four axes, and queries along them: the best item of query q is q, then come the others by number.
    let axes: Vec<f32> = (0..16).map(|i| if i % 5 == 0 { 1.0 } else { 0.0 }).collect();
    let base = save_vectors(&folder, "base.npy", 4, &axes);
    let index = path(&folder, "index");
    ok(&["index", "build", "--vectors", &base, "--out", &index]);
    let ids = |name: &str, descr: &str, bytes: usize, rows: [[i64; 2]; 4]| {
        let data: Vec<u8> = rows.iter().flatten().flat_map(|id| id.to_le_bytes().into_iter().take(bytes)).collect();
        save(&folder, name, descr, (4, 2), &data)
    };
    let bench = |truth: &str, more: &[&str]| {
        let command = ["index", "bench", "--index", &index, "--queries", &base, "--truth", truth];
        run(&[&command[..], more].concat())
    };
    let recall = |truth: &str, k: &str| {
        let output = bench(truth, &["--k", k, "--json"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        said["rows"].as_array().unwrap().last().unwrap()["recall"].clone()
    };
    let right = [[0, 1], [1, 0], [2, 0], [3, 0]];
    for (descr, bytes) in [("<i4", 4), ("<u4", 4), ("<i8", 8), ("<u8", 8)] {
        let truth = ids("truth.npy", descr, bytes, right);
        assert_eq!(recall(&truth, "1"), 1.0);
        assert_eq!(recall(&truth, "2"), 1.0);
    }
    let half = ids("half.npy", "<u4", 4, [[1, 0], [0, 1], [2, 3], [3, 0]]);
    assert_eq!(recall(&half, "1"), 0.5);
    assert_eq!(recall(&half, "2"), 0.875);

    for (rows, why) in [
        ([[0, 1], [1, 0], [2, 9], [3, 0]], "row 2 names item 9"),
        ([[0, 1], [1, 1], [2, 0], [3, 0]], "row 1 names an item twice"),
        ([[0, 1], [1, 0], [2, 0], [3, -1]], "row 3, column 1 is no id"),
    ] {
        let output = bench(&ids("bad.npy", "<i4", 4, rows), &["--k", "2"]);
        let error = text(&output.stderr);
        assert!(output.status.code() == Some(1) && error.contains(why) && error.contains("bad.npy"), "{error}");
    }
    let narrow = text(&bench(&half, &["--k", "3"]).stderr);
    assert!(narrow.contains("2 ids per query") && narrow.contains("--k 2"), "{narrow}");
    let short = save(&folder, "short.npy", "<u4", (3, 1), &[0; 12]);
    let short = text(&bench(&short, &["--k", "1"]).stderr);
    assert!(short.contains("3 rows for 4 queries") && short.contains("--max-queries 3"), "{short}");
    let floats = text(&bench(&base, &["--k", "1"]).stderr);
    assert!(floats.contains("base.npy") && floats.contains("<u4"), "{floats}");
}

#[test]
fn bench_refuses_what_does_not_belong_together() {
    let folder = folder();
    let (index, queries) = built(&folder, 500);
    let narrow = save_vectors(&folder, "narrow.npy", 8, &noise(4, 80));
    let none = save_vectors(&folder, "none.npy", DIMENSIONS, &[]);
    let bench =
        |index: &str, queries: &str| fails(1, &["index", "bench", "--index", index, "--queries", queries, "--k", "5"]);
    let error = bench(&index, &narrow);
    assert!(error.contains("8 dimensions") && error.contains("16") && error.contains("narrow.npy"), "{error}");
    assert!(bench(&index, &none).contains("no queries"));
    assert!(bench(&index, &path(&folder, "nowhere.npy")).contains("nowhere.npy does not exist"));
    let error = bench(&path(&folder, "nowhere"), &queries);
    assert!(error.contains("nowhere/index.shortlist") && error.contains("index build --out"), "{error}");

    let many =
        ["index", "bench", "--index", &index, "--queries", &queries, "--k", "900", "--ef-search", "50", "--json"];
    let output = run(&many);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&said["k"], &said["rows"][0]["recall"]), (&500.into(), &1.0.into()));
    assert!(text(&output.stderr).contains("k = 500 instead of 900"));
    for option in [["--k", "0"], ["--ef-search", "0"], ["--ef-search", "many"], ["--max-queries", "0"]] {
        let command = [&["index", "bench", "--index", &index, "--queries", &queries, "--k", "5"], &option[..]].concat();
        assert_eq!(run(&command).status.code(), Some(2), "{option:?}");
    }
}

#[test]
fn verify_refuses_a_flipped_byte_and_says_where_an_index_is_missing() {
    let folder = folder();
    let (index, _) = built(&folder, 500);
    let said = ok_json(&["index", "verify", &index, "--json"]);
    assert_eq!((&said["items"], &said["dimensions"], &said["metric"]), (&500.into(), &DIMENSIONS.into(), &"ip".into()));
    let model = said["model"].as_str().unwrap();
    assert!(model.starts_with("0x") && model.len() == 18, "{model}");
    assert!(ok(&["index", "verify", &index]).contains(model));

    let file = format!("{index}/index.shortlist");
    let whole = std::fs::read(&file).unwrap();
    assert_eq!(said["file_bytes"], whole.len());
    for (at, why) in
        [(0, "magic"), (8, "version"), (700, "damaged"), (whole.len() / 2, "damaged"), (whole.len() - 1, "damaged")]
    {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        let error = fails(1, &["index", "verify", &index]);
        assert!(error.contains(&file) && error.contains(why), "byte {at}: {error}");
    }
    std::fs::write(&file, &whole[..whole.len() - 100]).unwrap();
    assert!(fails(1, &["index", "verify", &index]).contains("must have"));
    std::fs::remove_file(&file).unwrap();
    let error = fails(1, &["index", "verify", &index]);
    assert!(error.contains(&file) && error.contains("index build --out"), "{error}");
}

#[test]
fn an_index_is_never_replaced() {
    let folder = folder();
    let (index, _) = built(&folder, 200);
    let file = format!("{index}/index.shortlist");
    let before = std::fs::read(&file).unwrap();
    let other = save_vectors(&folder, "other.npy", 4, &noise(5, 400));
    let error = fails(1, &["index", "build", "--vectors", &other, "--out", &index]);
    assert!(error.contains(&file) && error.contains("--out") && error.contains("remove it"), "{error}");
    assert!(std::fs::read(&file).unwrap() == before);
    let error = fails(1, &["index", "build", "--vectors", &other, "--out", &other]);
    assert!(error.contains(&other) && error.contains("--out"), "{error}");
}

#[test]
fn every_metric_and_an_empty_file_can_be_indexed() {
    let folder = folder();
    let (_, queries) = built(&folder, 200);
    let base = path(&folder, "base.npy");
    for metric in ["ip", "cosine", "l2"] {
        let out = path(&folder, metric);
        ok(&["index", "build", "--vectors", &base, "--out", &out, "--metric", metric, "--leaf-points", "16"]);
        assert!(ok(&["index", "verify", &out]).contains(&format!("metric {metric}")));
    }
    let none = save_vectors(&folder, "none.npy", DIMENSIONS, &[]);
    let empty = path(&folder, "empty");
    let said = ok_json(&["index", "build", "--vectors", &none, "--out", &empty, "--json"]);
    assert_eq!((&said["items"], &said["bytes_per_item"]), (&0.into(), &Value::Null));
    assert!(ok(&["index", "verify", &empty]).contains("0 items"));
    let bench = ["index", "bench", "--index", &empty, "--queries", &queries, "--k", "5"];
    assert!(fails(1, &bench).contains("no items"));
}

#[test]
fn files_that_are_no_vectors_are_refused_and_leave_nothing() {
    let folder = folder();
    let good = save_vectors(&folder, "good.npy", DIMENSIONS, &clustered(2, 100));
    let bytes = std::fs::read(&good).unwrap();
    let replaced = |from: &str, to: &str| {
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
    };
    let mut not_finite = bytes.clone();
    let end = not_finite.len();
    not_finite[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let file = path(&folder, "bad.npy");
    let out = path(&folder, "out");
    for (bytes, why, way_out) in [
        (bytes[..end - 3].to_vec(), "100 x 16", "copy or save it again"),
        (bytes[..60].to_vec(), "ends within its header", "copy or save it again"),
        (replaced("<f4", ">f4"), ">f4", "astype('<f4')"),
        (replaced("<f4", "<i4"), "integers", "astype('<f4')"),
        (replaced("False", "True "), "Fortran", "np.ascontiguousarray"),
        (replaced("(100, 16)", "(1600,)  "), "1 axes", "reshape"),
        (not_finite, "row 99, column 15", "must be finite"),
        (b"1.0,2.0\n".to_vec(), "no .npy file", "np.save"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let error = fails(1, &["index", "build", "--vectors", &file, "--out", &out]);
        assert!(error.contains(&file) && error.contains(why) && error.contains(way_out), "{error}");
        assert!(!std::path::Path::new(&out).exists(), "a refused build left a folder: {error}");
    }
    let build = ["index", "build", "--vectors", &good, "--out", &out];
    let error = fails(1, &[&build[..], &["--leaf-points", "3"]].concat());
    assert!(error.contains("--leaf-points") && error.contains("8 to 1024"), "{error}");
    for option in [["--metric", "manhattan"], ["--threads", "0"]] {
        assert_eq!(run(&[&build[..], &option[..]].concat()).status.code(), Some(2), "{option:?}");
    }
    assert!(text(&run(&[&build[..], &["--metric", "manhattan"]].concat()).stderr).contains("ip, cosine, l2"));
}
