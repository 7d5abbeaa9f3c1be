use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

use crate::probability::sigmoid;
use crate::{RankingError, probability};

/// Newton steps of a fit; it ends before when it stands still.
const STEPS_MAX: usize = 100;
const STANDSTILL: f64 = 1e-12;

/// From a score to a probability, by outcomes that were held out of the fit of the ranker.
///
/// **Source**: Platt 1999, with his targets that lie a little inside 0 and 1, and a slope that is never
/// negative: a calibration moves probabilities, never the order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Platt {
    /// What the score is multiplied with, 0 or more.
    pub slope: f64,
    /// What is added.
    pub intercept: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    slope: f64,
    intercept: f64,
}

impl TryFrom<Unchecked> for Platt {
    type Error = InvalidInput;
    fn try_from(Unchecked { slope, intercept }: Unchecked) -> Result<Self, InvalidInput> {
        if !slope.is_finite() || slope < 0.0 {
            return Err(InvalidInput::new("slope", format!("must be finite and not negative, got {slope}")));
        }
        if !intercept.is_finite() {
            return Err(InvalidInput::new("intercept", format!("must be finite, got {intercept}")));
        }
        Ok(Self { slope, intercept })
    }
}

impl Platt {
    /// Fits slope and intercept.
    ///
    /// **Shapes**: finite `scores` and `labels`, one each per row.
    /// **Cost**: about ten passes over the rows.
    ///
    /// # Errors
    /// One outcome only, or a score that is not finite.
    pub fn fit(scores: &[f32], labels: &[bool]) -> Result<Self, RankingError> {
        let positives = labels.iter().filter(|label| **label).count();
        let (rows, negatives) = (labels.len(), labels.len() - positives);
        if positives == 0 || negatives == 0 || scores.len() != rows {
            return Err(RankingError::OneClass { positives, rows });
        }
        if let Some((candidate, score)) = scores.iter().enumerate().find(|(_, score)| !score.is_finite()) {
            return Err(RankingError::ScoreNotFinite { candidate, score: *score });
        }
        let targets = [1.0 / (negatives as f64 + 2.0), (positives as f64 + 1.0) / (positives as f64 + 2.0)];
        let rows: Vec<(f64, f64)> =
            scores.iter().zip(labels).map(|(score, label)| (f64::from(*score), targets[usize::from(*label)])).collect();
        let start = (positives as f64 / negatives as f64).ln();
        let mut here = Self { slope: 0.0, intercept: start };
        let mut loss = here.loss(&rows);
        for _ in 0..STEPS_MAX {
            let (slope, intercept) = here.newton_step(&rows);
            let shortened = (0..40).map(|halvings| 0.5_f64.powi(halvings)).find_map(|length| {
                let there = Self { slope: here.slope + length * slope, intercept: here.intercept + length * intercept };
                let after = there.loss(&rows);
                (after < loss).then_some((there, after))
            });
            let Some((there, after)) = shortened else { break };
            let gain = loss - after;
            (here, loss) = (there, after);
            if gain < STANDSTILL * rows.len() as f64 {
                break;
            }
        }
        // Scores that order backwards say nothing about the probability.
        Ok(if here.slope > 0.0 { here } else { Self { slope: 0.0, intercept: start } })
    }

    fn loss(&self, rows: &[(f64, f64)]) -> f64 {
        let of = |(score, target): &(f64, f64)| {
            let x = self.slope * score + self.intercept;
            x.max(0.0) - x * target + (-x.abs()).exp().ln_1p()
        };
        rows.iter().map(of).sum()
    }

    fn newton_step(&self, rows: &[(f64, f64)]) -> (f64, f64) {
        // A little on the diagonal keeps a singular system solvable.
        let (mut by_slope, mut by_intercept, mut aa, mut ab, mut bb) = (0.0, 0.0, 1e-9, 0.0, 1e-9);
        for (score, target) in rows {
            let p = sigmoid(self.slope * score + self.intercept);
            let (error, curvature) = (p - target, p * (1.0 - p));
            by_slope += error * score;
            by_intercept += error;
            aa += curvature * score * score;
            ab += curvature * score;
            bb += curvature;
        }
        let determinant = aa * bb - ab * ab;
        ((ab * by_intercept - bb * by_slope) / determinant, (ab * by_slope - aa * by_intercept) / determinant)
    }

    /// The log-odds of a score.
    pub fn log_odds(&self, score: f32) -> f32 {
        (self.slope * f64::from(score) + self.intercept) as f32
    }

    /// The probability of a score.
    pub fn probability(&self, score: f32) -> f32 {
        probability(self.log_odds(score))
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn planted_slope_and_intercept_are_found() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let scores: Vec<f32> = (0..50_000).map(|_| random.random_range(-3.0..3.0)).collect();
        let labels: Vec<bool> = scores.iter().map(|s| random.random::<f32>() < probability(0.5 * s - 1.0)).collect();
        let found = Platt::fit(&scores, &labels).unwrap();
        assert!((found.slope - 0.5).abs() < 0.02 && (found.intercept + 1.0).abs() < 0.03, "{found:?}");
    }

    #[test]
    fn separable_backward_and_one_sided_scores_stay_finite_and_never_turn_the_order() {
        let separable = Platt::fit(&[-1.0, 1.0, 2.0], &[false, true, true]).unwrap();
        assert!(separable.slope.is_finite() && separable.slope > 0.0);
        let backward = Platt::fit(&[1.0, -1.0], &[false, true]).unwrap();
        assert!(backward.slope.abs() <= 0.0 && (backward.probability(7.0) - 0.5).abs() < 1e-6);
        assert!(Platt::fit(&[1.0], &[true]).is_err());
        assert!(Platt::fit(&[f32::NAN, 1.0], &[true, false]).is_err());
        assert!(serde_json::from_str::<Platt>(r#"{"slope": -1.0, "intercept": 0.0}"#).is_err());
    }
}
