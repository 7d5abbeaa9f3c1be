//! The same request over both protocols, made from one JSON value, and both answers in one form.

use bytes::{Buf, BufMut};
use prost_reflect::prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, ServiceDescriptor};
use serde_json::{Map, Value, json};
use shortlist_proto::v1::FILE_DESCRIPTOR_SET;
use tokio::runtime::Runtime;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_types::StatusExt;

use crate::harness::send_json;

/// One endpoint in both tongues: gRPC method, verb, path, and the field of the message that is the body over REST.
type Tongues = (&'static str, &'static str, &'static str, Option<&'static str>);

const ENDPOINTS: [Tongues; 17] = [
    ("Recommend", "POST", "/v1/recommend", None),
    ("Similar", "POST", "/v1/similar", None),
    ("Search", "POST", "/v1/search", None),
    ("Rank", "POST", "/v1/rank", None),
    ("IngestEvents", "POST", "/v1/events", None),
    ("PutItem", "PUT", "/v1/items/{item_id}", Some("item")),
    ("PutItems", "POST", "/v1/items", None),
    ("PatchItem", "PATCH", "/v1/items/{item_id}", None),
    ("ListItems", "GET", "/v1/items", None),
    ("GetItem", "GET", "/v1/items/{item_id}", None),
    ("DeleteItem", "DELETE", "/v1/items/{item_id}", None),
    ("PutUser", "PUT", "/v1/users/{user_id}", Some("user")),
    ("PutUsers", "POST", "/v1/users", None),
    ("ListUsers", "GET", "/v1/users", None),
    ("GetUser", "GET", "/v1/users/{user_id}", None),
    ("DeleteUser", "DELETE", "/v1/users/{user_id}", None),
    ("NoSuchMethod", "GET", "/v1/nothing", None),
];

