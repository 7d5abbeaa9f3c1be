//! Looking after a store by command: info, backup and restore, export, erasure, verify and salvage; and
//! what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on fails

mod harness;

use std::path::Path;

use harness::{Server, fails, folder, holds, imported_store, ok, ok_json, path};
use rusqlite::Connection;
use serde_json::json;

fn database(store: &str) -> Connection {
    Connection::open(format!("{store}/shortlist.db")).unwrap()
}

#[test]
fn a_backup_of_a_live_store_is_restored_with_its_bundle() {
    let folder = folder();
    let store = imported_store(&folder);
    ok(&["train", "--store", &store, "--promote", "always"]);
    let server = Server::start(&store);
    let backup = path(&folder, "backup");
    let copied = ok_json(&["store", "backup", "--store", &store, "--to", &backup, "--json"]);
    let list = server.list("user-3", 5);
    // What comes after the backup is not in it.
    assert_eq!(server.post("/v1/events", &json!({"user_id": "u", "item_id": "i", "event_type": "click"})).0, 200);
    assert_eq!(server.stop(), Some(0));
    std::fs::remove_dir_all(&store).unwrap();

    let error = fails(1, &["store", "restore", "--from", &backup, "--store", &backup]);
    assert!(error.contains("holds something already"), "{error}");
    ok(&["store", "restore", "--from", &backup, "--store", &store]);
    ok(&["log", "verify", "--store", &store]);
    let info = ok_json(&["store", "info", "--store", &store, "--json"]);
    assert_eq!((&info["last_log_seq"], &info["bundles"]), (&copied["last_log_seq"], &json!(1)));
    let server = Server::start(&store);
    assert_eq!(server.get("/readyz").1["log_seq"], copied["last_log_seq"]);
    assert_eq!(server.list("user-3", 5), list);
    // Ids came along: what was sent before the backup is known after it.
    assert!(ok(&["store", "info", "--store", &store]).contains("newest checkpoint"));
}

#[test]
fn an_erased_user_is_nowhere_and_the_others_stay_what_they_were() {
    const NAME: &str = "somebody-with-a-rare-name";
    let folder = folder();
    let store = imported_store(&folder);
    let server = Server::start(&store);
    let before = server.list("user-3", 5);
    server.put(&format!("/v1/users/{NAME}"), &json!({"attributes": {"city": "Paris"}}));
    for n in 0..30 {
        let event =
            json!({"event_id": format!("rare-{n}"), "user_id": NAME, "item_id": "item-7", "event_type": "hide"});
        assert_eq!(server.post("/v1/events", &event).0, 200);
    }
    let exported = ok(&["log", "export", "--store", &store, "--user", NAME]);
    assert_eq!(exported.lines().count(), 31);
    assert!(holds(Path::new(&store), NAME));

    assert_eq!(server.delete(&format!("/v1/users/{NAME}?erase=maybe")).1["field"], "erase");
    assert_eq!(server.delete(&format!("/v1/users/{NAME}?all=true")).0, 400);
    let (status, body) = server.delete(&format!("/v1/users/{NAME}?erase=true"));
    assert_eq!((status, &body["accepted"]), (200, &json!(31)), "{body}");
    assert_eq!(server.get(&format!("/v1/users/{NAME}")).0, 404);
    assert!(!holds(Path::new(&store), NAME) && !holds(Path::new(&store), "rare-3"), "the live store holds him");
    assert_eq!(server.delete(&format!("/v1/users/{NAME}?erase=true")).1["accepted"], 0);
    assert_eq!(ok(&["log", "export", "--store", &store, "--user", NAME]), "");
    // A retry that was under way does not bring him back; he himself may come again.
    let event = json!({"event_id": "rare-1", "user_id": NAME, "item_id": "item-7", "event_type": "hide"});
    assert_eq!(server.post("/v1/events", &event).1["duplicates"], 1);
    let log_seq = server.get("/readyz").1["log_seq"].clone();
    assert_eq!(server.stop(), Some(0));
    ok(&["log", "verify", "--store", &store]);

    let server = Server::start(&store);
    assert_eq!(server.get("/readyz").1["log_seq"], log_seq);
    assert_eq!(server.list("user-3", 5), before);
    assert_eq!(server.stop(), Some(0));
    // Offline, by command.
    let erased = ok_json(&["log", "erase", "--store", &store, "--user", "user-3", "--json"]);
    assert!(erased["erased"].as_u64().unwrap() > 10, "{erased}");
    assert!(!holds(Path::new(&store), "\"user-3\""));
    ok(&["log", "verify", "--store", &store]);
}

