use std::collections::BTreeMap;

use shortlist_types::InvalidInput;

use crate::FittedRanker;

const WEIGHTS_MAX: usize = 16;
/// Largest weight either way: sums of so many times a probability stay far from what a float cannot hold.
const WEIGHT_MAX: f64 = 1e6;

/// What an item is worth to show: the sum over outcomes of how likely each is, times what it is worth.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ValueModel(Vec<(String, f32)>);

impl ValueModel {
    /// None of no weights.
    ///
    /// # Errors
    /// Too many weights, or one out of range.
    pub(crate) fn parse(weights: &BTreeMap<String, f64>) -> Result<Option<Self>, InvalidInput> {
        if weights.len() > WEIGHTS_MAX {
            let reason = format!("must name at most {WEIGHTS_MAX} outcomes, got {}", weights.len());
            return Err(InvalidInput::new("", reason));
        }
        if let Some((name, weight)) = weights.iter().find(|(_, weight)| weight.is_nan() || weight.abs() > WEIGHT_MAX) {
            let reason = format!("must be {} to {WEIGHT_MAX}, got {weight}", -WEIGHT_MAX);
            return Err(InvalidInput::new(name.clone(), reason));
        }
        #[allow(clippy::cast_possible_truncation)] // bounded above
        let weights: Vec<_> = weights.iter().map(|(name, weight)| (name.clone(), *weight as f32)).collect();
        Ok((!weights.is_empty()).then_some(Self(weights)))
    }

    /// Writes the value of each candidate; `false` if the ranker does not tell all outcomes as probabilities, and
    /// nothing is written then.
    ///
    /// **Shapes**: `scores` candidates x outcomes of the ranker; `to` becomes candidates.
    pub(crate) fn apply(&self, ranker: &FittedRanker, scores: &[f32], to: &mut Vec<f32>) -> bool {
        let place = |name: &String| {
            let place = ranker.outcomes.iter().position(|outcome| outcome.name == *name)?;
            ranker.outcomes[place].calibration.map(|_| place)
        };
        let terms: Option<Vec<(usize, f32)>> =
            self.0.iter().map(|(name, weight)| place(name).map(|place| (place, *weight))).collect();
        let Some(terms) = terms else { return false };
        to.clear();
        to.extend(scores.chunks_exact(ranker.outcomes.len()).map(|scores| {
            let worth = |(place, weight): &(usize, f32)| {
                ranker.probability(*place, scores[*place]).map_or(0.0, |probability| weight * probability)
            };
            terms.iter().map(worth).sum::<f32>()
        }));
        true
    }
}
