use proptest::prelude::*;
use shortlist_types::EventTypes;

use crate::limits::ROW_BYTES_MAX;
use crate::testing::{assert_ordered, bad_rows, folder, import, import_anyway, json, now};
use crate::{Format, ImportError, ImportOptions, read};

const EVENTS: &str = "timestamp,user_id,item_id,event_type,value,context.device,context.tags[],event_id\n\
                      1740909600,u2,lamp,view,,phone,,\n\
                      2025-03-01T09:00:00Z,u1,lamp,rating,4.5,,a|b,e1\n";
const ITEMS: &str = "item_id,title,price,tags[],new,code,empty,available,timestamp\n\
                     lamp,\"Lamp, \"\"red\"\"\",20,home|light,true,007,,,\n\
                     sofa,,19.5,,FALSE,12,,false,1740830400\n";
const USERS: &str = "country,user_id\nDE,u1\n";

fn event_file(rows: &str) -> tempfile::TempDir {
    folder(&[("e.csv", format!("user_id,item_id,event_type,timestamp\n{rows}").as_bytes())])
}

fn header_error(name: &str, text: &[u8]) -> String {
    let mut files = vec![("events.csv", EVENTS.as_bytes())];
    files.retain(|(known, _)| *known != name);
    files.push((name, text));
    let error = import(Format::Csv, folder(&files).path()).unwrap_err();
    assert!(matches!(error, ImportError::Header { .. }), "{error}");
    error.to_string()
}

#[test]
fn a_folder_is_read_with_types_by_column() {
    let files =
        folder(&[("events.csv", EVENTS.as_bytes()), ("items.csv", ITEMS.as_bytes()), ("users.csv", USERS.as_bytes())]);
    let imported = import(Format::Csv, files.path()).unwrap();
    let expected = [
        r#"{"kind":"item_put","timestamp":"2025-03-01T09:00:00Z","item":{"item_id":"lamp","attributes":{"code":"007","new":true,"price":20.0,"tags":["home","light"],"title":"Lamp, \"red\""},"available":true}}"#,
        r#"{"kind":"user_put","timestamp":"2025-03-01T09:00:00Z","user":{"user_id":"u1","attributes":{"country":"DE"}}}"#,
        r#"{"kind":"event","event_id":"e1","user_id":"u1","item_id":"lamp","event_type":"rating","value":4.5,"timestamp":"2025-03-01T09:00:00Z","context":{"tags":["a","b"]}}"#,
        r#"{"kind":"item_put","timestamp":"2025-03-01T12:00:00Z","item":{"item_id":"sofa","attributes":{"code":"12","new":false,"price":19.5},"available":false}}"#,
        r#"{"kind":"event","user_id":"u2","item_id":"lamp","event_type":"view","timestamp":"2025-03-02T10:00:00Z","context":{"device":"phone"}}"#,
    ];
    assert_eq!(json(&imported), expected);
    let report = &imported.report;
    assert_eq!((report.items, report.users, report.events, report.bad_rows), (2, 1, 2, 0));
    assert_eq!(import(Format::Csv, files.path()).unwrap(), imported);
}

#[test]
fn one_file_holds_events_with_a_mark_carriage_returns_and_blanks() {
    let text = "\u{feff}user_id , item_id,event_type,timestamp\r\n\r\n u ,\"i\" ,click, 1740909600\r\n";
    let files = folder(&[("clicks.csv", text.as_bytes())]);
    let imported = import(Format::Csv, &files.path().join("clicks.csv")).unwrap();
    let expected =
        r#"{"kind":"event","user_id":"u","item_id":"i","event_type":"click","timestamp":"2025-03-02T10:00:00Z"}"#;
    assert_eq!(json(&imported), [expected]);
}

