use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

use super::checks;

/// Greatest exponent of a degree; useful ones lie between 0 and 1.
const EXPONENT_MAX: f64 = 2.0;

/// The hyper-parameters of the linear graph filter.
///
/// Checked when it is read from a file, and again by [`crate::ItemToItemModel::fit`], because its
/// fields are open.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct LinearFilterConfig {
    /// How much less an active user counts: by the power of his degree; 0 to 2.
    pub user_exponent: f64,
    /// How much less a popular item of the user says; 0 to 2.
    pub source_exponent: f64,
    /// How much less a popular item is proposed; 0 to 2.
    pub target_exponent: f64,
    /// Entries kept of every row, those of greatest weight; 1 to 2,000.
    pub row_length: usize,
}

impl Default for LinearFilterConfig {
    fn default() -> Self {
        Self { user_exponent: 0.8, source_exponent: 0.5, target_exponent: 0.3, row_length: 200 }
    }
}

impl LinearFilterConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field out of range.
    pub fn check(&self) -> Result<(), InvalidInput> {
        checks::real("user_exponent", self.user_exponent, EXPONENT_MAX)?;
        checks::real("source_exponent", self.source_exponent, EXPONENT_MAX)?;
        checks::real("target_exponent", self.target_exponent, EXPONENT_MAX)?;
        checks::row_length(self.row_length)
    }
}

/// The form in a file: fields that are absent take their defaults, unknown ones are refused.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Unchecked {
    user_exponent: f64,
    source_exponent: f64,
    target_exponent: f64,
    row_length: usize,
}

impl Default for Unchecked {
    fn default() -> Self {
        let LinearFilterConfig { user_exponent, source_exponent, target_exponent, row_length } =
            LinearFilterConfig::default();
        Self { user_exponent, source_exponent, target_exponent, row_length }
    }
}

impl TryFrom<Unchecked> for LinearFilterConfig {
    type Error = InvalidInput;
    fn try_from(from: Unchecked) -> Result<Self, InvalidInput> {
        let Unchecked { user_exponent, source_exponent, target_exponent, row_length } = from;
        let config = Self { user_exponent, source_exponent, target_exponent, row_length };
        config.check()?;
        Ok(config)
    }
}
