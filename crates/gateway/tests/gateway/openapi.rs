use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::test_server::TestServer;

#[test]
fn the_description_in_the_repository_is_the_one_that_is_served() {
    let served = TestServer::start().get("/openapi.json");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &served.text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == served.text,
        "docs/openapi.json differs; run this test with UPDATE_OPENAPI=1 and look at the change"
    );
}

#[test]
fn every_described_operation_exists_and_every_reference_leads_somewhere() {
    let server = TestServer::start();
    let description = server.get("/openapi.json").expect(200);
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut operations = 0;
    for (path, methods) in description["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let path = path.replace("{item_id}", "x").replace("{user_id}", "x");
            let body: &[u8] = if ["get", "delete"].contains(&method.as_str()) { b"" } else { b"{" };
            let reply = server.send(&method.to_uppercase(), &path, &[("content-type", "application/json")], body);
            let exists = reply.status != 405 && !(reply.status == 404 && reply.text.contains("no_such_endpoint"));
            assert!(exists, "{method} {path}: {}", reply.text);
            operations += 1;
        }
    }
    assert_eq!(operations, 21);
    let mut references = Vec::new();
    collect_references(&description, &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let pointer = reference.trim_start_matches('#');
        assert!(description.pointer(pointer).is_some(), "{reference}");
    }
}

/// In an order in which the examples work one after the other.
const CALLS: [(&str, &str); 16] = [
    ("put", "/v1/items/{item_id}"),
    ("post", "/v1/items"),
    ("patch", "/v1/items/{item_id}"),
    ("put", "/v1/users/{user_id}"),
    ("post", "/v1/users"),
    ("post", "/v1/events"),
    ("get", "/v1/items/{item_id}"),
    ("get", "/v1/items"),
    ("get", "/v1/users/{user_id}"),
    ("get", "/v1/users"),
    ("post", "/v1/recommend"),
    ("get", "/v1/users/{user_id}/recommendations"),
    ("post", "/v1/similar"),
    ("post", "/v1/search"),
    ("post", "/v1/rank"),
    ("delete", "/v1/users/{user_id}"),
];

#[test]
fn every_example_is_what_the_server_takes_and_gives() {
    let server = TestServer::start();
    let description = server.get("/openapi.json").expect(200);
    for (method, path) in CALLS {
        let operation = &description["paths"][path][method];
        let mut called = path.to_owned();
        for parameter in operation["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == "path") {
            let name = parameter["name"].as_str().unwrap();
            called = called.replace(&format!("{{{name}}}"), parameter["example"].as_str().unwrap());
        }
        let request = &operation["requestBody"]["content"]["application/json"]["example"];
        assert_eq!(request.is_null(), operation["requestBody"].is_null(), "{method} {path} has no example");
        let body = if request.is_null() { String::new() } else { request.to_string() };
        let headers = [("content-type", "application/json")];
        let answer = server.send(&method.to_uppercase(), &called, &headers, body.as_bytes()).expect(200);
        let example = &operation["responses"]["200"]["content"]["application/json"]["example"];
        same_fields(&answer, example, &format!("{method} {path}"));
    }
}

/// Whatever a server says stands in the example; what it says by circumstances may be missing.
fn same_fields(answer: &Value, example: &Value, what: &str) {
    const BY_CIRCUMSTANCES: [&str; 2] = ["bundle", "next"];
    match (answer, example) {
        (Value::Object(answer), Value::Object(example)) => {
            // Named by attributes and stages.
            if what.ends_with("attributes") || what.ends_with("timings") {
                return;
            }
            for (name, value) in answer.iter().filter(|(name, _)| !BY_CIRCUMSTANCES.contains(&name.as_str())) {
                let shown = example.get(name).unwrap_or_else(|| panic!("{what}: the example has no {name}"));
                same_fields(value, shown, &format!("{what} {name}"));
            }
            for name in example.keys().filter(|name| !BY_CIRCUMSTANCES.contains(&name.as_str())) {
                assert!(answer.contains_key(name), "{what}: only the example has {name}");
            }
        }
        (Value::Array(answer), Value::Array(example)) => {
            let pairs = answer.iter().zip(example.iter().cycle());
            pairs.for_each(|(answer, example)| same_fields(answer, example, what));
        }
        (answer, example) => {
            assert_eq!(
                std::mem::discriminant(answer),
                std::mem::discriminant(example),
                "{what}: {answer} and {example}"
            );
        }
    }
}

#[test]
fn every_problem_of_every_operation_has_an_example_of_its_status() {
    let description = TestServer::start().get("/openapi.json").expect(200);
    let mut codes = BTreeSet::new();
    for (path, methods) in description["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/v1"))
    {
        for (method, operation) in methods.as_object().unwrap() {
            for (status, response) in
                operation["responses"].as_object().unwrap().iter().filter(|(status, _)| *status != "200")
            {
                let what = format!("{method} {path} {status}");
                let examples = response["content"]["application/problem+json"]["examples"].as_object();
                for (code, example) in examples.unwrap_or_else(|| panic!("{what} has no example")) {
                    assert_eq!(example["value"]["status"].to_string(), *status, "{what}");
                    assert_eq!(example["value"]["code"], **code, "{what}");
                    codes.insert(code.clone());
                }
                assert_eq!(
                    response["headers"]["retry-after"].is_object(),
                    ["429", "503", "507"].contains(&status.as_str()),
                    "{what}"
                );
            }
            assert!(operation["responses"]["401"].is_object() && operation["responses"]["429"].is_object());
        }
    }
    insta::assert_snapshot!(codes.into_iter().collect::<Vec<_>>().join("\n"), @r"
    body_timeout
    body_too_large
    deadline_exceeded
    disk_full
    erase_unfinished
    ingest_busy
    ingest_off
    internal
    invalid_input
    invalid_json
    item_not_found
    overloaded
    page_not_found
    permission_denied
    rate_limited
    unauthenticated
    unsupported_media_type
    user_not_found
    ");
}

fn collect_references(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            references.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| collect_references(value, references));
        }
        Value::Array(values) => values.iter().for_each(|value| collect_references(value, references)),
        _ => {}
    }
}
