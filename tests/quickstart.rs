//! The README's first command, on a small marketplace.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails

mod harness;

use harness::{Server, fails, folder, ok, path, run, text};

const SIZE: [&str; 6] = ["--users", "150", "--items", "300", "--events", "30000"];

fn quickstart<'a>(store: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    ["quickstart", "--store", store].iter().chain(&SIZE).chain(more).copied().collect()
}

#[test]
fn it_simulates_trains_and_shows_a_sample_and_an_existing_one_is_used_as_it_is() {
    let folder = folder();
    let store = path(&folder, "quickstart");
    let first = ok(&quickstart(&store, &["--exit"]));
    for expected in ["two-stage", "candidate recall", "user user-1 wanted", "of the best possible 10 items' appeal"] {
        assert!(first.contains(expected), "no {expected:?} in {first}");
    }

    let again = run(&["quickstart", "--store", &store, "--exit"]);
    assert!(again.status.success());
    assert!(text(&again.stderr).contains("is used as it is"));
    assert!(text(&again.stdout).contains("user user-1 wanted"));

    let other = fails(1, &["quickstart", "--store", &store, "--seed", "7", "--exit"]);
    assert!(other.contains("was made with --users 150 --items 300") && other.contains("--store"), "{other}");
}

#[test]
fn it_serves_what_it_made() {
    let folder = folder();
    let store = path(&folder, "quickstart");
    let server = Server::start_with(&quickstart(&store, &["--listen", "127.0.0.1:0"]));
    let (status, answer) = server.get("/v1/users/user-1/recommendations?k=5");
    assert_eq!(status, 200);
    assert_eq!(harness::ids(&answer).len(), 5);
    assert_eq!(answer["degraded"], serde_json::json!([]));

    let busy = fails(1, &quickstart(&path(&folder, "other"), &["--listen", &server.address]));
    assert!(busy.contains("cannot listen on") && busy.contains("--listen"), "{busy}");
    assert!(!folder.path().join("other").exists(), "a busy port is said before anything is made");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_folder_that_holds_something_else_is_left_alone() {
    let folder = folder();
    std::fs::write(folder.path().join("letter.txt"), "dear").unwrap();
    let error = fails(1, &["quickstart", "--store", folder.path().to_str().unwrap(), "--exit"]);
    assert!(error.contains(folder.path().to_str().unwrap()), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn sizes_out_of_range_are_refused_before_anything_is_made() {
    let folder = folder();
    let store = path(&folder, "quickstart");
    let error = fails(1, &["quickstart", "--store", &store, "--users", "1", "--exit"]);
    assert!(error.contains("users"), "{error}");
    assert!(!folder.path().join("quickstart").exists());
}
