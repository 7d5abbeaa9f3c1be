use serde::{Deserialize, Serialize};
use shortlist_embedding::{IalsConfig, Interactions};

/// The unobserved weight that suits most data, in units of the density of the matrix: what is not seen
/// then weighs 4.5 times as much as what is, whatever the size of the catalogue.
const UNOBSERVED_OVER_DENSITY: f64 = 4.5;
/// The penalty on the vector of an average user that suits most data, per item that he has.
const RIDGE_PER_ITEM: f64 = 0.045;

/// `[training.retrieval.ials]`: where the search of iALS begins. What is absent is taken from the data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IalsStart {
    /// Components of a vector; if absent, by the size of the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<usize>,
    /// Passes over users and items.
    pub epochs: usize,
    /// How much more a frequent user or item is regularised: 0 not at all, 1 in proportion.
    pub frequency_exponent: f64,
    /// Weight of "this pair was not seen"; 4.5 times the density of the matrix if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unobserved_weight: Option<f64>,
    /// Strength of the penalty on the length of vectors; if absent, so that the penalty of
    /// an average user is 0.045 per item that he has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regularization: Option<f64>,
}

impl Default for IalsStart {
    fn default() -> Self {
        Self { dimensions: None, epochs: 8, frequency_exponent: 0.75, unobserved_weight: None, regularization: None }
    }
}

impl IalsStart {
    /// The hyper-parameters for these interactions.
    pub(crate) fn for_data(&self, interactions: &Interactions) -> IalsConfig {
        let (users, items) = (interactions.users().len() as f64, interactions.items().len() as f64);
        self.with_density(interactions.len() as f64 / users, items)
    }

    /// The hyper-parameters for users with so many items of so many.
    pub(crate) fn with_density(&self, items_per_user: f64, items: f64) -> IalsConfig {
        let Self { epochs, frequency_exponent, .. } = *self;
        let dimensions = self.dimensions.unwrap_or_else(|| usual_dimensions(items));
        let unobserved_weight =
            self.unobserved_weight.unwrap_or(UNOBSERVED_OVER_DENSITY * items_per_user / items.max(1.0));
        let frequency = items_per_user + unobserved_weight * items;
        let regularization =
            self.regularization.unwrap_or(RIDGE_PER_ITEM * items_per_user / frequency.powf(frequency_exponent));
        IalsConfig { dimensions, epochs, regularization, unobserved_weight, frequency_exponent }
    }
}

/// Few where the catalogue is large, because an index holds them for every item; and few where it is
/// small, because more say nothing.
fn usual_dimensions(items: f64) -> usize {
    match items {
        ..2_048.0 => 64,
        ..8_192.0 => 256,
        ..100_000.0 => 512,
        ..1_000_000.0 => 128,
        _ => 64,
    }
}
