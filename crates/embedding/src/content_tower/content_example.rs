use shortlist_types::limits::DIMENSIONS_MAX;
use shortlist_types::{Attributes, InvalidInput};

use crate::{EmbeddingError, WEIGHT_MAX, WEIGHT_MIN};

/// Greatest absolute component of a vector to learn from: beyond it squares overflow single precision.
pub const VECTOR_COMPONENT_MAX: f32 = 1e15;

/// One item (or user) to learn from: what is known of it, and where it stands.
///
/// **Shapes**: `vector` has as many components as the model it comes from, the same for all examples.
#[derive(Debug, Clone, Copy)]
pub struct ContentExample<'a> {
    /// What is known of it.
    pub attributes: &'a Attributes,
    /// Where the collaborative model placed it.
    pub vector: &'a [f32],
    /// How many events placed it there; more events, more trust.
    pub weight: f32,
}

impl ContentExample<'_> {
    /// Checks one example, number `place` of those given.
    ///
    /// # Errors
    /// Names the first field out of range.
    pub(crate) fn check(&self, place: usize, dimensions: usize) -> Result<(), EmbeddingError> {
        let wrong = |field: &str, reason: String| {
            Err(EmbeddingError::Example(InvalidInput::new(format!("examples[{place}].{field}"), reason)))
        };
        if dimensions == 0 || dimensions > DIMENSIONS_MAX {
            let got = self.vector.len();
            return wrong("vector", format!("must have 1 to {DIMENSIONS_MAX} dimensions, got {got}"));
        }
        if self.vector.len() != dimensions {
            return wrong("vector", format!("must have {dimensions} dimensions, got {}", self.vector.len()));
        }
        // The negated ranges refuse NaN too.
        let fits = |x: &f32| (-VECTOR_COMPONENT_MAX..=VECTOR_COMPONENT_MAX).contains(x);
        if let Some(component) = self.vector.iter().find(|x| !fits(x)) {
            let max = VECTOR_COMPONENT_MAX;
            return wrong("vector", format!("components must lie in -{max} to {max}, got {component}"));
        }
        if !(WEIGHT_MIN..=WEIGHT_MAX).contains(&self.weight) {
            return wrong("weight", format!("must lie in {WEIGHT_MIN} to {WEIGHT_MAX}, got {}", self.weight));
        }
        Ok(())
    }
}
