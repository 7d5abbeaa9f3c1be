//! Messages as the words of [`crate::api`]. Nothing is checked here but what those cannot hold.

use std::collections::BTreeMap;

use serde_json::Number;
use shortlist_proto::v1::{self, attribute_value::Value};
use shortlist_types::InvalidInput;

use crate::api::{
    AttributeInput, EventBody, ItemBody, ItemPatchBody, ListRequest, Moment, RankRequest, RecentBody, RecommendRequest,
    SearchRequest, SimilarRequest, UserBody,
};

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
        recent: recent_events(recent)?,
        context: attributes("context", context)?,
        deadline_ms: deadline_ms.map(Number::from),
        explain,
    })
}

pub(super) fn similar(message: v1::SimilarRequest) -> SimilarRequest {
    SimilarRequest { item_id: message.item_id, k: message.k.map(Number::from) }
}

pub(super) fn search(message: v1::SearchRequest) -> Result<SearchRequest, InvalidInput> {
    let v1::SearchRequest { vector, k, filter, exclude } = message;
    Ok(SearchRequest { vector: numbers("vector", &vector)?, k: k.map(Number::from), filter, exclude })
}

pub(super) fn rank(message: v1::RankRequest) -> Result<RankRequest, InvalidInput> {
    let v1::RankRequest { candidates, user_id, k, recent, context, filter, deadline_ms, explain, why_not, surface } =
        message;
    Ok(RankRequest {
        candidates,
        user_id,
        k: k.map(Number::from),
        recent: recent_events(recent)?,
        context: attributes("context", context)?,
        filter,
        deadline_ms: deadline_ms.map(Number::from),
        explain,
        why_not,
        surface,
    })
}

fn recent_events(events: Vec<v1::RecentEvent>) -> Result<Vec<RecentBody>, InvalidInput> {
    let recent = events.into_iter().enumerate().map(|(i, event)| {
        let value = event.value.map(|value| number("value", value)).transpose();
        Ok(RecentBody {
            item_id: event.item_id,
            event_type: event.event_type,
            value: value.map_err(|error| error.within(format!("recent[{i}]")))?,
            timestamp: event.timestamp.map(moment),
        })
    });
    recent.collect()
}

pub(super) fn event(message: v1::Event) -> Result<EventBody, InvalidInput> {
    Ok(EventBody {
        event_id: message.event_id,
        user_id: message.user_id,
        item_id: message.item_id,
        event_type: message.event_type,
        value: message.value.map(|value| number("value", value)).transpose()?,
        timestamp: message.timestamp.map(moment),
        request_id: message.request_id,
        position: message.position.map(Number::from),
        context: attributes("context", message.context)?,
    })
}

pub(super) fn item(message: v1::Item) -> Result<ItemBody, InvalidInput> {
    Ok(ItemBody {
        item_id: Some(message.item_id),
        attributes: attributes("attributes", message.attributes)?,
        available: message.available,
        embedding: (!message.embedding.is_empty()).then(|| numbers("embedding", &message.embedding)).transpose()?,
    })
}

/// The item and its change.
pub(super) fn patch(message: v1::PatchItemRequest) -> Result<(String, ItemPatchBody), InvalidInput> {
    let v1::PatchItemRequest { item_id, attributes: changed, remove, available } = message;
    Ok((item_id, ItemPatchBody { attributes: attributes("attributes", changed)?, remove, available }))
}

pub(super) fn list(after: Option<String>, limit: Option<u32>) -> ListRequest {
    ListRequest { after, limit: limit.map(Number::from) }
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

fn numbers(field: &'static str, values: &[f32]) -> Result<Vec<Number>, InvalidInput> {
    let number = |(i, value): (usize, &f32)| {
        Number::from_f64((*value).into()).ok_or_else(|| InvalidInput::new(format!("{field}[{i}]"), "must be finite"))
    };
    values.iter().enumerate().map(number).collect()
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
