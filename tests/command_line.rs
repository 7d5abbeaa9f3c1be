//! Refusals at the command line: exit code, and a text that names the thing and the way out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails

mod harness;

use harness::{Server, fails, folder, ok, ok_json, path, run, text};

#[test]
fn usage_errors_exit_2_and_help_exits_0() {
    assert_eq!(run(&["fly"]).status.code(), Some(2));
    assert_eq!(run(&["train"]).status.code(), Some(2));
    assert_eq!(run(&["import", "xml", "x", "--store", "y"]).status.code(), Some(2));
    for command in [
        &["--help"][..],
        &["quickstart", "--help"],
        &["import", "--help"],
        &["train", "--help"],
        &["serve", "--help"],
        &["recommend", "--help"],
        &["evaluate", "store", "--help"],
        &["evaluate", "retrieval", "--help"],
        &["loadtest", "--help"],
        &["registry", "promote", "--help"],
        &["config", "--help"],
        &["--version"],
    ] {
        assert!(!ok(command).is_empty());
    }
}

#[test]
fn the_default_configuration_is_accepted_and_a_bad_one_exits_64_with_the_line() {
    let folder = folder();
    let file = path(&folder, "shortlist.toml");
    std::fs::write(&file, ok(&["config", "init"])).unwrap();
    assert!(ok(&["config", "check", &file]).contains("purchase"));

    std::fs::write(
        &file,
        "[surfaces.home]\ncandidates_max = 100\n\n[events.rating]\nsignal = \"positive\"\nweigth = 2\n",
    )
    .unwrap();
    for args in [
        vec!["config", "check", &file],
        vec!["serve", "--store", folder.path().to_str().unwrap(), "--config", &file],
        // A store's own configuration is found by its name.
        vec!["train", "--store", folder.path().to_str().unwrap()],
    ] {
        let error = fails(64, &args);
        assert!(error.contains("line 6") && error.contains("weigth"), "{error}");
    }
    assert!(fails(64, &["config", "check", "/no/such/file.toml"]).contains("/no/such/file.toml"));
    // It is checked before a port is asked for, or a store made.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let store = path(&folder, "new");
    fails(64, &["serve", "--store", &store, "--config", &file, "--listen", &address]);
    assert!(!std::path::Path::new(&store).exists(), "a store was made");
    let error = fails(1, &["serve", "--store", &store, "--listen", &address]);
    assert!(error.contains(&address) && error.contains("--listen"), "{error}");
}

#[test]
fn stores_that_are_not_there_are_named_with_the_way_out() {
    let folder = folder();
    let nothing = path(&folder, "nothing");
    for command in [&["train"][..], &["evaluate", "store"], &["recommend", "--user", "u"], &["registry", "list"]] {
        let error = fails(1, &[command, &["--store", &nothing]].concat());
        assert!(error.contains(&nothing) && error.contains("import"), "{command:?}: {error}");
        assert!(!std::path::Path::new(&nothing).exists(), "{command:?} made a store");
    }
    std::fs::create_dir(&nothing).unwrap();
    std::fs::write(format!("{nothing}/shortlist.db"), "this is no database, it is a letter").unwrap();
    let error = fails(1, &["train", "--store", &nothing]);
    assert!(error.contains("shortlist.db"), "{error}");
}

#[test]
fn an_import_is_whole_or_not_at_all() {
    let folder = folder();
    let store = path(&folder, "store");
    let events = path(&folder, "events.csv");
    let rows = |bad: usize| {
        let header = "user_id,item_id,event_type,timestamp,event_id\n".to_owned();
        let good = (0..200).map(|n| format!("u{},i{},click,2026-01-01T00:00:00Z,e{n}\n", n % 9, n % 30));
        let bad = (0..bad).map(|n| format!("u{n},i{n},sneeze,2026-01-01T00:00:00Z,\n"));
        header + &good.chain(bad).collect::<String>()
    };
    std::fs::write(&events, rows(20)).unwrap();
    let error = fails(1, &["import", "csv", &events, "--store", &store]);
    assert!(
        error.contains("events.csv:202") && error.contains("sneeze") && error.contains("--max-bad-share"),
        "{error}"
    );
    assert!(!std::path::Path::new(&store).exists(), "a refused import left a store");

    let report = ok_json(&["import", "csv", &events, "--store", &store, "--max-bad-share", "0.2", "--json"]);
    assert_eq!((&report["events"], &report["bad_rows"]), (&200.into(), &20.into()));
    let nowhere = path(&folder, "nowhere");
    assert!(fails(1, &["import", "csv", &nowhere, "--store", &store]).contains("nowhere does not exist"));
    let again = ok_json(&["import", "csv", &events, "--store", &store, "--max-bad-share", "0.2", "--json"]);
    assert_eq!((&again["new"], &again["duplicates"]), (&0.into(), &200.into()));
    assert_eq!(run(&["import", "csv", &events, "--store", &store, "--max-bad-share", "2"]).status.code(), Some(2));
}

#[test]
fn a_store_has_one_writer_and_readers_beside_it() {
    let folder = folder();
    let store = harness::imported_store(&folder);
    let server = Server::start(&store);
    let market = path(&folder, "market.jsonl");
    for args in [
        vec!["import", "jsonl", &market, "--store", &store],
        vec!["serve", "--store", &store, "--listen", "127.0.0.1:0"],
    ] {
        let error = fails(1, &args);
        assert!(error.contains(&store) && error.contains("running server") && error.contains("API"), "{error}");
    }
    let other = path(&folder, "other");
    let busy = fails(1, &["serve", "--store", &other, "--listen", &server.address]);
    assert!(busy.contains(&server.address) && busy.contains("--listen"), "{busy}");
    let beside = run(&["recommend", "--store", &store, "--user", "user-1", "--json"]);
    assert!(beside.status.success(), "{}", text(&beside.stderr));
}
