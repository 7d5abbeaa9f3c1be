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
            let reply = server.send(&method.to_uppercase(), &path, &[("content-type", "application/json")], b"{");
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
