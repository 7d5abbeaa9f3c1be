use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;
use shortlist_types::limits::DIMENSIONS_MAX;

use crate::{ItemToItemConfig, VectorModelConfig};

/// Greatest weight of a part; only their ratios matter.
const WEIGHT_MAX: f32 = 1e3;

/// The parts of a [`crate::Blend`] and their weights.
///
/// A weight multiplies a part's score in units of its usual standard deviation over all items: 1 and 1
/// let both parts decide alike.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BlendConfig {
    /// Models whose vectors are joined for one index.
    pub vectors: Vec<VectorPartConfig>,
    /// Models whose rows are added up.
    pub item_to_item: Vec<RowPartConfig>,
}

/// One vector model of a blend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VectorPartConfig {
    /// Above 0.
    pub weight: f32,
    /// Which model.
    pub model: VectorModelConfig,
}

/// One item-to-item model of a blend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowPartConfig {
    /// Above 0.
    pub weight: f32,
    /// Which model.
    pub model: ItemToItemConfig,
}

impl BlendConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// No part at all, a weight out of range, more dimensions together than an index takes, or a model's
    /// own refusal.
    pub fn check(&self) -> Result<(), InvalidInput> {
        if self.vectors.is_empty() && self.item_to_item.is_empty() {
            return Err(InvalidInput::new("parts", "must name at least one model"));
        }
        let weight = |weight: f32| {
            let fits = weight > 0.0 && weight <= WEIGHT_MAX;
            let reason = || format!("must lie above 0 and up to {WEIGHT_MAX}, got {weight}");
            if fits { Ok(()) } else { Err(InvalidInput::new("weight", reason())) }
        };
        for part in &self.vectors {
            weight(part.weight)?;
            part.model.check().map_err(|error| error.within(part.model.name()))?;
        }
        for part in &self.item_to_item {
            weight(part.weight)?;
            part.model.check().map_err(|error| error.within(part.model.name()))?;
        }
        let dimensions: usize = self.vectors.iter().map(|part| part.model.dimensions()).sum();
        if dimensions > DIMENSIONS_MAX {
            let reason = format!("must have at most {DIMENSIONS_MAX} together, got {dimensions}");
            return Err(InvalidInput::new("dimensions", reason));
        }
        Ok(())
    }

    /// The names of the parts, joined by a plus.
    pub fn name(&self) -> String {
        let vectors = self.vectors.iter().map(|part| part.model.name());
        let rows = self.item_to_item.iter().map(|part| part.model.name());
        vectors.chain(rows).collect::<Vec<_>>().join("+")
    }
}