/// Asks over REST.
pub fn over_rest(url: &str, method: &str, request: &Value) -> (u16, Value) {
    let (_, verb, template, _) = tongues(method);
    let mut left = request.as_object().cloned().unwrap_or_default();
    let mut path = template.to_owned();
    for id in ["item_id", "user_id"] {
        let place = format!("{{{id}}}");
        if path.contains(&place) {
            let given = left.remove(id).and_then(|id| id.as_str().map(encoded)).unwrap_or_default();
            path = path.replace(&place, &given);
        }
    }
    if matches!(verb, "GET" | "DELETE") {
        let pair = |(name, value): (&String, &Value)| {
            format!("{name}={}", encoded(&value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        };
        let query: Vec<_> = left.iter().map(pair).collect();
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        return send_json(verb, &format!("{url}{path}"), None);
    }
    send_json(verb, &format!("{url}{path}"), Some(&Value::Object(left)))
}

/// A connection whose messages are made from JSON by the description of the service.
pub struct OverGrpc {
    runtime: Runtime,
    channel: Channel,
    service: ServiceDescriptor,
}

impl OverGrpc {
    pub fn open(url: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let channel = runtime.block_on(Endpoint::from_shared(url.to_owned()).unwrap().connect()).unwrap();
        let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
        let service = pool.get_service_by_name("shortlist.v1.ShortlistService").unwrap();
        Self { runtime, channel, service }
    }

    /// Asks; none for what no message can hold, such as -1 where the wire has no sign.
    pub fn ask(&self, method: &str, request: &Value) -> Option<Result<Value, Status>> {
        let (_, _, _, wrapped) = tongues(method);
        let described = self.service.methods().find(|described| described.name() == method)?;
        let request = with_tagged_attributes(request.clone());
        let request = wrapped.map_or(request.clone(), |field| json!({ field: request }));
        let message = DynamicMessage::deserialize(described.input(), request).ok()?;
        let path = format!("/shortlist.v1.ShortlistService/{method}").parse().unwrap();
        let mut client = Grpc::new(self.channel.clone());
        let answer = self.runtime.block_on(async {
            client.ready().await.unwrap();
            client.unary(Request::new(message.encode_to_vec()), path, Raw).await
        });
        Some(answer.map(|answer| {
            let answer = DynamicMessage::decode(described.output(), answer.into_inner().as_slice()).unwrap();
            let options = prost_reflect::SerializeOptions::new()
                .use_proto_field_name(true)
                .stringify_64_bit_integers(false)
                .skip_default_fields(false);
            answer.serialize_with_options(serde_json::value::Serializer, &options).unwrap()
        }))
    }
}

/// An answer over REST without what differs from one time to the next and what only says that there is nothing.
pub fn rest_heard((status, body): (u16, Value)) -> Value {
    match status {
        200 => plain(body),
        _ => json!({"code": body["code"], "detail": body["detail"], "field": body.get("field")}),
    }
}

/// An answer over gRPC likewise; of an error what stands in its details.
pub fn grpc_heard(answer: Result<Value, Status>) -> Value {
    let status = match answer {
        Ok(answer) => return plain(answer),
        Err(status) => status,
    };
    let code = status.get_details_error_info().map(|info| info.reason);
    assert_eq!(code.as_deref(), status.metadata().get("shortlist-code").and_then(|code| code.to_str().ok()));
    let violation = status.get_details_bad_request().and_then(|bad| bad.field_violations.into_iter().next());
    // In REST the entry is the body, in gRPC a field of the message.
    let bare = |text: &str| {
        let inner = ["item.", "user."].iter().find_map(|prefix| text.strip_prefix(prefix));
        inner.unwrap_or(text).to_owned()
    };
    json!({"code": code, "detail": bare(status.message()), "field": violation.map(|violation| bare(&violation.field))})
}

fn tongues(method: &str) -> Tongues {
    ENDPOINTS.into_iter().find(|(known, ..)| *known == method).unwrap()
}

fn encoded(text: &str) -> String {
    let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    text.bytes().map(|b| if safe(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Attributes as messages hold them, each with its kind.
fn with_tagged_attributes(value: Value) -> Value {
    let tagged = |value: Value| match value {
        Value::String(text) => json!({"string_value": text}),
        Value::Number(number) => json!({"number_value": number}),
        Value::Bool(value) => json!({"bool_value": value}),
        Value::Array(texts) => json!({"list_value": {"values": texts}}),
        other => other,
    };
    let field = |(name, value): (String, Value)| match value {
        Value::Object(named) if ["attributes", "context"].contains(&name.as_str()) => {
            (name, named.into_iter().map(|(name, value)| (name, tagged(value))).collect())
        }
        other => (name, with_tagged_attributes(other)),
    };
    match value {
        Value::Object(map) => Value::Object(map.into_iter().map(field).collect()),
        Value::Array(values) => values.into_iter().map(with_tagged_attributes).collect(),
        other => other,
    }
}

fn plain(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let tags = ["string_value", "number_value", "bool_value"];
            if let Some(value) = tags.iter().find_map(|tag| map.get(*tag)) {
                return plain(value.clone());
            }
            if let Some(list) = map.get("list_value") {
                return plain(list.get("values").cloned().unwrap_or_default());
            }
            let kept = map.into_iter().filter(|(name, _)| name != "timings" && name != "request_id");
            let kept: Map<_, _> = kept.map(|(name, value)| (name, plain(value))).collect();
            Value::Object(kept.into_iter().filter(|(_, value)| !is_nothing(value)).collect())
        }
        Value::Array(values) => values.into_iter().map(plain).collect(),
        // The wire of the one has floats, the other digits.
        Value::Number(number) => number.as_f64().map_or(Value::Null, |number| json!(number as f32)),
        other => other,
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Messages as their bytes.
#[derive(Debug, Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut message = vec![0; from.remaining()];
        from.copy_to_slice(&mut message);
        Ok(Some(message))
    }
}
