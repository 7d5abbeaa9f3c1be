use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::EvaluationError;

/// Most bootstrap samples; more are refused, because each costs a pass over all values.
pub const BOOTSTRAP_SAMPLES_MAX: usize = 100_000;

/// Ends of the 95 % interval, as quantiles of the resampled means.
const QUANTILES: [f64; 2] = [0.025, 0.975];

/// A mean and how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Mean of the values.
    pub mean: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
    /// How many values.
    pub n: usize,
}

/// Mean of `values` with its 95 % percentile-bootstrap interval.
///
/// Each value must stand for one independent unit, usually a user: events of one user are not
/// independent. Quantiles are interpolated linearly between the sorted means of the resamples.
///
/// **Shapes**: n `values`, such as the NDCG of each user.
/// **Cost**: n x `samples` random draws, about 5 ns each; 1,000 samples are usual.
/// **Errors**: no values, a value that is not finite, samples outside 1 to
/// [`BOOTSTRAP_SAMPLES_MAX`].
/// **Source**: Efron 1979, percentile method.
///
/// ```
/// use shortlist_evaluation::bootstrap_mean;
/// let interval = bootstrap_mean(&[0.0, 1.0, 0.0, 1.0], 1000, 7).unwrap();
/// assert_eq!(interval.mean, 0.5);
/// assert!(interval.low < 0.5 && interval.high > 0.5);
/// ```
pub fn bootstrap_mean(values: &[f64], samples: usize, seed: u64) -> Result<Interval, EvaluationError> {
    if !(1..=BOOTSTRAP_SAMPLES_MAX).contains(&samples) {
        let (parameter, max) = ("samples", BOOTSTRAP_SAMPLES_MAX);
        return Err(EvaluationError::OutOfRange { parameter, got: samples, max });
    }
    if values.is_empty() {
        return Err(EvaluationError::Empty);
    }
    if let Some(row) = values.iter().position(|value| !value.is_finite()) {
        return Err(EvaluationError::NotFinite { row, got: values[row] });
    }
    let n = values.len();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut resample = || mean((0..n).map(|_| values[random.random_range(0..n)]), n);
    let mut means: Vec<f64> = (0..samples).map(|_| resample()).collect();
    means.sort_unstable_by(f64::total_cmp);
    let [low, high] = QUANTILES.map(|q| quantile(&means, q));
    Ok(Interval { mean: mean(values.iter().copied(), n), low, high, n })
}

/// Mean of `a - b`, pair by pair, with its 95 % percentile-bootstrap interval.
///
/// Pairs are resampled together, so what a hard user costs both sides cancels. An interval that
/// does not hold 0 says that the two differ.
///
/// **Shapes**: n values each; row i of both belongs to the same unit, usually a user.
/// **Cost**, **Source**: as [`bootstrap_mean`].
/// **Errors**: as [`bootstrap_mean`], and lengths that differ.
pub fn bootstrap_difference(a: &[f64], b: &[f64], samples: usize, seed: u64) -> Result<Interval, EvaluationError> {
    if a.len() != b.len() {
        return Err(EvaluationError::LengthsDiffer { left: a.len(), right: b.len() });
    }
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    bootstrap_mean(&differences, samples, seed)
}

/// Mean of `n` finite values. Each is divided before it is added, and what rounding still carries
/// beyond the largest number is held there: finite values have a finite mean.
fn mean(values: impl Iterator<Item = f64>, n: usize) -> f64 {
    let share = 1.0 / n as f64;
    values.map(|value| value * share).sum::<f64>().clamp(f64::MIN, f64::MAX)
}

/// The value below which a share `q` of the sorted, non-empty `values` lies.
fn quantile(values: &[f64], q: f64) -> f64 {
    let place = q * (values.len() - 1) as f64;
    let below = place.floor();
    let i = below as usize;
    let above = values[(i + 1).min(values.len() - 1)];
    let weight = place - below;
    (values[i] * (1.0 - weight) + above * weight).clamp(values[i], above)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn quantiles_interpolate_between_neighbours() {
        let values = [0.0, 1.0, 2.0, 3.0, 4.0];
        assert!((quantile(&values, 0.5) - 2.0).abs() < 1e-12);
        assert!((quantile(&values, 0.975) - 3.9).abs() < 1e-12);
        assert!((quantile(&[7.0], 0.025) - 7.0).abs() < 1e-12);
    }

    #[test]
    fn the_interval_of_a_coin_agrees_with_the_normal_approximation() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i % 2)).collect();
        let interval = bootstrap_mean(&values, 2_000, 1).unwrap();
        // 1.96 * sqrt(0.25 / 400) = 0.049.
        assert!((interval.mean - 0.5).abs() < 1e-12);
        assert!((interval.high - 0.549).abs() < 0.006 && (interval.low - 0.451).abs() < 0.006, "{interval:?}");
    }

    #[test]
    fn ninety_five_of_a_hundred_intervals_hold_the_true_mean() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let mut held = 0;
        for seed in 0..200 {
            let values: Vec<f64> = (0..60).map(|_| random.random::<f64>()).collect();
            let interval = bootstrap_mean(&values, 300, seed).unwrap();
            held += usize::from(interval.low <= 0.5 && 0.5 <= interval.high);
        }
        assert!((180..=198).contains(&held), "{held} of 200");
    }

    #[test]
    fn pairing_sees_a_difference_that_the_spread_of_users_hides() {
        let a: Vec<f64> = (0..100).map(|i| f64::from(i % 10) / 10.0).collect();
        let b: Vec<f64> = a.iter().enumerate().map(|(i, x)| x - 0.01 - 0.001 * (i % 3) as f64).collect();
        let interval = bootstrap_difference(&a, &b, 1_000, 5).unwrap();
        assert!(interval.low > 0.0 && (interval.mean - 0.011).abs() < 1e-3, "{interval:?}");
        assert!(bootstrap_mean(&a, 1_000, 5).unwrap().low < bootstrap_mean(&b, 1_000, 5).unwrap().high);
    }

    #[test]
    fn bad_input_is_named() {
        let huge = bootstrap_mean(&[1.0], BOOTSTRAP_SAMPLES_MAX + 1, 0).unwrap_err();
        assert_eq!(huge.to_string(), "samples: expected 1 to 100000, got 100001");
        assert_eq!(bootstrap_mean(&[], 10, 0), Err(EvaluationError::Empty));
        assert!(matches!(bootstrap_mean(&[0.0, f64::NAN], 10, 0), Err(EvaluationError::NotFinite { row: 1, .. })));
        let lengths = EvaluationError::LengthsDiffer { left: 1, right: 2 };
        assert_eq!(bootstrap_difference(&[1.0], &[1.0, 2.0], 10, 0), Err(lengths));
        assert!(bootstrap_difference(&[f64::MAX], &[f64::MIN], 10, 0).is_err());
    }

    proptest! {
        #[test]
        fn intervals_are_ordered_repeatable_and_inside_the_values(
            values in prop::collection::vec(-1e3..1e3, 1..40), samples in 1_usize..80, seed: u64,
        ) {
            let got = bootstrap_mean(&values, samples, seed).unwrap();
            prop_assert_eq!(bootstrap_mean(&values, samples, seed).unwrap(), got);
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(least - 1e-9 <= got.low && got.low <= got.high && got.high <= most + 1e-9);
        }

        #[test]
        fn large_finite_values_give_finite_intervals(n in 1_usize..20, seed: u64) {
            let got = bootstrap_mean(&vec![f64::MAX; n], 20, seed).unwrap();
            prop_assert!(got.mean.is_finite() && got.low.is_finite() && got.high.is_finite());
        }
    }
}
