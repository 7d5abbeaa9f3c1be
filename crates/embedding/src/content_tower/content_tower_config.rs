use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

/// Most features of a model: each costs a row of it.
pub(crate) const FEATURES_MAX: usize = 200_000;
/// Greatest exponent of the trust: at 1 an example counts as often as it has events.
const TRUST_EXPONENT_MAX: f64 = 1.0;
/// Range of the ridge: below it a solve does not converge in single precision, above it every answer is
/// the mean.
pub(crate) const RIDGE_RANGE: std::ops::RangeInclusive<f64> = 1e-3..=1e6;

/// The hyper-parameters of the content tower.
///
/// Checked when it is read from a file, and again by [`crate::ContentTower`], because its fields are open.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct ContentTowerConfig {
    /// Most features kept, the most frequent ones, 1 to 200,000.
    pub features_max: usize,
    /// How much more an item with many events counts, in the fit and in the choice of the ridge: 0 not at
    /// all, 1 in proportion; 0 to 1. Not at all was measured best: the vector of an item with few events
    /// is short already, and that it should be is part of what attributes tell.
    pub trust_exponent: f64,
    /// Strength of the penalty on the map, 0.001 to 1,000,000; absent: chosen by itself on a tenth of the
    /// items held out.
    pub ridge: Option<f64>,
}

impl Default for ContentTowerConfig {
    fn default() -> Self {
        Self { features_max: FEATURES_MAX, trust_exponent: 0.0, ridge: None }
    }
}

impl ContentTowerConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field out of range.
    pub fn check(&self) -> Result<(), InvalidInput> {
        if !(1..=FEATURES_MAX).contains(&self.features_max) {
            let reason = format!("must lie in 1 to {FEATURES_MAX}, got {}", self.features_max);
            return Err(InvalidInput::new("features_max", reason));
        }
        // The negated range refuses NaN too.
        if !(0.0..=TRUST_EXPONENT_MAX).contains(&self.trust_exponent) {
            let reason = format!("must lie in 0 to {TRUST_EXPONENT_MAX}, got {}", self.trust_exponent);
            return Err(InvalidInput::new("trust_exponent", reason));
        }
        match self.ridge {
            Some(ridge) if !RIDGE_RANGE.contains(&ridge) => {
                let (min, max) = (RIDGE_RANGE.start(), RIDGE_RANGE.end());
                Err(InvalidInput::new("ridge", format!("must lie in {min} to {max}, got {ridge}")))
            }
            _ => Ok(()),
        }
    }
}

/// The form in a file: fields that are absent take their defaults, unknown ones are refused.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Unchecked {
    features_max: usize,
    trust_exponent: f64,
    ridge: Option<f64>,
}

impl Default for Unchecked {
    fn default() -> Self {
        let ContentTowerConfig { features_max, trust_exponent, ridge } = ContentTowerConfig::default();
        Self { features_max, trust_exponent, ridge }
    }
}

impl TryFrom<Unchecked> for ContentTowerConfig {
    type Error = InvalidInput;
    fn try_from(from: Unchecked) -> Result<Self, InvalidInput> {
        let Unchecked { features_max, trust_exponent, ridge } = from;
        let config = Self { features_max, trust_exponent, ridge };
        config.check()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> String {
        serde_json::from_str::<ContentTowerConfig>(json).unwrap_err().to_string()
    }

    #[test]
    fn absent_fields_take_their_defaults() {
        let config: ContentTowerConfig = serde_json::from_str(r#"{"ridge": 3.0}"#).unwrap();
        assert_eq!(config, ContentTowerConfig { ridge: Some(3.0), ..ContentTowerConfig::default() });
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<ContentTowerConfig>(&json).unwrap(), config);
    }

    #[test]
    fn refusals_name_the_field_what_was_expected_and_what_came() {
        assert!(refusal(r#"{"features_max": 0}"#).contains("features_max: must lie in 1 to 200000, got 0"));
        assert!(refusal(r#"{"trust_exponent": -1.0}"#).contains("trust_exponent: must lie in 0 to 1, got -1"));
        assert!(refusal(r#"{"ridge": 0.0}"#).contains("ridge: must lie in 0.001 to 1000000, got 0"));
        assert!(refusal(r#"{"ridges": 8}"#).contains("unknown field `ridges`"));
    }

    #[test]
    fn nan_is_refused_in_every_real_field() {
        let nan = f64::NAN;
        for config in [
            ContentTowerConfig { trust_exponent: nan, ..ContentTowerConfig::default() },
            ContentTowerConfig { ridge: Some(nan), ..ContentTowerConfig::default() },
        ] {
            assert!(config.check().is_err(), "{config:?}");
        }
    }
}
