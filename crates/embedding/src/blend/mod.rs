//! Several models as one: what the first stage scores by.
//!
//! Vector models are laid side by side, so that one index over the joined vectors finds what is best by
//! their weighted sum; an item-to-item model adds what the user's items say of their neighbours.

mod blend_config;
mod fitted_blend;
mod item_vectors;
mod taste;
#[cfg(test)]
mod tests;
mod usual_deviation;
mod vector_part;

pub use blend_config::{BlendConfig, RowPartConfig, VectorPartConfig};
pub use fitted_blend::Blend;
pub use taste::{Taste, TasteScratch};
pub use vector_part::VectorPart;