#[test]
fn a_damaged_record_is_named_the_start_refused_and_the_rest_saved() {
    let folder = folder();
    let store = imported_store(&folder);
    let sql = "UPDATE log SET payload = replace(payload, 'user-', 'usar-') WHERE log_seq = 5000";
    database(&store).execute(sql, []).unwrap();
    let error = fails(1, &["serve", "--store", &store, "--listen", "127.0.0.1:0"]);
    assert!(error.contains("record 5000 of the log does not match its checksum"), "{error}");
    assert!(error.contains("shortlist log verify") && error.contains("shortlist log salvage"), "{error}");
    let output = harness::run(&["log", "verify", "--store", &store, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["damaged"], &report["whole"]), (&json!(2), &json!(false)), "{report}");
    assert_eq!(report["first_damaged"][0]["log_seq"], 5_000);
    let error = fails(1, &["store", "backup", "--store", &store, "--to", &path(&folder, "backup")]);
    assert!(error.contains("record 5000"), "{error}");

    let saved = path(&folder, "saved");
    let salvaged = ok_json(&["log", "salvage", "--store", &store, "--to", &saved, "--json"]);
    assert_eq!((&salvaged["lost"], &salvaged["unchecked"]), (&json!(1), &json!(1)), "{salvaged}");
    ok(&["log", "verify", "--store", &saved]);
    let records =
        |store: &str| ok_json(&["store", "info", "--store", store, "--json"])["last_log_seq"].as_u64().unwrap();
    assert_eq!(records(&saved) + 1, records(&store));
    Server::start(&saved);
    let error = fails(1, &["log", "salvage", "--store", &store, "--to", &saved]);
    assert!(error.contains("holds something already"), "{error}");
}

#[test]
fn an_export_is_imported_back_and_read_by_other_tools() {
    let folder = folder();
    let store = imported_store(&folder);
    let file = path(&folder, "log.jsonl");
    ok(&["log", "export", "--store", &store, "--out", &file]);
    let again = path(&folder, "again");
    let imported = ok_json(&["import", "jsonl", &file, "--store", &again, "--json"]);
    assert_eq!(imported["bad_rows"], 0, "{imported}");
    let events = |store: &str| ok_json(&["store", "info", "--store", store, "--json"])["events"].clone();
    assert_eq!(events(&again), events(&store));
    let csv = ok(&["log", "export", "--store", &store, "--format", "csv", "--after", "100"]);
    let mut lines = csv.lines();
    assert!(lines.next().unwrap().starts_with("log_seq,kind,timestamp,user_id,item_id"));
    assert!(lines.next().unwrap().starts_with("101,"));
    let error = fails(1, &["log", "export", "--store", &store, "--out", &file]);
    assert!(error.contains("exists"), "{error}");
}

#[test]
fn what_is_not_ours_to_open_is_left_alone_with_the_way_out() {
    let folder = folder();
    let store = path(&folder, "store");
    let server = Server::start(&store);
    let second = fails(1, &["serve", "--store", &store, "--listen", "127.0.0.1:0"]);
    assert!(second.contains("another process, such as a running server, owns the log"), "{second}");
    for command in
        [&["log", "erase", "--store", &store, "--user", "u"][..], &["import", "csv", &store, "--store", &store]]
    {
        let error = fails(1, command);
        assert!(!error.is_empty());
    }
    assert_eq!(server.get("/readyz").0, 200);
    assert_eq!(server.stop(), Some(0));
    database(&store).pragma_update(None, "user_version", 3).unwrap();
    for command in ["serve", "train"] {
        let error = fails(1, &[command, "--store", &store]);
        assert!(
            error.contains("written by a newer version (format 3, this one knows 2); upgrade shortlist"),
            "{error}"
        );
    }
    let foreign = path(&folder, "foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(format!("{foreign}/shortlist.db"), "a letter").unwrap();
    let error = fails(1, &["serve", "--store", &foreign, "--listen", "127.0.0.1:0"]);
    assert!(error.contains("was not written by shortlist; choose another store directory"), "{error}");
    assert_eq!(std::fs::read(format!("{foreign}/shortlist.db")).unwrap(), b"a letter");
}

#[test]
fn one_bad_event_refuses_its_batch_and_is_named() {
    let folder = folder();
    let server = Server::start(&path(&folder, "store"));
    let event = |id: &str, item: &str| json!({"event_id": id, "user_id": "u", "item_id": item, "event_type": "click"});
    let mut events: Vec<_> = (0..10).map(|n| event(&format!("e{n}"), "i")).collect();
    events[7] = event("e7", "");
    let (status, body) = server.post("/v1/events", &json!({ "events": events }));
    assert_eq!((status, &body["field"]), (400, &json!("events[7].item_id")), "{body}");
    assert_eq!(server.get("/readyz").1["log_seq"], 0, "the others are not half taken");
    events[7] = event("e7", "i");
    assert_eq!(server.post("/v1/events", &json!({ "events": events })).1["accepted"], 10);
}
