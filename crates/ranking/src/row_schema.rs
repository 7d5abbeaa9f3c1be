use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

/// Most features of a row; more are refused.
pub const FEATURES_MAX: usize = 4_096;
/// Most ids of one categorical feature; more are hashed into fewer first.
pub const CATEGORY_IDS_MAX: usize = 10_000_000;
/// Most outcomes that one model is trained for together.
pub const HEADS_MAX: usize = 16;

/// What a row holds: numbers, then categories, each by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowSchema {
    /// Names of the numbers, in order.
    pub numbers: Vec<String>,
    /// The categories, in order.
    pub categories: Vec<Category>,
    /// The outcomes that a model tells apart, such as `click` and `purchase`; at least one.
    pub heads: Vec<String>,
}

/// A feature whose values are ids: one per row, or several, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// Its name.
    pub name: String,
    /// Ids are below this.
    pub ids: usize,
}

impl RowSchema {
    /// Numbers only, and one outcome.
    pub fn of_numbers(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let numbers = names.into_iter().map(Into::into).collect();
        Self { numbers, categories: Vec::new(), heads: vec!["positive".to_owned()] }
    }

    /// Categories only, and one outcome.
    pub fn of_categories(categories: Vec<Category>) -> Self {
        Self { numbers: Vec::new(), categories, heads: vec!["positive".to_owned()] }
    }

    /// Checks every count.
    ///
    /// # Errors
    /// Names the field that holds too few or too many.
    pub fn check(&self) -> Result<(), InvalidInput> {
        let features = self.numbers.len() + self.categories.len();
        if !(1..=FEATURES_MAX).contains(&features) {
            return Err(InvalidInput::new("features", format!("must be 1 to {FEATURES_MAX}, got {features}")));
        }
        if !(1..=HEADS_MAX).contains(&self.heads.len()) {
            return Err(InvalidInput::new("heads", format!("must be 1 to {HEADS_MAX}, got {}", self.heads.len())));
        }
        for Category { name, ids } in &self.categories {
            if !(1..=CATEGORY_IDS_MAX).contains(ids) {
                let reason = format!("must have 1 to {CATEGORY_IDS_MAX} ids, got {ids}");
                return Err(InvalidInput::new(format!("categories.{name}"), reason));
            }
        }
        Ok(())
    }

    /// The name of a feature by its place: numbers first.
    pub fn feature(&self, place: usize) -> &str {
        let category = |place| self.categories.get(place).map_or("", |category: &Category| category.name.as_str());
        self.numbers.get(place).map_or_else(|| category(place - self.numbers.len()), String::as_str)
    }

    /// As it is shared by rows and models.
    pub fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }
}
