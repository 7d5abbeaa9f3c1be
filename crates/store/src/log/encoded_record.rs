use serde::{Deserialize, Serialize};
use shortlist_types::{InvalidInput, Item, ItemId, ItemPatch, LogRecord, Timestamp, User, UserId};

use crate::limits::RECORD_BYTES_MAX;
use crate::log::event_hash::EventHash;

const EVENT: &str = "event";
const ITEM_PUT: &str = "item_put";
const ITEM_PATCH: &str = "item_patch";
const ITEM_DELETE: &str = "item_delete";
const USER_PUT: &str = "user_put";
const USER_DELETE: &str = "user_delete";
const ERASED: &str = "erased";

/// A record as the log keeps it: a kind, a time, and JSON that `json_extract` reads.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EncodedRecord {
    pub(crate) kind: &'static str,
    pub(crate) time_micros: i64,
    pub(crate) payload: String,
    pub(crate) event_id: Option<EventHash>,
}

/// What a row of the log holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DecodedRecord {
    pub(crate) record: LogRecord,
    /// How the chain goes on, if not by the row's checksum: the record that stood here was erased.
    pub(crate) chain: Option<u64>,
}

/// Payload of `erased`.
#[derive(Serialize, Deserialize)]
struct Erased {
    /// The chain up to the record that stood here, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chain: Option<String>,
    timestamp: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    item_id: Option<ItemId>,
    new_user: bool,
}

/// Payload of `item_put`; the item is borrowed to write and owned to read.
#[derive(Serialize, Deserialize)]
struct ItemPut<I> {
    timestamp: Timestamp,
    item: I,
}

/// Payload of `item_patch`, likewise.
#[derive(Serialize, Deserialize)]
struct Patched<P> {
    timestamp: Timestamp,
    patch: P,
}

/// Payload of `item_delete`.
#[derive(Serialize, Deserialize)]
struct ItemDelete {
    timestamp: Timestamp,
    item_id: ItemId,
}

/// Payload of `user_put`.
#[derive(Serialize, Deserialize)]
struct UserPut<U> {
    timestamp: Timestamp,
    user: U,
}

/// Payload of `user_delete`.
#[derive(Serialize, Deserialize)]
struct UserDelete {
    timestamp: Timestamp,
    user_id: UserId,
}

impl EncodedRecord {
    /// The kind after which the chain goes on by the payload.
    pub(crate) const ERASED_KIND: &'static [u8] = ERASED.as_bytes();

    /// The bytes to write for `record`.
    ///
    /// # Errors
    /// A value that JSON cannot hold, or more than [`RECORD_BYTES_MAX`].
    pub(crate) fn encode(record: &LogRecord) -> Result<Self, InvalidInput> {
        Self::encode_in_place_of(record, None)
    }

    /// As [`Self::encode`], in place of a record up to which the chain was `chain`.
    pub(crate) fn encode_in_place_of(record: &LogRecord, chain: Option<u64>) -> Result<Self, InvalidInput> {
        let (kind, event_id, payload) = match record {
            LogRecord::Event(event) => {
                // JSON would turn it into null, and the replay would differ from what was applied.
                if event.value.is_some_and(|value| !value.is_finite()) {
                    return Err(InvalidInput::new("value", "must be finite"));
                }
                (EVENT, event.event_id.as_ref().map(EventHash::of), serde_json::to_string(event))
            }
            LogRecord::ItemPut { timestamp, item } => {
                (ITEM_PUT, None, serde_json::to_string(&ItemPut { timestamp: *timestamp, item }))
            }
            LogRecord::ItemPatch { timestamp, patch } => {
                (ITEM_PATCH, None, serde_json::to_string(&Patched { timestamp: *timestamp, patch }))
            }
            LogRecord::ItemDelete { timestamp, item_id } => {
                let content = ItemDelete { timestamp: *timestamp, item_id: item_id.clone() };
                (ITEM_DELETE, None, serde_json::to_string(&content))
            }
            LogRecord::UserPut { timestamp, user } => {
                (USER_PUT, None, serde_json::to_string(&UserPut { timestamp: *timestamp, user }))
            }
            LogRecord::UserDelete { timestamp, user_id } => {
                let content = UserDelete { timestamp: *timestamp, user_id: user_id.clone() };
                (USER_DELETE, None, serde_json::to_string(&content))
            }
            LogRecord::Erased { timestamp, item_id, new_user } => {
                let chain = chain.map(|chain| format!("{chain:016x}"));
                let content = Erased { chain, timestamp: *timestamp, item_id: item_id.clone(), new_user: *new_user };
                (ERASED, None, serde_json::to_string(&content))
            }
        };
        let payload = payload.map_err(|error| InvalidInput::new("record", error.to_string()))?;
        if payload.len() > RECORD_BYTES_MAX {
            let reason = format!("must be at most {RECORD_BYTES_MAX} bytes as JSON, got {}", payload.len());
            return Err(InvalidInput::new("record", reason));
        }
        Ok(Self { kind, time_micros: record.timestamp().as_micros(), payload, event_id })
    }

