//! What the derived description does not say by itself: which texts ids are, that a header is absent rather than null,
//! that a key may be needed, and what requests and answers look like.

use serde_json::{Map, Value, json};

use super::examples::EXAMPLES;
use crate::priority::{PRIORITY_HEADER, Priority};

/// Texts without control, format or bidirectional characters, as far as they have four digits: many a tool knows no classes
/// such as `\p{Cf}`. JSON Schema counts characters, the service bytes.
const ID_PATTERN: &str = concat!(
    r"^[^\u0000-\u001f\u007f-\u009f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e",
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]+$"
);
const ID_MAX: u64 = 128;
/// `next` of a page.
const CURSOR_PATTERN: &str = "^(0|[1-9][0-9]{0,8})$";
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The description, completed.
pub(super) fn refine(description: &mut Value) {
    name_ids(description);
    widen_counts(description);
    description["components"]["securitySchemes"] = json!({ "key": {
        "type": "http", "scheme": "bearer", "description": "A key of the server; needed where the server has keys",
    }});
    description["security"] = json!([{}, { "key": [] }]);
    let Some(paths) = description["paths"].as_object_mut() else { return };
    for (path, operations) in paths {
        for method in METHODS {
            if let Some(operation) = operations.get_mut(method) {
                take_a_priority(operation);
                refine_parameters(operation);
                give_examples(path, method, operation);
            }
        }
    }
}

/// Whatever is admitted at the gate has a priority.
fn take_a_priority(operation: &mut Value) {
    if operation["tags"] == json!(["operations"]) {
        return;
    }
    let parameter = json!({
        "name": PRIORITY_HEADER, "in": "header", "required": false,
        "description": "`low` for what nobody waits for: it takes what is left over, and is refused first; `high` if absent",
        "schema": { "type": "string", "enum": Priority::ALL },
    });
    match operation.get_mut("parameters").and_then(Value::as_array_mut) {
        Some(parameters) => parameters.push(parameter),
        None => operation["parameters"] = json!([parameter]),
    }
}

/// What is not sent has no value, and none is `null`.
fn refine_parameters(operation: &mut Value) {
    let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) else { return };
    for parameter in parameters {
        let is_cursor = parameter["name"] == "after";
        let is_id = parameter["name"].as_str().is_some_and(|name| name.ends_with("_id"));
        let Some(schema) = parameter["schema"].as_object_mut() else { continue };
        if let Some(Value::Array(types)) = schema.get("type") {
            let kept = types.iter().find(|one| **one != "null").cloned();
            schema.insert("type".to_owned(), kept.unwrap_or_default());
        }
        if is_cursor {
            schema.insert("pattern".to_owned(), CURSOR_PATTERN.into());
        }
        if is_id {
            be_an_id(schema);
        }
    }
}

/// Every property that is called like an id, wherever it stands.
fn name_ids(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get_mut("properties") {
                let ids = properties.iter_mut().filter(|(name, _)| name.ends_with("_id"));
                ids.filter_map(|(_, schema)| schema.as_object_mut()).for_each(be_an_id);
            }
            map.values_mut().for_each(name_ids);
        }
        Value::Array(values) => values.iter_mut().for_each(name_ids),
        _ => {}
    }
}

/// Numbers of 32 bits here have no sign; the format that says so would halve them.
fn widen_counts(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.get("format").is_some_and(|format| format == "int32") {
                map.remove("format");
                map.entry("maximum").or_insert_with(|| u32::MAX.into());
            }
            map.values_mut().for_each(widen_counts);
        }
        Value::Array(values) => values.iter_mut().for_each(widen_counts),
        _ => {}
    }
}

fn be_an_id(schema: &mut Map<String, Value>) {
    schema.insert("minLength".to_owned(), 1.into());
    schema.insert("maxLength".to_owned(), ID_MAX.into());
    schema.insert("pattern".to_owned(), ID_PATTERN.into());
}

fn give_examples(path: &str, method: &str, operation: &mut Value) {
    let Some(example) = EXAMPLES.iter().find(|example| example.path == path && example.method == method) else {
        return;
    };
    if let Some(request) = example.request {
        operation["requestBody"]["content"]["application/json"]["example"] = request();
    }
    if let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) {
        for parameter in parameters.iter_mut().filter(|parameter| parameter["in"] == "path") {
            parameter["example"] = example.id.into();
        }
    }
    operation["responses"]["200"]["content"]["application/json"]["example"] = (example.response)();
}
