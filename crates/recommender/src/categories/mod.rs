//! Categories: texts of items, users and contexts that a network embeds, one vector per text.
//!
//! The schema says which, the encoders are fitted on the ranker's training rows and kept in the bundle, and one
//! function reads what training and serving encode.

mod category_encoders;
mod category_ids;
mod category_schema;
mod raw_categories;

pub use category_encoders::CategoryEncoders;
pub use category_ids::CategoryIds;
pub use category_schema::{CategorySchema, CategorySource, Encoding, Whose};
pub use raw_categories::{RawCategories, RawRow};

#[cfg(test)]
mod tests;
