//! The content tower: from what is known of an item to its place among the fitted item vectors, so that
//! an item nobody has touched yet is retrievable the moment it is put. The same for users.
//!
//! A linear map from hashed attributes, fitted by ridge regression on the vectors of items that did
//! have events. Linear, because one solve of a convex problem has no learning rate to tune and the same
//! answer on any number of threads; what bends is in the features: numbers become hat functions over
//! quantiles, texts become words.
//!
//! The way of an item: [`AttributeEncoder`] (attributes to hashed features), `Vocabulary` (features seen
//! in training to rows, of length 1 together), [`ContentTower`] (rows to a vector).

mod attribute_encoder;
mod content_example;
mod content_tower_config;
mod content_tower_parts;
mod design_matrix;
mod encoder_scratch;
mod number_knots;
mod ridge_system;
mod tower;
mod tower_fit;
mod vocabulary;

pub use attribute_encoder::AttributeEncoder;
pub use content_example::{ContentExample, VECTOR_COMPONENT_MAX};
pub use content_tower_config::ContentTowerConfig;
pub use content_tower_parts::ContentTowerParts;
pub use encoder_scratch::EncoderScratch;
pub use number_knots::NumberKnots;
pub use tower::ContentTower;
