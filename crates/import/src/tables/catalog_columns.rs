use shortlist_types::{InvalidInput, Item, User};

use super::attribute_column::{AttributeColumn, attributes, flag};
use super::header::Header;
use super::{Columns, optional, timestamp};
use crate::ImportError;
use crate::collector::Row;
use crate::ids::Ids;

/// The columns of a table of items.
pub(super) struct ItemColumns {
    item_id: usize,
    available: Option<usize>,
    timestamp: Option<usize>,
    attributes: Vec<AttributeColumn>,
}

impl Columns for ItemColumns {
    fn find(header: &Header) -> Result<Self, ImportError> {
        Ok(Self {
            item_id: header.required("item_id")?,
            available: header.optional("available"),
            timestamp: header.optional("timestamp"),
            attributes: header.attributes(&["item_id", "available", "timestamp"], "")?,
        })
    }

    fn attributes(&mut self) -> &mut [AttributeColumn] {
        &mut self.attributes
    }

    fn row(&self, cells: &[&str], ids: &mut Ids) -> Result<Row, InvalidInput> {
        let available = optional(cells, self.available).map_or(Ok(true), |cell| {
            flag(cell).ok_or_else(|| InvalidInput::new("available", format!("must be true or false, got {cell:?}")))
        })?;
        let item_id = ids.item(cells[self.item_id])?;
        let attributes = attributes(&self.attributes, cells, "attributes")?;
        let time = optional(cells, self.timestamp).map(timestamp).transpose()?;
        Ok(Row::Item(Item { item_id, attributes, available, embedding: None }, time))
    }
}

/// The columns of a table of users.
pub(super) struct UserColumns {
    user_id: usize,
    timestamp: Option<usize>,
    attributes: Vec<AttributeColumn>,
}

impl Columns for UserColumns {
    fn find(header: &Header) -> Result<Self, ImportError> {
        Ok(Self {
            user_id: header.required("user_id")?,
            timestamp: header.optional("timestamp"),
            attributes: header.attributes(&["user_id", "timestamp"], "")?,
        })
    }

    fn attributes(&mut self) -> &mut [AttributeColumn] {
        &mut self.attributes
    }

    fn row(&self, cells: &[&str], ids: &mut Ids) -> Result<Row, InvalidInput> {
        let user_id = ids.user(cells[self.user_id])?;
        let attributes = attributes(&self.attributes, cells, "attributes")?;
        let time = optional(cells, self.timestamp).map(timestamp).transpose()?;
        Ok(Row::User(User { user_id, attributes }, time))
    }
}
