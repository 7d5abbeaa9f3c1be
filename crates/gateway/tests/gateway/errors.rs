use serde_json::json;

use crate::test_server::TestServer;

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

#[test]
fn bad_questions_are_refused_with_the_field_and_its_range() {
    let server = TestServer::start();
    let cases = [
        (r#"{"k":0}"#, "k", "k: must be a whole number from 1 to 500, got 0"),
        (r#"{"k":-5}"#, "k", "k: must be a whole number from 1 to 500, got -5"),
        (r#"{"k":99999999999999999999999}"#, "k", "k: must be a whole number from 1 to 500, got 1e+23"),
        (r#"{"k":"ten"}"#, "k", r#"k: invalid type: string "ten", expected a JSON number at line 1 column 10"#),
        (r#"{"surface":"cart"}"#, "surface", r#"surface: unknown surface "cart"; known are home, rank, similar-items"#),
        (r#"{"surface":"similar-items"}"#, "item_id", "item_id: is needed: the surface is about an item"),
        (r#"{"item_id":"i1"}"#, "item_id", "item_id: says nothing to a surface that is about its user"),
        (r#"{"filter":"price <"}"#, "filter", "filter: expected a number at character 8, got the end"),
        (
            r#"{"candidates":["a","\u0000"]}"#,
            "candidates[1]",
            "candidates[1]: must not contain control or format characters, got U+0000",
        ),
        (r#"{"offset":10}"#, "request_id", "request_id: must come with offset: of which answer?"),
        (r#"{"request_id":"x"}"#, "offset", "offset: must come with request_id"),
        (r#"{"request_id":"x","offset":5001}"#, "offset", "offset: must be a whole number from 0 to 5000, got 5001"),
        (r#"{"deadline_ms":10001}"#, "deadline_ms", "deadline_ms: must be a whole number from 1 to 10000, got 10001"),
        (r#"{"user_id":""}"#, "user_id", "user_id: must not be empty"),
        (r#"{"exclude":["a",""]}"#, "exclude[1]", "exclude[1]: must not be empty"),
        (
            r#"{"recent":[{"item_id":"a","event_type":"sneeze"}]}"#,
            "recent[0].event_type",
            "recent[0].event_type: unknown type \"sneeze\"; known are click, hide, impression, like, purchase, rating, view",
        ),
        (
            r#"{"recent":[{"item_id":"a","event_type":"click","value":1e300}]}"#,
            "recent[0].value",
            "recent[0].value: must lie within the range of a float, got 1e+300",
        ),
    ];
    for (body, field, detail) in cases {
        let problem = server.send("POST", "/v1/recommend", &JSON, body.as_bytes()).problem(400);
        assert_eq!(problem, ("invalid_input".to_owned(), Some(field.to_owned()), detail.to_owned()));
    }
    let ids = |n: usize| (0..n).map(|i| format!("i{i}")).collect::<Vec<_>>();
    let (_, field, _) = server.post("/v1/recommend", &json!({"exclude": ids(10_001)})).problem(400);
    assert_eq!(field.as_deref(), Some("exclude"));
    let (_, field, _) = server.post("/v1/recommend", &json!({"candidates": ids(1_001)})).problem(400);
    assert_eq!(field.as_deref(), Some("candidates"));
    let unknown = json!({"surface": "similar-items", "item_id": "nothing"});
    assert_eq!(server.post("/v1/recommend", &unknown).problem(404).0, "item_not_found");
    let page = json!({"request_id": "never", "offset": 10});
    assert_eq!(server.post("/v1/recommend", &page).problem(404).0, "page_not_found");
    let (_, field, _) = server.post("/v1/similar", &json!({"item_id": "a", "k": 501})).problem(400);
    assert_eq!(field.as_deref(), Some("k"));
    for (query, field) in [("k=0", "k"), ("k=ten", "k"), ("kk=1", "query"), ("k=1&k=2", "query")] {
        let (_, named, _) = server.get(&format!("/v1/users/u/recommendations?{query}")).problem(400);
        assert_eq!(named.as_deref(), Some(field), "{query}");
    }
}

#[test]
fn what_is_not_json_is_told_apart_from_wrong_fields() {
    let server = TestServer::start();
    for body in ["", "{", "nonsense", r#"{"k":1} x"#] {
        let (code, field, _) = server.send("POST", "/v1/recommend", &JSON, body.as_bytes()).problem(400);
        assert_eq!((code.as_str(), field), ("invalid_json", None), "{body:?}");
    }
    for (body, field) in [("[]", "body"), ("7", "body"), (r#"{"q":1}"#, "q"), (r#"{"k":1,"k":2}"#, "k")] {
        let (code, named, _) = server.send("POST", "/v1/recommend", &JSON, body.as_bytes()).problem(400);
        assert_eq!((code.as_str(), named.as_deref()), ("invalid_input", Some(field)), "{body:?}");
    }
    let deep = format!(r#"{{"exclude":{}"#, "[".repeat(100_000));
    assert_eq!(server.send("POST", "/v1/recommend", &JSON, deep.as_bytes()).status, 400);
}

#[test]
fn routes_methods_and_bodies_that_do_not_fit_are_problems_too() {
    let server = TestServer::start();
    let too_large = vec![b' '; 2 * 1024 * 1024 + 1];
    let replies = [
        (server.get("/v1/nothing"), 404, "no_such_endpoint"),
        (server.get("/v1/items/"), 404, "no_such_endpoint"),
        (server.get("/"), 404, "no_such_endpoint"),
        (server.get("/v1/recommend"), 405, "method_not_allowed"),
        (server.delete("/v1/events"), 405, "method_not_allowed"),
        (server.send("POST", "/v1/recommend", &JSON, &too_large), 413, "body_too_large"),
        (server.send("POST", "/v1/recommend", &[], b"{}"), 415, "unsupported_media_type"),
        (server.send("POST", "/v1/recommend", &[("content-type", "text/plain")], b"{}"), 415, "unsupported_media_type"),
        (
            server.send(
                "POST",
                "/v1/recommend",
                &[("content-type", "application/json"), ("content-encoding", "gzip")],
                b"{}",
            ),
            415,
            "unsupported_media_type",
        ),
        (
            server.send(
                "POST",
                "/v1/recommend",
                &[("content-type", "application/json"), ("x-request-timeout", "0")],
                b"{}",
            ),
            400,
            "invalid_input",
        ),
    ];
    for (reply, status, code) in replies {
        assert_eq!(reply.problem(status).0, code);
        assert!(reply.header("x-request-id").is_some(), "{code}");
    }
    assert_eq!(server.get("/v1/recommend").header("allow"), Some("POST"));
    let json_with_charset = [("content-type", "application/json; charset=utf-8")];
    assert_eq!(server.send("POST", "/v1/recommend", &json_with_charset, b"{}").status, 200);
}

#[test]
fn errors_say_nothing_of_the_inside() {
    let server = TestServer::start();
    let bodies =
        ["[1]", "{", r#"{"k":{}}"#, r#"{"recent":[[]]}"#, r#"{"exclude":7}"#, r#"{"explain":7}"#, r#"{"user_id":7}"#];
    for body in bodies {
        let text = server.send("POST", "/v1/recommend", &JSON, body.as_bytes()).text;
        for inside in ["struct", "enum", "src/", "shortlist_", "::", "RecentBody", "f32", "usize", "variant"] {
            assert!(!text.contains(inside), "{body}: {text}");
        }
    }
}
