use proptest::prelude::*;

use crate::testing::{assert_ordered, bad_rows, folder, import, import_anyway, json};
use crate::{Format, ImportError};

const EVENTS: &[u8] = br#"
{"user_id":"u2","item_id":"lamp","event_type":"view","timestamp":"2025-03-02T10:00:00Z"}
{"event_id":"e1","user_id":"u1","item_id":"lamp","event_type":"rating","value":4.5,"timestamp":"2025-03-01T10:00:00+01:00","request_id":"r1","position":3,"context":{"device":"phone","hour":9}}
"#;
const ITEMS: &[u8] = br#"{"item_id":"lamp","attributes":{"title":"Lamp","price":20,"tags":["home","light"],"new":true}}
{"item_id":"sofa","available":false,"timestamp":"2025-03-01T12:00:00Z"}"#;
const USERS: &[u8] = b"{\"user_id\":\"u1\",\"attributes\":{\"country\":\"DE\"}}\r\n";

fn ordered() -> Vec<&'static str> {
    vec![
        r#"{"kind":"item_put","timestamp":"2025-03-01T09:00:00Z","item":{"item_id":"lamp","attributes":{"new":true,"price":20.0,"tags":["home","light"],"title":"Lamp"},"available":true}}"#,
        r#"{"kind":"user_put","timestamp":"2025-03-01T09:00:00Z","user":{"user_id":"u1","attributes":{"country":"DE"}}}"#,
        r#"{"kind":"event","event_id":"e1","user_id":"u1","item_id":"lamp","event_type":"rating","value":4.5,"timestamp":"2025-03-01T09:00:00Z","request_id":"r1","position":3,"context":{"device":"phone","hour":9.0}}"#,
        r#"{"kind":"item_put","timestamp":"2025-03-01T12:00:00Z","item":{"item_id":"sofa","attributes":{},"available":false}}"#,
        r#"{"kind":"event","user_id":"u2","item_id":"lamp","event_type":"view","timestamp":"2025-03-02T10:00:00Z"}"#,
    ]
}

#[test]
fn a_folder_is_read_in_order_of_time_and_undated_catalogue_rows_come_first() {
    let files = folder(&[("events.jsonl", EVENTS), ("items.jsonl", ITEMS), ("users.jsonl", USERS)]);
    let imported = import(Format::Jsonl, files.path()).unwrap();
    assert_eq!(json(&imported), ordered());
    let report = &imported.report;
    assert_eq!((report.items, report.users, report.events, report.bad_rows), (2, 1, 2, 0));
    assert_eq!(import(Format::Jsonl, files.path()).unwrap(), imported);
}

#[test]
fn one_file_may_hold_all_kinds() {
    let with_kind = |kind: &str, rows: &[u8]| {
        String::from_utf8(rows.to_vec()).unwrap().replace("{\"user_id", &format!("{{\"kind\":\"{kind}\",\"user_id"))
    };
    let items = String::from_utf8(ITEMS.to_vec()).unwrap().replace("{\"item_id", "{\"kind\":\"item\",\"item_id");
    let all = format!("{}\n{}\n{}", items, with_kind("user", USERS), with_kind("event", EVENTS));
    let files = folder(&[("all.jsonl", all.as_bytes())]);
    let imported = import(Format::Jsonl, &files.path().join("all.jsonl")).unwrap();
    assert_eq!(json(&imported), ordered());
}

