use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

/// Farthest that a number may lie from the mean, in standard deviations.
const REACH: f32 = 8.0;

/// Numbers less the mean of training, by its standard deviation; a missing one is at the mean, 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "(f64, f64)", into = "(f64, f64)")]
pub struct StandardScale {
    mean: f64,
    /// 0 for a number that is always the same.
    deviation: f64,
}

impl StandardScale {
    /// The scale of some numbers; those that are not finite are left out.
    pub fn fit(values: impl IntoIterator<Item = f32> + Clone) -> Self {
        let values = || values.clone().into_iter().filter(|value| value.is_finite()).map(f64::from);
        let count = values().count().max(1) as f64;
        let mean = values().sum::<f64>() / count;
        let variance = values().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
        let deviation = if variance.sqrt() > 1e-7 * mean.abs() { variance.sqrt() } else { 0.0 };
        Self { mean, deviation }
    }

    /// The place of a number on the scale, at most 8 deviations out; 0 if it is missing, NaN or infinite.
    pub fn apply(&self, value: Option<f32>) -> f32 {
        let Some(value) = value.filter(|value| value.is_finite()) else { return 0.0 };
        if self.deviation <= 0.0 {
            return 0.0;
        }
        (((f64::from(value) - self.mean) / self.deviation) as f32).clamp(-REACH, REACH)
    }
}

impl From<StandardScale> for (f64, f64) {
    fn from(scale: StandardScale) -> Self {
        (scale.mean, scale.deviation)
    }
}

impl TryFrom<(f64, f64)> for StandardScale {
    type Error = InvalidInput;
    fn try_from((mean, deviation): (f64, f64)) -> Result<Self, InvalidInput> {
        if !mean.is_finite() || !deviation.is_finite() || deviation < 0.0 {
            return Err(InvalidInput::new("scale", "must be a finite mean and a deviation of 0 or more"));
        }
        Ok(Self { mean, deviation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lie_about_zero_and_missing_ones_at_it() {
        let scale = StandardScale::fit([1.0, 3.0, f32::NAN]);
        for (value, expected) in [(Some(3.0), 1.0_f32), (Some(1.0), -1.0), (Some(1e30), 8.0), (None, 0.0)] {
            assert_eq!(scale.apply(value).to_bits(), expected.to_bits(), "{value:?}");
        }
        assert_eq!(scale.apply(Some(f32::NEG_INFINITY)).to_bits(), 0.0_f32.to_bits());
        assert_eq!(StandardScale::fit([0.1, 0.1]).apply(Some(5.0)).to_bits(), 0.0_f32.to_bits());
        assert!(serde_json::from_str::<StandardScale>("[0.0, -1.0]").is_err());
    }
}
