//! Linear item-to-item models: an item's score is a sum over the user's own items.
//!
//! Three fits give the same [`ItemToItemModel`], a sparse matrix with rows of bounded length, and
//! [`ItemToItemConfig`] says which: [`co_occurrence`], [`linear_filter`], and EASE, exact for small
//! catalogues ([`exact_ease`]) and by neighbourhoods for large ones ([`local_ease`]). At serving time
//! [`ItemToItemModel::sum`] adds up a user's rows in [`RowSums`], which then gives single scores, their
//! spread, and the best items.
//!
//! All fits read the data through [`BoundedInteractions`], which keeps a few very active users from
//! making the cost quadratic, and [`CoCountRow`], which never holds more than one row of item x item
//! counts per thread.

mod bounded_interactions;
mod checks;
mod co_count_row;
mod co_occurrence;
mod co_occurrence_config;
mod ease_config;
mod exact_ease;
mod item_to_item_config;
mod item_to_item_model;
mod linear_filter;
mod linear_filter_config;
mod local_ease;
mod local_gram;
mod row_sums;
mod truncation;
mod weighted_gram;

pub use co_occurrence_config::CoOccurrenceConfig;
pub use ease_config::{EXACT_ITEMS_MAX, EaseConfig};
pub use item_to_item_config::ItemToItemConfig;
pub use item_to_item_model::{ITEM_WEIGHT_MAX, ItemToItemModel, ROW_LENGTH_MAX};
pub use linear_filter_config::LinearFilterConfig;
pub use row_sums::RowSums;

use bounded_interactions::BoundedInteractions;
use co_count_row::CoCountRow;
