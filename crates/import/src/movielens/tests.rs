use proptest::prelude::*;
use tempfile::TempDir;

use crate::Format::{MovieLens1m, MovieLens100k};
use crate::testing::{assert_ordered, bad_rows, folder, import, import_anyway, json};

/// All nineteen genres by one letter each.
fn genres() -> String {
    ('A'..='S').enumerate().map(|(place, name)| format!("{name}|{place}\n")).collect::<String>() + "\n"
}

fn flags(set: &[usize]) -> String {
    (0..19).map(|place| if set.contains(&place) { "|1" } else { "|0" }).collect()
}

fn films() -> Vec<u8> {
    let mut bytes = format!("1|One (1995)|01-Jan-1995||http://x{}\n2|D", flags(&[1, 18])).into_bytes();
    bytes.extend(b"\xe9j\xe0 Vu||||");
    bytes.extend(flags(&[])[1..].bytes());
    bytes
}

const PEOPLE: &str = "7|24|M|writer|00000\n8|17|F|artist|T8H1N\n";
const STARS: &str = "7\t2\t3\t880000100\n8\t1\t5\t880000000\n7\t1\t4\t880000100\n";

fn small_100k(films: &[u8], people: &[u8], stars: &[u8]) -> TempDir {
    folder(&[("u.genre", genres().as_bytes()), ("u.item", films), ("u.user", people), ("u.data", stars)])
}

#[test]
fn the_100k_folder_becomes_catalogue_then_ratings_in_order_of_time() {
    let files = small_100k(&films(), PEOPLE.as_bytes(), STARS.as_bytes());
    let imported = import(MovieLens100k, files.path()).unwrap();
    let expected = [
        r#"{"kind":"item_put","timestamp":"1997-11-20T04:26:40Z","item":{"item_id":"1","attributes":{"genre":["B","S"],"release_year":1995.0,"title":"One (1995)"},"available":true}}"#,
        r#"{"kind":"item_put","timestamp":"1997-11-20T04:26:40Z","item":{"item_id":"2","attributes":{"title":"Déjà Vu"},"available":true}}"#,
        r#"{"kind":"user_put","timestamp":"1997-11-20T04:26:40Z","user":{"user_id":"7","attributes":{"age":24.0,"age_group":"18-24","gender":"M","occupation":"writer"}}}"#,
        r#"{"kind":"user_put","timestamp":"1997-11-20T04:26:40Z","user":{"user_id":"8","attributes":{"age":17.0,"age_group":"under 18","gender":"F","occupation":"artist"}}}"#,
        r#"{"kind":"event","event_id":"ml100k-8-1","user_id":"8","item_id":"1","event_type":"rating","value":5.0,"timestamp":"1997-11-20T04:26:40Z"}"#,
        r#"{"kind":"event","event_id":"ml100k-7-2","user_id":"7","item_id":"2","event_type":"rating","value":3.0,"timestamp":"1997-11-20T04:28:20Z"}"#,
        r#"{"kind":"event","event_id":"ml100k-7-1","user_id":"7","item_id":"1","event_type":"rating","value":4.0,"timestamp":"1997-11-20T04:28:20Z"}"#,
    ];
    assert_eq!(json(&imported), expected);
    let report = &imported.report;
    assert_eq!((report.items, report.users, report.events, report.bad_rows), (2, 2, 3, 0));
    assert_eq!(import(MovieLens100k, files.path()).unwrap(), imported);
}

#[test]
fn every_bad_row_of_100k_is_named_with_its_line() {
    let people = "7|old|M|writer|0\n8|17|F|artist\n-|17|F|artist|0\n";
    let stars = [
        "7\t2\t3",
        "7\t2\t6\t880000000",
        "7\t2\tnan\t880000000",
        "7\t2\t3\tlong ago",
        "",
        "7\t2\t3\t99999999999",
        "7\t+2\t3\t880000000",
    ];
    let files = small_100k(&films(), people.as_bytes(), stars.join("\n").as_bytes());
    let expected = [
        "u.user:1: age: must be a number, got \"old\"",
        "u.user:2: row: must have 5 fields separated by \"|\", got 4",
        "u.user:3: user_id: must be digits, got \"-\"",
        "u.data:1: row: must have 4 fields separated by \"\\t\", got 3",
        "u.data:2: rating: must be 1 to 5, got \"6\"",
        "u.data:3: rating: must be 1 to 5, got \"nan\"",
        "u.data:4: timestamp: must be a number, got \"long ago\"",
        "u.data:6: timestamp: must not lie more than 300 seconds in the future, got 5138-11-16T09:46:39Z",
        "u.data:7: item_id: must be digits, got \"+2\"",
    ];
    assert_eq!(bad_rows(&import_anyway(MovieLens100k, files.path())), expected);
}