#[test]
fn every_bad_row_is_named_with_its_line() {
    let rows: [&[u8]; 14] = [
        b"user_id,item_id,event_type,timestamp,value,position,context.a",
        b"u,i,click,1740909600,,,",
        b"u,i,click,1740909600,,",
        b"u,i,klick,1740909600,,,",
        b"u,i,click,,,,",
        b"u,i,click,2026-01-01T00:05:01Z,,,",
        b"u,i,click,1740909600000000,,,",
        b",i,click,1740909600,,,",
        b"u,i,rating,1740909600,four,,",
        b"u,i,rating,1740909600,inf,,",
        b"u,i,click,1740909600,,-1,",
        b"u,i\xff,click,1740909600,,,",
        b"u,\"i\xc3\",\"\xa9lick\",1740909600,,,",
        b"u,i,click,1740909600,,,last",
    ];
    for end in [&b"\n"[..], b"\r\n", b"\n\n", b"\r\n\r\n"] {
        let step = end.len().div_ceil(2) * if end.starts_with(b"\r") || end.len() == 1 { 1 } else { 2 };
        let files = folder(&[("events.csv", &rows.join(end))]);
        let imported = import_anyway(Format::Csv, files.path());
        assert_eq!(imported.report.events, 2);
        let expected = [
            (3, "row: must have 7 columns as the header has, got 6"),
            (4, "event_type: unknown type \"klick\"; known are click, hide, impression, like, purchase, rating, view"),
            (5, "timestamp: must be RFC 3339 or whole seconds since 1970, got \"\""),
            (6, "timestamp: must not lie more than 300 seconds in the future, got 2026-01-01T00:05:01Z"),
            (7, "timestamp: must lie in the years 1 to 9998"),
            (8, "user_id: must not be empty"),
            (9, "value: must be a number, got \"four\""),
            (10, "value: must be a finite number"),
            (11, "position: must be a number, got \"-1\""),
            (12, "row: must be UTF-8, is not in column 2"),
            (13, "row: must be UTF-8, is not in column 2"),
        ];
        let expected = expected.map(|(line, text)| format!("events.csv:{}: {text}", (line - 1) * step + 1));
        assert_eq!(bad_rows(&imported), expected);
    }
}

#[test]
fn bad_catalogue_rows_are_named_too() {
    let items = format!("{ITEMS}x,,,,,,,perhaps,\n,t,,,,,,,\ny,{},,,,,,,\n", "t".repeat(1025));
    let users = "user_id,timestamp\nu,soon\n";
    let files =
        folder(&[("events.csv", EVENTS.as_bytes()), ("items.csv", items.as_bytes()), ("users.csv", users.as_bytes())]);
    let expected = [
        "items.csv:4: available: must be true or false, got \"perhaps\"",
        "items.csv:5: item_id: must not be empty",
        "items.csv:6: attributes.title: must be at most 1024 bytes, got 1025",
        "users.csv:2: timestamp: must be RFC 3339 or whole seconds since 1970, got \"soon\"",
    ];
    assert_eq!(bad_rows(&import_anyway(Format::Csv, files.path())), expected);
}

