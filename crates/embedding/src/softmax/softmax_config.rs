use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

/// Most dimensions of a vector; the same as those of iALS.
const DIMENSIONS_MAX: usize = 512;
/// Most passes over the data; the loss has settled long before.
const EPOCHS_MAX: usize = 1_000;
/// Greatest learning rate: one step of a component, whereas a vector begins with the length 1.
const LEARNING_RATE_MAX: f64 = 1.0;
/// Least temperature: below it the probabilities of cosines are 0 and 1 in single precision.
const TEMPERATURE_MIN: f64 = 0.01;
/// Greatest temperature: above it all probabilities are the same.
const TEMPERATURE_MAX: f64 = 100.0;
/// Most pairs of a batch: their gradients are held at once.
const BATCH_PAIRS_MAX: usize = 65_536;
/// Most draws per batch: 256 pairs hold as many logits each at once, 64 MiB per thread.
const NEGATIVES_MAX: usize = 65_536;
/// Greatest exponent of the popularity; published ones lie between 0 and 1.
const EXPONENT_MAX: f64 = 2.0;

/// The hyper-parameters of the two-tower model with sampled softmax.
///
/// Checked when it is read from a file, and again by [`crate::SoftmaxModel`], because its fields are
/// open.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct SoftmaxConfig {
    /// Components of a vector, 1 to 512.
    pub dimensions: usize,
    /// Passes over the pairs, 1 to 1,000; the learning rate falls to zero over them.
    pub epochs: usize,
    /// Length of the first steps of a component; above 0, at most 1.
    pub learning_rate: f64,
    /// What cosines are divided by to give logits, 0.01 to 100: the lower, the more the closest
    /// negatives count.
    pub temperature: f64,
    /// Pairs that are learned from in one step, 1 to 65,536; up to 15 more to keep a hand whole.
    pub batch_pairs: usize,
    /// Draws of negatives that the pairs of a batch share, 1 to 65,536.
    pub negatives: usize,
    /// How much more often a popular item is drawn: 0 not at all, 1 in proportion; 0 to 2. The
    /// correction takes it out of the loss again; what remains is how exact the loss is.
    pub negative_exponent: f64,
    /// How much of an item's popularity the scores leave out: 0 none, so that they are the logarithm of
    /// how likely the next item is; 1 all, so that they say how much more likely than for anyone; 0 to 2.
    pub popularity_discount: f64,
}

impl Default for SoftmaxConfig {
    fn default() -> Self {
        Self {
            dimensions: 64,
            epochs: 16,
            learning_rate: 0.01,
            temperature: 0.1,
            batch_pairs: 2_048,
            negatives: 2_048,
            negative_exponent: 0.5,
            popularity_discount: 0.0,
        }
    }
}

impl SoftmaxConfig {
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
        let real = |field: &'static str, value: f64, min: f64, max: f64| {
            if (min..=max).contains(&value) {
                return Ok(());
            }
            Err(InvalidInput::new(field, format!("must lie in {min} to {max}, got {value}")))
        };
        whole("dimensions", self.dimensions, DIMENSIONS_MAX)?;
        whole("epochs", self.epochs, EPOCHS_MAX)?;
        real("learning_rate", self.learning_rate, 0.0, LEARNING_RATE_MAX)?;
        real("temperature", self.temperature, TEMPERATURE_MIN, TEMPERATURE_MAX)?;
        whole("batch_pairs", self.batch_pairs, BATCH_PAIRS_MAX)?;
        whole("negatives", self.negatives, NEGATIVES_MAX)?;
        real("negative_exponent", self.negative_exponent, 0.0, EXPONENT_MAX)?;
        real("popularity_discount", self.popularity_discount, 0.0, EXPONENT_MAX)?;
        if self.learning_rate <= 0.0 {
            return Err(InvalidInput::new("learning_rate", "must be above 0: without it nothing is learned"));
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
    learning_rate: f64,
    temperature: f64,
    batch_pairs: usize,
    negatives: usize,
    negative_exponent: f64,
    popularity_discount: f64,
}

impl Default for Unchecked {
    fn default() -> Self {
        let from = SoftmaxConfig::default();
        let SoftmaxConfig { dimensions, epochs, learning_rate, temperature, batch_pairs, .. } = from;
        let SoftmaxConfig { negatives, negative_exponent, popularity_discount, .. } = from;
        Self {
            dimensions,
            epochs,
            learning_rate,
            temperature,
            batch_pairs,
            negatives,
            negative_exponent,
            popularity_discount,
        }
    }
}

impl TryFrom<Unchecked> for SoftmaxConfig {
    type Error = InvalidInput;
    fn try_from(from: Unchecked) -> Result<Self, InvalidInput> {
        let Unchecked { dimensions, epochs, learning_rate, temperature, batch_pairs, .. } = from;
        let Unchecked { negatives, negative_exponent, popularity_discount, .. } = from;
        let config = Self {
            dimensions,
            epochs,
            learning_rate,
            temperature,
            batch_pairs,
            negatives,
            negative_exponent,
            popularity_discount,
        };
        config.check()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> String {
        serde_json::from_str::<SoftmaxConfig>(json).unwrap_err().to_string()
    }

    #[test]
    fn absent_fields_take_their_defaults() {
        let config: SoftmaxConfig = serde_json::from_str(r#"{"dimensions": 8}"#).unwrap();
        assert_eq!(config, SoftmaxConfig { dimensions: 8, ..SoftmaxConfig::default() });
    }

    #[test]
    fn what_is_written_is_read_again() {
        let config = SoftmaxConfig { temperature: 0.3, batch_pairs: 77, ..SoftmaxConfig::default() };
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<SoftmaxConfig>(&json).unwrap(), config);
    }

    #[test]
    fn refusals_name_the_field_what_was_expected_and_what_came() {
        assert!(refusal(r#"{"dimensions": 513}"#).contains("dimensions: must lie in 1 to 512, got 513"));
        assert!(refusal(r#"{"epochs": 0}"#).contains("epochs: must lie in 1 to 1000, got 0"));
        assert!(refusal(r#"{"learning_rate": 0.0}"#).contains("learning_rate: must be above 0"));
        assert!(refusal(r#"{"temperature": 0.001}"#).contains("temperature: must lie in 0.01 to 100, got 0.001"));
        assert!(refusal(r#"{"batch_pairs": 0}"#).contains("batch_pairs: must lie in 1 to 65536, got 0"));
        assert!(refusal(r#"{"negatives": 70000}"#).contains("negatives: must lie in 1 to 65536, got 70000"));
        assert!(refusal(r#"{"negative": 8}"#).contains("unknown field `negative`"));
    }

    #[test]
    fn nan_is_refused_in_every_real_field() {
        let nan = f64::NAN;
        for config in [
            SoftmaxConfig { learning_rate: nan, ..SoftmaxConfig::default() },
            SoftmaxConfig { temperature: nan, ..SoftmaxConfig::default() },
            SoftmaxConfig { negative_exponent: nan, ..SoftmaxConfig::default() },
            SoftmaxConfig { popularity_discount: nan, ..SoftmaxConfig::default() },
        ] {
            assert!(config.check().is_err(), "{config:?}");
        }
    }
}