#[test]
fn bad_films_and_genres_of_100k_are_named() {
    let film = |id: &str, date: &str, flags: &str| format!("{id}|t|{date}||http://x{flags}\n");
    let films = [
        film("1", "soon", &flags(&[])),
        film("x", "", &flags(&[])),
        film("2", "", &"|2".repeat(19)),
        film("3", "", &flags(&[0])[2..]),
        film("4", "", &flags(&[3])),
    ];
    let genres = genres().replace("D|3\n", "D|19\n");
    let files = folder(&[
        ("u.genre", genres.as_bytes()),
        ("u.item", films.concat().as_bytes()),
        ("u.user", b""),
        ("u.data", b""),
    ]);
    let expected = [
        "u.genre:4: genre: must have a number of 0 to 18, got 19",
        "u.item:1: release date: must be like 01-Jan-1995, got \"soon\"",
        "u.item:2: item_id: must be digits, got \"x\"",
        "u.item:3: genre: flags must be 0 or 1, got \"2\"",
        "u.item:4: row: must have 24 fields separated by \"|\", got 23",
        "u.item:5: genre: has a flag at 3, which u.genre does not name",
    ];
    assert_eq!(bad_rows(&import_anyway(MovieLens100k, files.path())), expected);
}

const MOVIES: &[u8] = b"1::Caf\xe9 (1999)::Drama|War\n2::No year::\n";
const USERS: &[u8] = b"7::M::1::20::00000\n8::F::56::0::00000\n";
const LAST: &str = "user_id\tmovie_id\trating\ttimestamp\n7\t1\t5\t1000\n8\t1\t4\t2000\n";
const STEPS: &str = "user_id\tmovie_id\tstep\n7\t2\t0\n7\t1\t1\n8\t1\t0\n";

fn catalog_1m(time: &str) -> [String; 4] {
    [
        r#"{"kind":"item_put","timestamp":"T","item":{"item_id":"1","attributes":{"genre":["Drama","War"],"release_year":1999.0,"title":"Café (1999)"},"available":true}}"#,
        r#"{"kind":"item_put","timestamp":"T","item":{"item_id":"2","attributes":{"title":"No year"},"available":true}}"#,
        r#"{"kind":"user_put","timestamp":"T","user":{"user_id":"7","attributes":{"age_group":"under 18","gender":"M","occupation":"writer"}}}"#,
        r#"{"kind":"user_put","timestamp":"T","user":{"user_id":"8","attributes":{"age_group":"56 or more","gender":"F","occupation":"other"}}}"#,
    ]
    .map(|text| text.replace("\"T\"", &format!("\"{time}\"")))
}

#[test]
fn ratings_of_1m_are_read() {
    let ratings = b"8::2::3::2000\n7::1::5::1000\n";
    let files = folder(&[("ratings.dat", ratings), ("movies.dat", MOVIES), ("users.dat", USERS)]);
    let imported = import(MovieLens1m, files.path()).unwrap();
    let found = json(&imported);
    assert_eq!(found[..4], catalog_1m("1970-01-01T00:16:40Z"));
    let expected = [
        r#"{"kind":"event","event_id":"ml1m-7-1","user_id":"7","item_id":"1","event_type":"rating","value":5.0,"timestamp":"1970-01-01T00:16:40Z"}"#,
        r#"{"kind":"event","event_id":"ml1m-8-2","user_id":"8","item_id":"2","event_type":"rating","value":3.0,"timestamp":"1970-01-01T00:33:20Z"}"#,
    ];
    assert_eq!(found[4..], expected);
}

#[test]
fn interactions_of_1m_lead_up_to_the_last_event() {
    let files = folder(&[
        ("interactions.tsv", STEPS.as_bytes()),
        ("last_event.tsv", LAST.as_bytes()),
        ("movies.dat", MOVIES),
        ("users.dat", USERS),
    ]);
    let imported = import(MovieLens1m, files.path()).unwrap();
    let found = json(&imported);
    assert_eq!(found[..4], catalog_1m("1970-01-01T00:16:39Z"));
    let expected = [
        r#"{"kind":"event","event_id":"ml1m-7-2","user_id":"7","item_id":"2","event_type":"rating","timestamp":"1970-01-01T00:16:39Z"}"#,
        r#"{"kind":"event","event_id":"ml1m-7-1","user_id":"7","item_id":"1","event_type":"rating","timestamp":"1970-01-01T00:16:40Z"}"#,
        r#"{"kind":"event","event_id":"ml1m-8-1","user_id":"8","item_id":"1","event_type":"rating","timestamp":"1970-01-01T00:33:20Z"}"#,
    ];
    assert_eq!(found[4..], expected);
}

