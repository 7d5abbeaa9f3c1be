use std::str::FromStr;

use shortlist_types::{Event, EventId, InvalidInput, RequestId};

use super::attribute_column::{AttributeColumn, attributes};
use super::header::Header;
use super::{Columns, optional, timestamp};
use crate::ImportError;
use crate::collector::Row;
use crate::ids::Ids;

const KNOWN: [&str; 8] =
    ["user_id", "item_id", "event_type", "timestamp", "event_id", "value", "request_id", "position"];

/// The columns of a table of events.
pub(super) struct EventColumns {
    user_id: usize,
    item_id: usize,
    event_type: usize,
    timestamp: usize,
    event_id: Option<usize>,
    value: Option<usize>,
    request_id: Option<usize>,
    position: Option<usize>,
    context: Vec<AttributeColumn>,
}

impl Columns for EventColumns {
    fn find(header: &Header) -> Result<Self, ImportError> {
        Ok(Self {
            user_id: header.required("user_id")?,
            item_id: header.required("item_id")?,
            event_type: header.required("event_type")?,
            timestamp: header.required("timestamp")?,
            event_id: header.optional("event_id"),
            value: header.optional("value"),
            request_id: header.optional("request_id"),
            position: header.optional("position"),
            context: header.attributes(&KNOWN, "context.")?,
        })
    }

    fn attributes(&mut self) -> &mut [AttributeColumn] {
        &mut self.context
    }

    fn row(&self, cells: &[&str], ids: &mut Ids) -> Result<Row, InvalidInput> {
        Ok(Row::Event(Event {
            event_id: optional(cells, self.event_id).map(EventId::parse).transpose()?,
            user_id: ids.user(cells[self.user_id])?,
            item_id: ids.item(cells[self.item_id])?,
            event_type: cells[self.event_type].to_owned(),
            value: optional(cells, self.value).map(|cell| number("value", cell)).transpose()?,
            timestamp: timestamp(cells[self.timestamp])?,
            request_id: optional(cells, self.request_id).map(RequestId::parse).transpose()?,
            position: optional(cells, self.position).map(|cell| number("position", cell)).transpose()?,
            context: attributes(&self.context, cells, "context")?,
        }))
    }
}

fn number<T: FromStr>(field: &'static str, cell: &str) -> Result<T, InvalidInput> {
    cell.parse().map_err(|_| InvalidInput::new(field, format!("must be a number, got {cell:?}")))
}
