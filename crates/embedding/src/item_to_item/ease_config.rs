use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

use super::checks;

/// Most items of the exact solution: two matrices of items x items doubles, 1.1 GB at 8,192, and their
/// cube in operations. Larger catalogues are solved neighbourhood by neighbourhood.
pub const EXACT_ITEMS_MAX: usize = 8_192;
/// Greatest ridge; beyond it every weight is zero in single precision.
const L2_MAX: f64 = 1e9;
/// Greatest exponent of a degree; useful ones lie between 0 and 1.
const EXPONENT_MAX: f64 = 2.0;
/// Most neighbours of an item: one solve costs their cube.
const NEIGHBORS_MAX: usize = 1_000;

/// The hyper-parameters of EASE.
///
/// Checked when it is read from a file, and again by [`crate::ItemToItemModel::fit`], because its
/// fields are open.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct EaseConfig {
    /// Strength of the penalty on the squared weights, in units of an item's mean share of the squared
    /// data, so that the same value fits catalogues of any density; above 0.
    pub l2: f64,
    /// How much less an active user counts: his part of the loss is weighted by his degree to the power
    /// of minus this; 0 (all alike) to 2.
    pub user_degree_exponent: f64,
    /// How much more the outgoing weights of a popular item are penalised: 0 not at all, 1 in
    /// proportion; 0 to 2. The penalty of an average item stays what it is.
    pub item_ridge_exponent: f64,
    /// Items that may carry weight to one item where the catalogue has more than [`EXACT_ITEMS_MAX`];
    /// 1 to 1,000.
    pub neighbors: usize,
    /// Entries kept of every row, those of greatest absolute weight; 1 to 2,000.
    pub row_length: usize,
}

impl Default for EaseConfig {
    fn default() -> Self {
        Self { l2: 3.0, user_degree_exponent: 0.5, item_ridge_exponent: 0.25, neighbors: 100, row_length: 500 }
    }
}

impl EaseConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field out of range.
    pub fn check(&self) -> Result<(), InvalidInput> {
        checks::real("l2", self.l2, L2_MAX)?;
        if self.l2 <= 0.0 {
            return Err(InvalidInput::new("l2", "must be above 0: without it there may be no answer"));
        }
        checks::real("user_degree_exponent", self.user_degree_exponent, EXPONENT_MAX)?;
        checks::real("item_ridge_exponent", self.item_ridge_exponent, EXPONENT_MAX)?;
        checks::whole("neighbors", self.neighbors, 1, NEIGHBORS_MAX)?;
        checks::row_length(self.row_length)
    }
}

/// The form in a file: fields that are absent take their defaults, unknown ones are refused.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Unchecked {
    l2: f64,
    user_degree_exponent: f64,
    item_ridge_exponent: f64,
    neighbors: usize,
    row_length: usize,
}

impl Default for Unchecked {
    fn default() -> Self {
        let EaseConfig { l2, user_degree_exponent, item_ridge_exponent, neighbors, row_length } = EaseConfig::default();
        Self { l2, user_degree_exponent, item_ridge_exponent, neighbors, row_length }
    }
}

impl TryFrom<Unchecked> for EaseConfig {
    type Error = InvalidInput;
    fn try_from(from: Unchecked) -> Result<Self, InvalidInput> {
        let Unchecked { l2, user_degree_exponent, item_ridge_exponent, neighbors, row_length } = from;
        let config = Self { l2, user_degree_exponent, item_ridge_exponent, neighbors, row_length };
        config.check()?;
        Ok(config)
    }
}