#[test]
fn every_bad_row_of_1m_is_named_with_its_line() {
    let steps = format!("{STEPS}9\t1\t0\n7\t3\n7\tx\t2\n7\t3\t-1\n8\t2\t4294967295\n");
    let last = format!("{LAST}9\t1\t1\tnever\n");
    let files = folder(&[
        ("interactions.tsv", steps.as_bytes()),
        ("last_event.tsv", last.as_bytes()),
        ("movies.dat", b"one::t::Drama\n1::t\n"),
        ("users.dat", b"7::M::2::20::0\n7::M::1::21::0\n\xff::M::1::1::0"),
    ]);
    let expected = [
        "movies.dat:1: movie_id: must be digits, got \"one\"",
        "movies.dat:2: row: must have 3 fields separated by \"::\", got 2",
        "users.dat:1: age: must be one of 1, 18, 25, 35, 45, 50, 56, got 2",
        "users.dat:2: occupation: must be 0 to 20, got 21",
        "users.dat:3: user_id: must be digits, got \"ÿ\"",
        "last_event.tsv:4: timestamp: must be a number, got \"never\"",
        "interactions.tsv:6: row: must have 3 fields separated by \"\\t\", got 2",
        "interactions.tsv:7: movie_id: must be digits, got \"x\"",
        "interactions.tsv:8: step: must be a number, got \"-1\"",
        "interactions.tsv:5: user_id: must have a row in last_event.tsv, 9 has none",
        "interactions.tsv:9: timestamp: must not lie more than 300 seconds in the future, got 2106-02-07T07:01:34Z",
    ];
    assert_eq!(bad_rows(&import_anyway(MovieLens1m, files.path())), expected);
}

#[test]
fn what_is_missing_is_named() {
    let files = folder(&[("u.genre", b""), ("u.item", b""), ("movies.dat", b""), ("users.dat", b"")]);
    let shown = files.path().display();
    let error = |format| import(format, files.path()).unwrap_err().to_string();
    assert_eq!(error(MovieLens100k), format!("expected u.user in folder {shown}, where there is none"));
    let expected = format!("expected ratings.dat or interactions.tsv in folder {shown}, where there is none");
    assert_eq!(error(MovieLens1m), expected);
    fs_err::write(files.path().join("interactions.tsv"), "").unwrap();
    assert_eq!(error(MovieLens1m), format!("expected last_event.tsv in folder {shown}, where there is none"));
    fs_err::write(files.path().join("last_event.tsv"), "user movie\n").unwrap();
    let expected = "last_event.tsv:1: header: must be user_id movie_id rating timestamp, separated by tabs";
    assert_eq!(error(MovieLens1m), expected);
    let file = files.path().join("u.item");
    let expected =
        format!("movielens-100k expects the folder that holds its files, got {}, which is no folder", file.display());
    assert_eq!(import(MovieLens100k, &file).unwrap_err().to_string(), expected);
}

proptest! {
    #[test]
    fn no_bytes_of_100k_panic(film: Vec<u8>, person: Vec<u8>, star: Vec<u8>) {
        let (film, star) = ([films(), film].concat(), [STARS.as_bytes(), &star].concat());
        let files = small_100k(&film, &[PEOPLE.as_bytes(), &person].concat(), &star);
        assert_ordered(&import_anyway(MovieLens100k, files.path()));
    }

    #[test]
    fn no_bytes_of_1m_panic(movie: Vec<u8>, user: Vec<u8>, last: Vec<u8>, step: Vec<u8>, step_number: i128) {
        let steps = [STEPS.as_bytes(), &step, format!("\n7\t1\t{step_number}").as_bytes()].concat();
        let lasts = format!("{LAST}8\t1\t1\t{step_number}\n");
        let files = folder(&[
            ("interactions.tsv", &steps),
            ("last_event.tsv", &[lasts.as_bytes(), &last].concat()),
            ("movies.dat", &[MOVIES, &movie].concat()),
            ("users.dat", &[USERS, &user].concat()),
        ]);
        assert_ordered(&import_anyway(MovieLens1m, files.path()));
        fs_err::write(files.path().join("ratings.dat"), &step).unwrap();
        assert_ordered(&import_anyway(MovieLens1m, files.path()));
    }
}
