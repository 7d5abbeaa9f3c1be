use std::collections::HashMap;

use shortlist_types::ItemIdx;

use super::CategorySchema;
use super::category_schema::{Attributed, CategorySource, Encoding};
use crate::RequestContext;

/// The values of training rows before encoders are fitted to them, each text kept once.
#[derive(Debug, Default)]
pub struct RawCategories {
    pub(super) columns: Vec<RawColumn>,
    sources: Vec<CategorySource>,
}

/// What one row has of each category.
#[derive(Debug, Clone, PartialEq)]
pub struct RawRow(pub(super) Vec<RawValue>);

#[derive(Debug, Clone, PartialEq)]
pub(super) enum RawValue {
    /// Positions in the column's texts.
    Texts(Box<[u32]>),
    Number(Option<f32>),
}

/// The texts of one category, in order of appearance.
#[derive(Debug, Default)]
pub(super) struct RawColumn {
    numbers: HashMap<String, u32>,
    pub(super) texts: Vec<String>,
}

impl RawColumn {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len() as u32; // texts of rows, whose number is bounded
        self.numbers.insert(text.to_owned(), number);
        self.texts.push(text.to_owned());
        number
    }
}

impl RawCategories {
    /// Nothing met yet.
    pub fn new(schema: &CategorySchema) -> Self {
        let sources = schema.iter().map(|(_, source)| source.clone()).collect();
        Self { columns: schema.iter().map(|_| RawColumn::default()).collect(), sources }
    }

    /// What `item` has of each category in a request; none if the catalogue does not know it.
    pub fn read(&mut self, request: &RequestContext<'_>, item: ItemIdx) -> Option<RawRow> {
        let catalog = request.state.catalog();
        let item = catalog.get(item)?;
        let whose = Attributed { item, user: &request.user, context: &request.context };
        let values = self.columns.iter_mut().zip(&self.sources).map(|(column, source)| match source.encoding {
            Encoding::Quantiles => RawValue::Number(source.number(whose, catalog.number_attribute(&source.attribute))),
            Encoding::Vocabulary | Encoding::Hashing => {
                let mut numbers = Vec::new();
                source.texts(whose, &mut |text| numbers.push(column.number(text)));
                RawValue::Texts(numbers.into())
            }
        });
        Some(RawRow(values.collect()))
    }
}
