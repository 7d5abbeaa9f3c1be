use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

/// Most dimensions: the eigenvalues of one small matrix cost their cube.
const DIMENSIONS_MAX: usize = 1_024;
/// Most passes over the data; the subspace has settled long before.
const ITERATIONS_MAX: usize = 1_000;
/// Most directions that are computed beside the kept ones.
const OVERSAMPLING_MAX: usize = 512;
/// Greatest exponent of a degree; useful ones lie between 0 and 1.
const EXPONENT_MAX: f64 = 2.0;

/// The hyper-parameters of the graph filter.
///
/// Checked when it is read from a file, and again by [`crate::GraphFilterModel`], because its fields
/// are open.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct GraphFilterConfig {
    /// Smoothest directions of the graph that are kept, the components of a vector; 1 to 1,024.
    pub dimensions: usize,
    /// Subspace iterations, 1 to 1,000: more bring the last kept directions closer to the exact ones.
    pub iterations: usize,
    /// Directions computed beside the kept ones and dropped at the end, 0 to 512: more make every
    /// iteration converge faster and cost more.
    pub oversampling: usize,
    /// How much less an active user counts: by the power of his degree; 0 to 2.
    pub user_exponent: f64,
    /// How much less a popular item says; 0 to 2.
    pub item_exponent: f64,
    /// How much more a popular item is proposed; 0 to 2.
    pub target_exponent: f64,
}

impl Default for GraphFilterConfig {
    fn default() -> Self {
        Self {
            dimensions: 64,
            iterations: 6,
            oversampling: 32,
            user_exponent: 0.4,
            item_exponent: 0.4,
            target_exponent: 0.2,
        }
    }
}

impl GraphFilterConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field out of range.
    pub fn check(&self) -> Result<(), InvalidInput> {
        let whole = |field: &'static str, value: usize, min: usize, max: usize| {
            if (min..=max).contains(&value) {
                return Ok(());
            }
            Err(InvalidInput::new(field, format!("must lie in {min} to {max}, got {value}")))
        };
        let real = |field: &'static str, value: f64| {
            if (0.0..=EXPONENT_MAX).contains(&value) {
                return Ok(());
            }
            Err(InvalidInput::new(field, format!("must lie in 0 to {EXPONENT_MAX}, got {value}")))
        };
        whole("dimensions", self.dimensions, 1, DIMENSIONS_MAX)?;
        whole("iterations", self.iterations, 1, ITERATIONS_MAX)?;
        whole("oversampling", self.oversampling, 0, OVERSAMPLING_MAX)?;
        real("user_exponent", self.user_exponent)?;
        real("item_exponent", self.item_exponent)?;
        real("target_exponent", self.target_exponent)
    }
}

/// The form in a file: fields that are absent take their defaults, unknown ones are refused.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Unchecked {
    dimensions: usize,
    iterations: usize,
    oversampling: usize,
    user_exponent: f64,
    item_exponent: f64,
    target_exponent: f64,
}

impl Default for Unchecked {
    fn default() -> Self {
        let GraphFilterConfig { dimensions, iterations, oversampling, user_exponent, item_exponent, target_exponent } =
            GraphFilterConfig::default();
        Self { dimensions, iterations, oversampling, user_exponent, item_exponent, target_exponent }
    }
}

impl TryFrom<Unchecked> for GraphFilterConfig {
    type Error = InvalidInput;
    fn try_from(from: Unchecked) -> Result<Self, InvalidInput> {
        let Unchecked { dimensions, iterations, oversampling, user_exponent, item_exponent, target_exponent } = from;
        let config = Self { dimensions, iterations, oversampling, user_exponent, item_exponent, target_exponent };
        config.check()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> String {
        serde_json::from_str::<GraphFilterConfig>(json).unwrap_err().to_string()
    }

    #[test]
    fn absent_fields_take_their_defaults() {
        let config: GraphFilterConfig = serde_json::from_str(r#"{"dimensions": 8}"#).unwrap();
        assert_eq!(config, GraphFilterConfig { dimensions: 8, ..GraphFilterConfig::default() });
    }

    #[test]
    fn refusals_name_the_field_what_was_expected_and_what_came() {
        assert!(refusal(r#"{"dimensions": 1025}"#).contains("dimensions: must lie in 1 to 1024, got 1025"));
        assert!(refusal(r#"{"iterations": 0}"#).contains("iterations: must lie in 1 to 1000, got 0"));
        assert!(refusal(r#"{"oversampling": 513}"#).contains("oversampling: must lie in 0 to 512, got 513"));
        assert!(refusal(r#"{"dimension": 8}"#).contains("unknown field `dimension`"));
    }
}
