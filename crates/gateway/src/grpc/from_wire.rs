//! Messages as the words of [`crate::api`]. Nothing is checked here but what those cannot hold.

use std::collections::BTreeMap;

use serde_json::Number;
use shortlist_proto::v1::{self, attribute_value::Value};
use shortlist_types::InvalidInput;

use crate::api::{AttributeInput, EventBody, ItemBody, Moment, RecentBody, RecommendRequest, SimilarRequest, UserBody};

pub(super) fn recommend(message: v1::RecommendRequest) -> Result<RecommendRequest, InvalidInput> {
    let v1::RecommendRequest {
        user_id,
        surface,
        k,
        exclude,
        recent,
        deadline_ms,
        explain,
        context,
        item_id,
        filter,
        candidates,
        request_id,
        offset,
        why_not,
    } = message;
    let recent = recent.into_iter().enumerate().map(|(i, event)| {
        let value = event.value.map(|value| number("value", value)).transpose();
        Ok(RecentBody {
            item_id: event.item_id,
            event_type: event.event_type,
            value: value.map_err(|error| error.within(format!("recent[{i}]")))?,
            timestamp: event.timestamp.map(moment),
        })
    });
    Ok(RecommendRequest {
        user_id,
        surface,
        item_id,
        filter,
        candidates,
        why_not,
        request_id,
        offset: offset.map(Number::from),
        k: k.map(Number::from),
        exclude,
        recent: recent.collect::<Result<_, InvalidInput>>()?,
        context: attributes("context", context)?,
        deadline_ms: deadline_ms.map(Number::from),
        explain,
    })
}

pub(super) fn similar(message: v1::SimilarRequest) -> SimilarRequest {
    SimilarRequest { item_id: message.item_id, k: message.k.map(Number::from) }
}

/// `i` is the place of the event in what the caller sent.
pub(super) fn event(i: u64, message: v1::Event) -> Result<EventBody, InvalidInput> {
    let within = |error: InvalidInput| error.within(format!("events[{i}]"));
    Ok(EventBody {
        event_id: message.event_id,
        user_id: message.user_id,
        item_id: message.item_id,
        event_type: message.event_type,
        value: message.value.map(|value| number("value", value)).transpose().map_err(within)?,
        timestamp: message.timestamp.map(moment),
        request_id: message.request_id,
        position: message.position.map(Number::from),
        context: attributes("context", message.context).map_err(within)?,
    })
}

pub(super) fn item(message: v1::Item) -> Result<ItemBody, InvalidInput> {
    Ok(ItemBody {
        item_id: Some(message.item_id),
        attributes: attributes("attributes", message.attributes)?,
        available: message.available,
    })
}

pub(super) fn user(message: v1::User) -> Result<UserBody, InvalidInput> {
    Ok(UserBody { user_id: Some(message.user_id), attributes: attributes("attributes", message.attributes)? })
}

fn moment(time: prost_types::Timestamp) -> Moment {
    Moment::Protobuf { seconds: time.seconds, nanos: time.nanos }
}

fn number(field: &'static str, value: f64) -> Result<Number, InvalidInput> {
    Number::from_f64(value).ok_or_else(|| InvalidInput::new(field, "must be finite"))
}

fn attributes(
    field: &'static str,
    map: BTreeMap<String, v1::AttributeValue>,
) -> Result<BTreeMap<String, AttributeInput>, InvalidInput> {
    let pairs = map.into_iter().map(|(name, value)| {
        let input = match value.value {
            Some(Value::StringValue(text)) => AttributeInput::Text(text),
            Some(Value::NumberValue(value)) => AttributeInput::Number(value),
            Some(Value::BoolValue(value)) => AttributeInput::Bool(value),
            Some(Value::ListValue(list)) => AttributeInput::List(list.values),
            None => return Err(InvalidInput::new(name, "must have a value").within(field)),
        };
        Ok((name, input))
    });
    pairs.collect()
}