    /// The record of this kind and payload, if they are one.
    pub(crate) fn decode(kind: &[u8], payload: &[u8]) -> Option<DecodedRecord> {
        let mut chain = None;
        let record = match std::str::from_utf8(kind).ok()? {
            EVENT => LogRecord::Event(serde_json::from_slice(payload).ok()?),
            ITEM_PUT => {
                let ItemPut::<Item> { timestamp, item } = serde_json::from_slice(payload).ok()?;
                LogRecord::ItemPut { timestamp, item }
            }
            ITEM_PATCH => {
                let Patched::<ItemPatch> { timestamp, patch } = serde_json::from_slice(payload).ok()?;
                LogRecord::ItemPatch { timestamp, patch }
            }
            ITEM_DELETE => {
                let ItemDelete { timestamp, item_id } = serde_json::from_slice(payload).ok()?;
                LogRecord::ItemDelete { timestamp, item_id }
            }
            USER_PUT => {
                let UserPut::<User> { timestamp, user } = serde_json::from_slice(payload).ok()?;
                LogRecord::UserPut { timestamp, user }
            }
            USER_DELETE => {
                let UserDelete { timestamp, user_id } = serde_json::from_slice(payload).ok()?;
                LogRecord::UserDelete { timestamp, user_id }
            }
            ERASED => {
                let erased: Erased = serde_json::from_slice(payload).ok()?;
                if let Some(text) = erased.chain {
                    chain = Some(u64::from_str_radix(&text, 16).ok()?);
                }
                let Erased { timestamp, item_id, new_user, .. } = erased;
                LogRecord::Erased { timestamp, item_id, new_user }
            }
            _ => return None,
        };
        Some(DecodedRecord { record, chain })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shortlist_types::{AttributeValue, Attributes, Event};

    use super::*;
    use crate::testing::{event, item_put, time};

    fn round_trip(record: &LogRecord) -> LogRecord {
        let encoded = EncodedRecord::encode(record).unwrap();
        EncodedRecord::decode(encoded.kind.as_bytes(), encoded.payload.as_bytes()).unwrap().record
    }

    #[test]
    fn every_kind_comes_back() {
        let user_id = UserId::parse("u").unwrap();
        let records = [
            event(1),
            item_put(2, "i", "title"),
            LogRecord::ItemDelete { timestamp: time(3), item_id: ItemId::parse("i").unwrap() },
            LogRecord::UserPut {
                timestamp: time(4),
                user: User { user_id: user_id.clone(), attributes: Attributes::default() },
            },
            LogRecord::UserDelete { timestamp: time(5), user_id },
        ];
        for record in records {
            assert_eq!(round_trip(&record), record);
        }
    }

    #[test]
    fn a_value_that_is_not_finite_is_refused_and_not_written_as_null() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let LogRecord::Event(event) = event(1) else { unreachable!() };
            let record = LogRecord::Event(Event { value: Some(value), ..event });
            assert_eq!(EncodedRecord::encode(&record).unwrap_err().to_string(), "value: must be finite");
        }
    }

    #[test]
    fn a_record_beyond_the_limit_is_refused() {
        let LogRecord::Event(event) = event(1) else { unreachable!() };
        let record = LogRecord::Event(Event { event_type: "x".repeat(RECORD_BYTES_MAX), ..event });
        assert_eq!(EncodedRecord::encode(&record).unwrap_err().field, "record");
    }

    proptest! {
        #[test]
        fn numbers_come_back_bit_by_bit(value in any::<f32>(), price in any::<f64>(), micros in -62_135_596_800_000_000_i64..253_370_764_799_999_999) {
            prop_assume!(value.is_finite() && price.is_finite());
            let LogRecord::Event(event) = event(1) else { unreachable!() };
            let context = Attributes::parse([("price".to_owned(), AttributeValue::Number(price))]).unwrap();
            let timestamp = Timestamp::from_micros(micros).unwrap();
            let record = LogRecord::Event(Event { value: Some(value), context, timestamp, ..event });
            let LogRecord::Event(back) = round_trip(&record) else { unreachable!() };
            prop_assert_eq!(back.value.unwrap().to_bits(), value.to_bits());
            prop_assert_eq!(back.context.number("price").unwrap().to_bits(), price.to_bits());
            prop_assert_eq!(back.timestamp, timestamp);
        }

        #[test]
        fn arbitrary_bytes_are_no_record_and_no_panic(kind in 0..6_usize, payload in proptest::collection::vec(any::<u8>(), 0..64)) {
            let kind = [EVENT, ITEM_PUT, ITEM_DELETE, USER_PUT, USER_DELETE, ERASED][kind];
            prop_assert_eq!(EncodedRecord::decode(kind.as_bytes(), &payload), None);
        }
    }
}
