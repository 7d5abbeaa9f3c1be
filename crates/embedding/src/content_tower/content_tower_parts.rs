use shortlist_types::InvalidInput;
use shortlist_types::limits::DIMENSIONS_MAX;

use crate::content_tower::content_tower_config::FEATURES_MAX;
use crate::{ContentTowerConfig, NumberKnots};

/// Greatest absolute weight or bias: so many of them as an item has features sum to a finite number.
const COMPONENT_MAX: f32 = 1e30;

/// All that a content tower is made of, for storing: large blocks and a small rest.
///
/// **Shapes**: f features and k dimensions: `buckets` has f entries, ascending, `weights` f x k,
/// row-major, `bias` k.
#[derive(Debug, Clone, PartialEq)]
pub struct ContentTowerParts {
    /// What the tower was fitted with; `ridge` holds the strength that was chosen.
    pub config: ContentTowerConfig,
    /// What the buckets depend on.
    pub seed: u64,
    /// The quantiles of the numbers.
    pub numbers: NumberKnots,
    /// The hashes of the known features.
    pub buckets: Vec<u32>,
    /// What each feature adds to the vector.
    pub weights: Vec<f32>,
    /// Where every item starts from.
    pub bias: Vec<f32>,
}

impl ContentTowerParts {
    /// Checks lengths, order and that every number is small enough for every sum to be finite.
    ///
    /// **Cost**: one pass.
    ///
    /// # Errors
    /// Names the first field that is wrong.
    pub(crate) fn check(&self) -> Result<(), InvalidInput> {
        let wrong = |field: &'static str, reason: String| Err(InvalidInput::new(field, reason));
        self.config.check()?;
        self.numbers.check()?;
        let (features, dimensions) = (self.buckets.len(), self.bias.len());
        if !(1..=DIMENSIONS_MAX).contains(&dimensions) {
            return wrong("bias", format!("must have 1 to {DIMENSIONS_MAX} dimensions, got {dimensions}"));
        }
        if features > FEATURES_MAX {
            return wrong("buckets", format!("must have at most {FEATURES_MAX} entries, got {features}"));
        }
        if !self.buckets.is_sorted_by(|a, b| a < b) {
            return wrong("buckets", "must ascend without repeats".to_owned());
        }
        if self.weights.len() != features * dimensions {
            let (expected, got) = (features * dimensions, self.weights.len());
            return wrong("weights", format!("must have {expected} values, got {got}"));
        }
        let fits = |x: &f32| (-COMPONENT_MAX..=COMPONENT_MAX).contains(x);
        if let Some(at) = self.weights.iter().position(|x| !fits(x)) {
            let (row, got) = (at / dimensions, self.weights[at]);
            return wrong("weights", format!("row {row} must lie in -{COMPONENT_MAX} to {COMPONENT_MAX}, got {got}"));
        }
        if let Some(got) = self.bias.iter().find(|x| !fits(x)) {
            return wrong("bias", format!("must lie in -{COMPONENT_MAX} to {COMPONENT_MAX}, got {got}"));
        }
        Ok(())
    }
}
