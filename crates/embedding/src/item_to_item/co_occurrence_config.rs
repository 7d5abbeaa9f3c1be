use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

use super::checks;

/// Greatest shrinkage; beyond it every similarity is the plain count.
const SHRINKAGE_MAX: f64 = 1e9;

/// The hyper-parameters of co-occurrence.
///
/// Checked when it is read from a file, and again by [`crate::ItemToItemModel::fit`], because its
/// fields are open.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct CoOccurrenceConfig {
    /// Added to the denominator of a similarity, so that pairs seen once or twice do not come first;
    /// 0 (plain cosine) or more.
    pub shrinkage: f64,
    /// Entries kept of every row, those of greatest weight; 1 to 2,000.
    pub row_length: usize,
}

impl Default for CoOccurrenceConfig {
    fn default() -> Self {
        Self { shrinkage: 10.0, row_length: 200 }
    }
}

impl CoOccurrenceConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field out of range.
    pub fn check(&self) -> Result<(), InvalidInput> {
        checks::real("shrinkage", self.shrinkage, SHRINKAGE_MAX)?;
        checks::row_length(self.row_length)
    }
}

/// The form in a file: fields that are absent take their defaults, unknown ones are refused.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Unchecked {
    shrinkage: f64,
    row_length: usize,
}

impl Default for Unchecked {
    fn default() -> Self {
        let CoOccurrenceConfig { shrinkage, row_length } = CoOccurrenceConfig::default();
        Self { shrinkage, row_length }
    }
}

impl TryFrom<Unchecked> for CoOccurrenceConfig {
    type Error = InvalidInput;
    fn try_from(from: Unchecked) -> Result<Self, InvalidInput> {
        let config = Self { shrinkage: from.shrinkage, row_length: from.row_length };
        config.check()?;
        Ok(config)
    }
}
