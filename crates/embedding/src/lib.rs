//! Models that embed users and items, learned from who interacted with what.
//!
//! Floor 1: pure computation, no clock, no I/O, every random thing by seed. Two sorts of models learn
//! from [`Interactions`]: vector models ([`VectorModel`]), served by a neighbour index, and item-to-item
//! models ([`ItemToItemModel`]), served by adding up rows. A [`Blend`] is what a bundle holds: the trainer
//! fits it with [`Blend::fit`], the server asks [`Blend::taste`] for a user's taste just before retrieval,
//! so that an event counts from the next request on. A [`ContentTower`] places items and users by their
//! attributes.
//!
//! The same input and seed give the same bits on any number of threads: rows are solved
//! independently, and sums over rows run in blocks whose borders depend on the data alone.

mod blend;
mod content_tower;
mod error;
mod fold_in_scratch;
mod graph_filter;
mod ials;
mod interactions;
mod item_to_item;
mod principal_axes;
mod softmax;
mod sparse_rows;
mod vector_model;

pub use blend::{Blend, BlendConfig, RowPartConfig, Taste, TasteScratch, VectorPart, VectorPartConfig};
pub use content_tower::{
    AttributeEncoder, ContentExample, ContentTower, ContentTowerConfig, ContentTowerParts, EncoderScratch, NumberKnots,
    VECTOR_COMPONENT_MAX,
};
pub use error::EmbeddingError;
pub use fold_in_scratch::FoldInScratch;
pub use graph_filter::{GraphFilterConfig, GraphFilterModel};
pub use ials::{IalsConfig, IalsModel, KnownUser, KnownUsers};
pub use interactions::{INTERACTIONS_MAX, Interactions, WEIGHT_MAX, WEIGHT_MIN};
pub use item_to_item::{
    CoOccurrenceConfig, EXACT_ITEMS_MAX, EaseConfig, ITEM_WEIGHT_MAX, ItemToItemConfig, ItemToItemModel,
    LinearFilterConfig, ROW_LENGTH_MAX, RowSums,
};
pub use softmax::{SoftmaxConfig, SoftmaxModel};
pub use sparse_rows::SparseRows;
pub use vector_model::{History, VectorModel, VectorModelConfig};