#[test]
fn rows_of_the_same_time_keep_their_order_behind_the_catalogue() {
    let time = "2025-03-01T10:00:00Z";
    let event =
        |item: &str| format!(r#"{{"user_id":"u","item_id":"{item}","event_type":"click","timestamp":"{time}"}}"#);
    let item = format!(r#"{{"kind":"item","item_id":"c","timestamp":"{time}"}}"#);
    let text = [event("b"), event("a"), item, event("c")].join("\n");
    let files = folder(&[("x.jsonl", text.as_bytes())]);
    let imported = import(Format::Jsonl, &files.path().join("x.jsonl")).unwrap();
    let items: Vec<_> =
        json(&imported).iter().map(|r| r.split("item_id\":\"").nth(1).unwrap()[..1].to_owned()).collect();
    assert_eq!(items, ["c", "b", "a", "c"]);
    assert!(json(&imported)[0].contains("item_put"));
}

#[test]
fn without_events_the_catalogue_is_of_now() {
    let files = folder(&[("events.jsonl", b""), ("items.jsonl", b"{\"item_id\":\"a\"}")]);
    let imported = import(Format::Jsonl, files.path()).unwrap();
    assert_eq!(imported.records[0].timestamp(), crate::testing::now());
}

#[test]
fn every_bad_row_is_named_with_its_line() {
    let rows: [&[u8]; 20] = [
        br#"{"user_id":"u","item_id":"i","event_type":"click","timestamp":"2025-01-01T00:00:00Z"}"#,
        br#"{"user_id":"u""#,
        br#"["u","i"]"#,
        br#"{"user_id":"u","item_id":"i","event_type":"klick","timestamp":"2025-01-01T00:00:00Z"}"#,
        br#"{"user_id":"u","item_id":"i","event_type":"click"}"#,
        br#"{"user_id":"u","item_id":"i","event_type":"click","timestamp":"yesterday"}"#,
        br#"{"user_id":"u","item_id":"i","event_type":"click","timestamp":"2026-01-01T00:05:01Z"}"#,
        br#"{"user_id":"","item_id":"i","event_type":"click","timestamp":"2025-01-01T00:00:00Z"}"#,
        br#"{"user_id":"u","item_id":"i\u0000","event_type":"click","timestamp":"2025-01-01T00:00:00Z"}"#,
        br#"{"user_id":"u","item_id":"i","event_type":"click","timestamp":"2025-01-01T00:00:00Z","price":1}"#,
        br#"{"user_id":"u","user_id":"v","item_id":"i","event_type":"click","timestamp":"2025-01-01T00:00:00Z"}"#,
        br#"{"user_id":"u","item_id":"i","event_type":"click","timestamp":"2025-01-01T00:00:00Z","value":1e39}"#,
        br#"{"user_id":"u","item_id":"i","event_type":"click","timestamp":"2025-01-01T00:00:00Z","position":-1}"#,
        br#"{"user_id":"u","item_id":"i","event_type":"click","timestamp":"2025-01-01T00:00:00Z","context":{"a":null}}"#,
        br#"{"user_id":"u","item_id":"i","event_type":"click","timestamp":"2025-01-01T00:00:00Z","context":{"a":1,"a":2}}"#,
        br#"{"kind":"thing","item_id":"i"}"#,
        br#"{"kind":"item","item_id":"i","attributes":{"a":[1]}}"#,
        br#"{"kind":"item","item_id":"i","timestamp":"2026-06-01T00:00:00Z"}"#,
        br#"{"kind":"user","user_id":"u","available":true}"#,
        b"{\"user_id\":\"\xff\"}",
    ];
    let files = folder(&[("events.jsonl", &rows.join(&b"\n"[..]))]);
    let imported = import_anyway(Format::Jsonl, files.path());
    assert_eq!(imported.report.events, 1);
    let expected = [
        "2: row: EOF while parsing an object (column 14)",
        "3: row: must be a JSON object",
        "4: event_type: unknown type \"klick\"; known are click, hide, impression, like, purchase, rating, view",
        "5: row: missing field `timestamp` (column 50)",
        "6: row: timestamp: must be an RFC 3339 time such as 2026-01-31T12:00:00Z (column 74)",
        "7: timestamp: must not lie more than 300 seconds in the future, got 2026-01-01T00:05:01Z",
        "8: user_id: must not be empty",
        "9: item_id: must not contain control or format characters, got U+0000",
        "10: row: unknown field `price`, expected one of `kind`, `event_id`, `user_id`, `item_id`, `event_type`, \
         `value`, `timestamp`, `request_id`, `position`, `context` (column 92)",
        "11: row: duplicate field `user_id` (column 24)",
        "12: row: number out of range (column 97)",
        "13: row: invalid value: integer `-1`, expected u32 (column 98)",
        "14: context.a: must be a string, a finite number, a bool or a list of strings",
        "15: context.a: must be given once",
        "16: kind: must be event, item or user, got \"thing\"",
        "17: attributes.a: must be a string, a finite number, a bool or a list of strings",
        "18: timestamp: must not lie more than 300 seconds in the future, got 2026-06-01T00:00:00Z",
        "19: row: unknown field `available`, expected one of `kind`, `user_id`, `attributes`, `timestamp` (column 40)",
        "20: row: must be UTF-8, is not at byte 13",
    ];
    assert_eq!(bad_rows(&imported), expected.map(|text| format!("events.jsonl:{text}")));
}

#[test]
fn a_missing_file_is_named_with_its_folder() {
    let files = folder(&[("items.jsonl", ITEMS)]);
    let error = import(Format::Jsonl, files.path()).unwrap_err();
    let expected = format!("expected events.jsonl in folder {}, where there is none", files.path().display());
    assert_eq!(error.to_string(), expected);
    let error = import(Format::Jsonl, &files.path().join("nothing.jsonl")).unwrap_err();
    assert!(matches!(error, ImportError::NotAFile { .. }), "{error}");
}

proptest! {
    #[test]
    fn no_bytes_panic(events: Vec<u8>, items: Vec<u8>, cut in 0..EVENTS.len(), byte: u8) {
        let mut broken = EVENTS.to_vec();
        broken[cut] = byte;
        broken.extend(events);
        let files = folder(&[("events.jsonl", &broken), ("items.jsonl", &items), ("users.jsonl", USERS)]);
        assert_ordered(&import_anyway(Format::Jsonl, files.path()));
    }
}
