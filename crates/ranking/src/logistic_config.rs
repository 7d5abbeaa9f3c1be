use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

/// Greatest number of Newton steps; a fit takes ten or so.
const ITERATIONS_MAX: usize = 1_000;
/// Range of the penalty: below it separable data gives no minimum in doubles, above it all is zero.
const L2_MIN: f64 = 1e-9;
const L2_MAX: f64 = 1e12;

/// How a logistic regression is fitted.
///
/// Checked when it is read from a file, and again by [`crate::LogisticRegression::fit`], because its
/// fields are open.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct LogisticConfig {
    /// Penalty on the standardised weights, beside the *sum* of the log-losses of the rows: `l2 / 2`
    /// times the sum of their squares. 1e-9 to 1e12; more rows make the same value count less.
    pub l2: f64,
    /// Most Newton steps, 1 to 1,000; the fit ends before when the gradient vanishes.
    pub iterations_max: usize,
}

impl Default for LogisticConfig {
    fn default() -> Self {
        Self { l2: 1.0, iterations_max: 50 }
    }
}

impl LogisticConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field out of range.
    pub fn check(&self) -> Result<(), InvalidInput> {
        if !(L2_MIN..=L2_MAX).contains(&self.l2) {
            return Err(InvalidInput::new("l2", format!("must lie in {L2_MIN:e} to {L2_MAX:e}, got {}", self.l2)));
        }
        if !(1..=ITERATIONS_MAX).contains(&self.iterations_max) {
            let reason = format!("must lie in 1 to {ITERATIONS_MAX}, got {}", self.iterations_max);
            return Err(InvalidInput::new("iterations_max", reason));
        }
        Ok(())
    }
}

/// The form in a file: fields that are absent take their defaults, unknown ones are refused.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Unchecked {
    l2: f64,
    iterations_max: usize,
}

impl Default for Unchecked {
    fn default() -> Self {
        let LogisticConfig { l2, iterations_max } = LogisticConfig::default();
        Self { l2, iterations_max }
    }
}

impl TryFrom<Unchecked> for LogisticConfig {
    type Error = InvalidInput;
    fn try_from(from: Unchecked) -> Result<Self, InvalidInput> {
        let config = Self { l2: from.l2, iterations_max: from.iterations_max };
        config.check()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_fields_take_their_defaults_and_wrong_ones_are_named() {
        let config: LogisticConfig = serde_json::from_str(r#"{"l2": 3.0}"#).unwrap();
        assert_eq!(config, LogisticConfig { l2: 3.0, ..LogisticConfig::default() });
        for (json, expected) in [
            (r#"{"l2": 0.0}"#, "l2: must lie in 1e-9 to 1e12, got 0"),
            (r#"{"iterations_max": 0}"#, "iterations_max: must lie in 1 to 1000, got 0"),
            (r#"{"l1": 0.0}"#, "unknown field `l1`"),
        ] {
            let error = serde_json::from_str::<LogisticConfig>(json).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(LogisticConfig { l2: f64::NAN, ..LogisticConfig::default() }.check().is_err());
    }
}
