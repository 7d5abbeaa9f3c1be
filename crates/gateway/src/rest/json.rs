use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use shortlist_types::InvalidInput;

use crate::api::{EventBatch, EventBody};
use crate::api_error::ApiError;
use crate::service::Rows;

/// Reads a JSON object. An error names the field by its path: `events[3].item_id`.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // Derived code would also take a list of the fields' values in order.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte != b'{') {
        serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| not_json(&error))?;
        return Err(InvalidInput::new("body", "must be a JSON object").into());
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| located(&error))?;
    deserializer.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

/// Events as they came: one, or a list.
pub(super) struct Events {
    pub(super) events: Vec<EventBody>,
    pub(super) rows: Rows,
}

/// Reads one event, or `{"events": [...]}`.
pub(super) fn parse_events(bytes: &[u8]) -> Result<Events, ApiError> {
    /// Reads no more than whether it is a list, so that errors are those of the one form or the other.
    #[derive(Deserialize)]
    #[serde(expecting = "an object")]
    struct Form {
        events: Option<IgnoredAny>,
    }
    if parse::<Form>(bytes)?.events.is_some() {
        let EventBatch { events, partial } = parse(bytes)?;
        Ok(Events { events, rows: Rows::of("events", partial) })
    } else {
        let rows = Rows { field: None, partial: false, before: 0 };
        Ok(Events { events: vec![parse(bytes)?], rows })
    }
}

fn not_json(error: &serde_json::Error) -> ApiError {
    ApiError::InvalidJson { reason: error.to_string() }
}

/// The error with the field it is about.
fn located(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let inner = error.inner();
    if inner.classify() != Category::Data {
        return not_json(inner);
    }
    let reason = inner.to_string();
    let parent = match error.path().to_string() {
        root if root == "." => String::new(),
        path => path,
    };
    let field = match field_in(&reason).filter(|field| parent != *field && !parent.ends_with(&format!(".{field}"))) {
        Some(field) if parent.is_empty() => field.to_owned(),
        Some(field) => format!("{parent}.{field}"),
        None if parent.is_empty() => "body".to_owned(),
        None => parent,
    };
    InvalidInput::new(field, reason).into()
}

/// The field that serde names only in its text.
fn field_in(reason: &str) -> Option<&str> {
    let starts = ["missing field `", "unknown field `", "duplicate field `"];
    let rest = starts.iter().find_map(|start| reason.strip_prefix(start))?;
    rest.split_once('`').map(|(field, _)| field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::RecommendRequest;

    fn error(json: &str) -> String {
        parse::<RecommendRequest>(json.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn errors_name_the_field_and_no_type_of_ours() {
        let errors: Vec<_> = [
            "",
            "{",
            "[]",
            "nonsense",
            r#"{"k":1} x"#,
            r#"{"k":"ten"}"#,
            r#"{"k":1e999}"#,
            r#"{"k":1,"k":2}"#,
            r#"{"user":"u"}"#,
            r#"{"recent":[{"item_id":"a"}]}"#,
            r#"{"recent":[{"item_id":"a","event_type":"click","valu":1}]}"#,
            r#"{"recent":{}}"#,
            r#"{"recent":[7]}"#,
            r#"{"exclude":["a",7]}"#,
            r#"{"explain":"yes"}"#,
        ]
        .map(error)
        .into();
        insta::assert_snapshot!(errors.join("\n"), @r#"
        the body is not JSON: EOF while parsing a value at line 1 column 0
        the body is not JSON: EOF while parsing an object at line 1 column 1
        body: must be a JSON object
        the body is not JSON: expected ident at line 1 column 2
        the body is not JSON: trailing characters at line 1 column 9
        k: invalid type: string "ten", expected a JSON number at line 1 column 10
        the body is not JSON: number out of range at line 1 column 10
        k: duplicate field `k` at line 1 column 10
        user: unknown field `user`, expected one of `user_id`, `surface`, `item_id`, `filter`, `candidates`, `request_id`, `offset`, `k`, `exclude`, `recent`, `context`, `deadline_ms`, `explain`, `why_not` at line 1 column 7
        recent[0].event_type: missing field `event_type` at line 1 column 26
        recent[0].valu: unknown field `valu`, expected one of `item_id`, `event_type`, `value`, `timestamp` at line 1 column 53
        recent: invalid type: map, expected a sequence at line 1 column 10
        recent[0]: invalid type: integer `7`, expected an object at line 1 column 12
        exclude[1]: invalid type: integer `7`, expected a string at line 1 column 17
        explain: invalid type: string "yes", expected a boolean at line 1 column 16
        "#);
    }

    #[test]
    fn events_come_alone_or_in_a_list() {
        let one = r#"{"user_id":"u","item_id":"a","event_type":"click"}"#;
        assert!(parse_events(one.as_bytes()).unwrap().rows.field.is_none());
        let list = parse_events(format!(r#"{{"events":[{one},{one}]}}"#).as_bytes()).unwrap();
        assert!(list.rows.field.is_some() && list.events.len() == 2);
        let errors: Vec<_> = [
            format!(r#"{{"events":[{one},{{"user_id":"u"}}]}}"#),
            format!(r#"{{"events":[{one}],"user_id":"u"}}"#),
            r#"{"user_id":"u","item_id":"a"}"#.to_owned(),
            r#"{"events":7}"#.to_owned(),
        ]
        .iter()
        .map(|json| parse_events(json.as_bytes()).err().unwrap().to_string())
        .collect();
        insta::assert_snapshot!(errors.join("\n"), @r#"
        events[1].item_id: missing field `item_id` at line 1 column 77
        user_id: unknown field `user_id`, expected `events` or `partial` at line 1 column 72
        event_type: missing field `event_type` at line 1 column 29
        events: invalid type: integer `7`, expected a sequence at line 1 column 11
        "#);
    }
}
