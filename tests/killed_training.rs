//! A training that is killed leaves a store that serves. What is promised of the log is in reliability/.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails

mod harness;

use harness::folder;

#[test]
fn a_training_that_is_killed_leaves_exactly_the_old_or_the_new_bundle() {
    let folder = folder();
    let store = harness::imported_store(&folder);
    let train = |seed: &str| {
        vec!["train", "--store", &store, "--seed", seed, "--promote", "always", "--json"]
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let run = |args: &[String]| {
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        harness::ok_json(&args)
    };
    let started = std::time::Instant::now();
    run(&train("1"));
    let whole = started.elapsed();
    // The last moments of a training are where it publishes: that is where most of the kills fall.
    for (round, share) in [0.5, 0.8, 0.9, 0.95, 0.98, 1.0, 1.02].into_iter().enumerate() {
        let args = train(&format!("{}", round + 2));
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let mut child = harness::shortlist(&args)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole.mul_f64(share));
        let _ = child.kill();
        child.wait().unwrap();
        let list = harness::ok_json(&["registry", "list", "--store", &store, "--json"]);
        let bundles = list["bundles"].as_array().unwrap();
        let current: Vec<_> = bundles.iter().filter(|bundle| bundle["current"] == true).collect();
        assert_eq!(current.len(), 1, "{list}");
        let current = current[0]["id"].as_str().unwrap();
        let answer = harness::ok_json(&["recommend", "--store", &store, "--user", "user-3", "--json"]);
        assert_eq!(answer["bundle"], current);
    }
    let last = run(&train("99"));
    assert_eq!(last["promoted"], true);
    let left = std::fs::read_dir(format!("{store}/bundles")).unwrap();
    let unfinished =
        left.filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with('.')).count();
    assert_eq!(unfinished, 0, "a stale temporary folder was left");
}
