use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

/// Most dimensions of a factorisation: one solve costs their cube.
const DIMENSIONS_MAX: usize = 512;
/// Most passes over the data; the loss has settled long before.
const EPOCHS_MAX: usize = 1_000;
/// Greatest regularisation or unobserved weight; beyond it every vector is zero in single precision.
const STRENGTH_MAX: f64 = 1e6;
/// Greatest exponent of the frequency; published ones lie between 0 and 1.
const FREQUENCY_EXPONENT_MAX: f64 = 2.0;

/// The hyper-parameters of iALS.
///
/// Checked when it is read from a file, and again by [`crate::IalsModel`], because its fields are open.
///
/// **Source**: names and defaults after Rendle, Krichene, Zhang, Koren 2021, "Revisiting the
/// Performance of iALS on Item Recommendation Benchmarks".
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct IalsConfig {
    /// Components of a vector, 1 to 512.
    pub dimensions: usize,
    /// Passes over users and items, 1 to 1,000.
    pub epochs: usize,
    /// Strength of the penalty on the length of vectors; above 0.
    pub regularization: f64,
    /// Weight of "this pair was not seen, so predict 0", for every pair; 0 or more.
    pub unobserved_weight: f64,
    /// How much more a frequent user or item is regularised: 0 not at all, 1 in proportion; 0 to 2.
    pub frequency_exponent: f64,
}

impl Default for IalsConfig {
    fn default() -> Self {
        Self { dimensions: 64, epochs: 12, regularization: 0.009, unobserved_weight: 0.8, frequency_exponent: 1.0 }
    }
}

impl IalsConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field out of range.
    pub fn check(&self) -> Result<(), InvalidInput> {
        let whole = |field: &'static str, value: usize, max: usize| {
            if (1..=max).contains(&value) {
                return Ok(());
            }
            Err(InvalidInput::new(field, format!("must lie in 1 to {max}, got {value}")))
        };
        let real = |field: &'static str, value: f64, max: f64| {
            if (0.0..=max).contains(&value) {
                return Ok(());
            }
            Err(InvalidInput::new(field, format!("must lie in 0 to {max}, got {value}")))
        };
        whole("dimensions", self.dimensions, DIMENSIONS_MAX)?;
        whole("epochs", self.epochs, EPOCHS_MAX)?;
        real("regularization", self.regularization, STRENGTH_MAX)?;
        real("unobserved_weight", self.unobserved_weight, STRENGTH_MAX)?;
        real("frequency_exponent", self.frequency_exponent, FREQUENCY_EXPONENT_MAX)?;
        if self.regularization <= 0.0 {
            return Err(InvalidInput::new("regularization", "must be above 0: without it a solve may have no answer"));
        }
        Ok(())
    }
}

/// The form in a file: fields that are absent take their defaults, unknown ones are refused.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Unchecked {
    dimensions: usize,
    epochs: usize,
    regularization: f64,
    unobserved_weight: f64,
    frequency_exponent: f64,
}

impl Default for Unchecked {
    fn default() -> Self {
        let IalsConfig { dimensions, epochs, regularization, unobserved_weight, frequency_exponent } =
            IalsConfig::default();
        Self { dimensions, epochs, regularization, unobserved_weight, frequency_exponent }
    }
}

impl TryFrom<Unchecked> for IalsConfig {
    type Error = InvalidInput;
    fn try_from(from: Unchecked) -> Result<Self, InvalidInput> {
        let Unchecked { dimensions, epochs, regularization, unobserved_weight, frequency_exponent } = from;
        let config = Self { dimensions, epochs, regularization, unobserved_weight, frequency_exponent };
        config.check()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> String {
        serde_json::from_str::<IalsConfig>(json).unwrap_err().to_string()
    }

    #[test]
    fn absent_fields_take_their_defaults() {
        let config: IalsConfig = serde_json::from_str(r#"{"dimensions": 8}"#).unwrap();
        assert_eq!(config, IalsConfig { dimensions: 8, ..IalsConfig::default() });
    }

    #[test]
    fn refusals_name_the_field_what_was_expected_and_what_came() {
        assert!(refusal(r#"{"dimensions": 513}"#).contains("dimensions: must lie in 1 to 512, got 513"));
        assert!(refusal(r#"{"epochs": 0}"#).contains("epochs: must lie in 1 to 1000, got 0"));
        assert!(refusal(r#"{"regularization": 0.0}"#).contains("regularization: must be above 0"));
        assert!(refusal(r#"{"unobserved_weight": -1.0}"#).contains("unobserved_weight: must lie in 0 to"));
        assert!(refusal(r#"{"dimension": 8}"#).contains("unknown field `dimension`"));
    }

    #[test]
    fn nan_is_refused_in_every_real_field() {
        let nan = f64::NAN;
        for config in [
            IalsConfig { regularization: nan, ..IalsConfig::default() },
            IalsConfig { unobserved_weight: nan, ..IalsConfig::default() },
            IalsConfig { frequency_exponent: nan, ..IalsConfig::default() },
        ] {
            assert!(config.check().is_err(), "{config:?}");
        }
    }
}