#[test]
fn rows_of_several_lines_keep_their_place() {
    let items = "item_id,text\na,\"two\nlines\"\nb,\"x\n\n\"\n,bad\nc,\"no\nend\n";
    let files = folder(&[("events.csv", EVENTS.as_bytes()), ("items.csv", items.as_bytes())]);
    let imported = import_anyway(Format::Csv, files.path());
    assert_eq!(bad_rows(&imported), ["items.csv:7: item_id: must not be empty"]);
    assert!(json(&imported)[0].contains(r#""text":"two\nlines""#));
    assert!(json(&imported)[2].contains(r#""text":"no\nend""#));
}

#[test]
fn rows_swallowed_by_a_stray_quote_count_as_bad() {
    let good = "u,i,click,1740909600\n";
    let rows = format!("{}u,i,\"click,1740909600\n{}", good.repeat(200), good.repeat(9));
    let files = event_file(&rows);
    let error = import(Format::Csv, &files.path().join("e.csv")).unwrap_err();
    let ImportError::TooManyBadRows { bad, rows, first_bad, .. } = error else { panic!("{error}") };
    // The last line end is inside the quote, so that an empty line follows it.
    assert_eq!((bad, rows), (11, 211));
    assert_eq!(first_bad[0].to_string(), "e.csv:202: row: must have 4 columns as the header has, got 3");
    assert_eq!(first_bad.len(), 1);
}

#[test]
fn a_quote_that_never_ends_stops_the_import_before_memory_does() {
    let rows = format!("u,i,click,1740909600\nu,i,\"{}", "x\n".repeat(ROW_BYTES_MAX));
    let files = event_file(&rows);
    let error = import(Format::Csv, &files.path().join("e.csv")).unwrap_err();
    let expected = "e.csv:3: the row is longer than 2097152 bytes; does a quote in it never end?";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_header_must_name_what_is_needed() {
    assert_eq!(
        header_error("events.csv", b"user_id,item,event_type,timestamp\n"),
        "events.csv:1: header: must have a column called item_id, found only: user_id, item, event_type, timestamp"
    );
    assert_eq!(
        header_error("events.csv", b"user_id,item_id,event_type,timestamp,price\n"),
        "events.csv:1: header: has an unknown column \"price\"; known are user_id, item_id, event_type, timestamp, \
         event_id, value, request_id, position and context.NAME"
    );
    assert_eq!(
        header_error("events.csv", b""),
        "events.csv:1: header: must have a column called user_id, found only: "
    );
    assert_eq!(
        header_error("items.csv", b"item_id,a,a\n"),
        "items.csv:1: header: names must be different and not empty, got \"a\""
    );
    assert_eq!(header_error("items.csv", b"item_id,a,a[]\n"), "items.csv:1: header: has two columns for \"a\"");
    assert_eq!(header_error("items.csv", b"item_id,\xff\n"), "items.csv:1: row: must be UTF-8, is not in column 2");
    assert!(header_error("items.csv", b"item_id,a,\n").contains("not empty"));
    assert!(header_error("items.csv", b"item_id,[]\n").contains("1 to 64 bytes"));
    assert!(header_error("users.csv", b"id,name\n").contains("called user_id"));
}

#[test]
fn the_share_is_a_limit_that_may_be_met_and_not_passed() {
    let good = "u,i,click,1740909600\n";
    let at = event_file(&format!("{}bad\n", good.repeat(99)));
    assert_eq!(import(Format::Csv, &at.path().join("e.csv")).unwrap().report.bad_rows, 1);
    let over = event_file(&format!("bad\n{}", good.repeat(98)));
    let error = import(Format::Csv, &over.path().join("e.csv")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "1 of 99 rows in e.csv are bad (1.01 %), and at most 1.00 % may be; nothing was imported; correct them, or \
         leave them out with a higher --max-bad-share\n  e.csv:2: row: must have 4 columns as the header has, got 1"
    );
}

#[test]
fn each_file_is_held_to_the_share() {
    let good = "u,i,click,1740909600\n".repeat(1000);
    let events = format!("user_id,item_id,event_type,timestamp\n{good}");
    let files = folder(&[("events.csv", events.as_bytes()), ("items.csv", b"item_id\n\xff\n")]);
    let error = import(Format::Csv, files.path()).unwrap_err().to_string();
    assert!(error.starts_with("1 of 1 rows in items.csv are bad"), "{error}");
}

#[test]
fn only_the_first_bad_rows_are_shown_and_all_are_counted() {
    let files = event_file(&"bad\n".repeat(30));
    let options = ImportOptions { max_bad_share: 1.0, bad_rows_shown: 3 };
    let path = files.path().join("e.csv");
    let imported = read(Format::Csv, &path, &EventTypes::default(), now(), &options, &mut |_, _| ()).unwrap();
    assert_eq!((imported.report.bad_rows, imported.report.first_bad.len()), (30, 3));
}

#[test]
fn progress_ends_at_the_whole() {
    let good = "u,i,click,1740909600\n".repeat(20_000);
    let events = format!("user_id,item_id,event_type,timestamp\n{good}");
    let files = folder(&[("events.csv", events.as_bytes()), ("items.csv", ITEMS.as_bytes())]);
    let total = 2 * (events.len() + ITEMS.len()) as u64;
    let mut heard = Vec::new();
    let mut progress = |done, all| heard.push((done, all));
    read(Format::Csv, files.path(), &EventTypes::default(), now(), &ImportOptions::default(), &mut progress).unwrap();
    assert!(heard.is_sorted() && heard.len() > 4, "{heard:?}");
    assert!(heard.iter().all(|(_, all)| *all == total));
    assert_eq!(heard.last(), Some(&(total, total)));
}

proptest! {
    #[test]
    fn no_bytes_panic(events: Vec<u8>, items: Vec<u8>, cut in 0..EVENTS.len(), byte: u8) {
        let mut broken = EVENTS.as_bytes().to_vec();
        broken[cut] = byte;
        let whole = [EVENTS.as_bytes(), &events].concat();
        let listed = [ITEMS.as_bytes(), &items].concat();
        for (events, items) in [(&broken, &listed), (&whole, &items), (&events, &listed)] {
            let files = folder(&[("events.csv", events), ("items.csv", items), ("users.csv", USERS.as_bytes())]);
            let options = ImportOptions { max_bad_share: 1.0, bad_rows_shown: 3 };
            if let Ok(imported) =
                read(Format::Csv, files.path(), &EventTypes::default(), now(), &options, &mut |_, _| ())
            {
                assert_ordered(&imported);
            }
        }
    }
}
