use serde::Serialize;
use statrs::distribution::{ChiSquared, ContinuousCDF, Normal, StudentsT};

use crate::{EvaluationError, Interval};

/// Confidence of intervals, two-sided.
const CONFIDENCE: f64 = 0.95;
/// How surely the minimum detectable effect would be found.
const POWER: f64 = 0.8;

/// A metric over the users of one variant of an experiment: how many, its mean, and the variance between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    n: usize,
    mean: f64,
    /// Unbiased, between users.
    variance: f64,
}

/// How a variant differs from the control.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Effect {
    /// Mean of the variant less that of the control, with its 95 % interval.
    pub difference: Interval,
    /// The same as a share of the control's mean; none where that is 0.
    pub relative: Option<Interval>,
    /// How probable a difference at least as large is where there is none, two-sided.
    pub p_value: f64,
    /// The smallest true difference that a test at 5 % would find in 80 % of such experiments.
    pub minimum_detectable: f64,
}

impl Sample {
    /// One value per user.
    ///
    /// # Errors
    /// Fewer than two values; one that is not finite.
    pub fn of(values: &[f64]) -> Result<Self, EvaluationError> {
        if values.len() < 2 {
            return Err(EvaluationError::Empty);
        }
        if let Some((row, got)) = values.iter().copied().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(EvaluationError::NotFinite { row, got });
        }
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Ok(Self { n: values.len(), mean, variance: squares / (values.len() - 1) as f64 })
    }

    /// A ratio of sums, such as clicks per request: `parts` and `wholes` of each user. Requests of one user are not
    /// independent, users are: its variance is that of what each user adds to the ratio.
    ///
    /// **Source**: Deng, Knoblich and Lu 2018, delta method.
    ///
    /// # Errors
    /// As [`Self::of`]; wholes that add up to nothing.
    pub fn ratio(parts: &[f64], wholes: &[f64]) -> Result<Self, EvaluationError> {
        if parts.len() != wholes.len() {
            return Err(EvaluationError::LengthsDiffer { left: parts.len(), right: wholes.len() });
        }
        let (part, whole) = (Self::of(parts)?.mean, Self::of(wholes)?.mean);
        if whole <= 0.0 {
            return Err(EvaluationError::Empty);
        }
        let mean = part / whole;
        let added: Vec<f64> = parts.iter().zip(wholes).map(|(part, all)| (part - mean * all) / whole).collect();
        Ok(Self { mean, ..Self::of(&added)? })
    }

    /// Its mean, with the 95 % interval by Student's t.
    pub fn interval(&self) -> Interval {
        around(self.mean, self.error(), (self.n - 1) as f64, self.n)
    }

    /// Variance of the mean.
    fn error(&self) -> f64 {
        self.variance / self.n as f64
    }
}

impl Effect {
    /// Compares the users of a variant with those of the control.
    ///
    /// **Source**: Welch 1947, unequal variances t-test.
    pub fn between(variant: &Sample, control: &Sample) -> Self {
        let (a, b) = (variant.error(), control.error());
        let freedom = (a + b).powi(2) / (a * a / (variant.n - 1) as f64 + b * b / (control.n - 1) as f64);
        let freedom = if freedom.is_finite() { freedom } else { (variant.n + control.n - 2) as f64 };
        let (mean, n) = (variant.mean - control.mean, variant.n + control.n);
        let relative = (control.mean != 0.0).then(|| {
            let ratio = variant.mean / control.mean;
            let error = (a + ratio * ratio * b) / control.mean.powi(2);
            around(ratio - 1.0, error, freedom, n)
        });
        let deviation = (a + b).sqrt();
        // Without any variance whatever differs, differs.
        let p_value =
            if deviation > 0.0 { both_tails(mean / deviation, freedom) } else { f64::from(u8::from(mean == 0.0)) };
        let power = Normal::new(0.0, 1.0).map_or(0.0, |normal| normal.inverse_cdf(POWER));
        let minimum_detectable = (quantile(freedom) + power) * deviation;
        Self { difference: around(mean, a + b, freedom, n), relative, p_value, minimum_detectable }
    }
}

/// How probable a split at least as far from the planned shares is where users were assigned by them: a chi-squared
/// test. Below 0.001 something lost or added users of one variant, and nothing else that the experiment says can be
/// trusted.
///
/// **Shapes**: users of each variant, and its share; shares need not add up to 1.
///
/// # Errors
/// Fewer than two variants, another number of shares, nobody at all, a share that is not above 0.
pub fn sample_ratio_p(users: &[u64], shares: &[f64]) -> Result<f64, EvaluationError> {
    if users.len() != shares.len() {
        return Err(EvaluationError::LengthsDiffer { left: users.len(), right: shares.len() });
    }
    let (all, whole) = (users.iter().sum::<u64>() as f64, shares.iter().sum::<f64>());
    let is_share = |share: &f64| share.is_finite() && *share > 0.0;
    if users.len() < 2 || all <= 0.0 || !shares.iter().all(is_share) {
        return Err(EvaluationError::Empty);
    }
    let far = users.iter().zip(shares).map(|(users, share)| {
        let expected = all * share / whole;
        (*users as f64 - expected).powi(2) / expected
    });
    let chi = ChiSquared::new((users.len() - 1) as f64).map_err(|_| EvaluationError::Empty)?;
    Ok(chi.sf(far.sum()))
}

fn around(mean: f64, variance: f64, freedom: f64, n: usize) -> Interval {
    let half = quantile(freedom) * variance.sqrt();
    Interval { mean, low: mean - half, high: mean + half, n }
}

/// How probable a value of Student's t is that lies as far from 0, on either side.
fn both_tails(t: f64, freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(1.0, |students| (2.0 * students.sf(t.abs())).min(1.0))
}

/// How many standard errors the 95 % interval reaches to either side.
fn quantile(freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::INFINITY, |t| t.inverse_cdf(0.5 + CONFIDENCE / 2.0))
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn near(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-6 * expected.abs().max(1.0), "{got} is not {expected}");
    }

    #[test]
    fn it_says_what_other_programs_say() {
        let control = Sample::of(&[1.0, 0.0, 2.0, 3.0, 0.0, 1.0, 5.0, 2.0]).unwrap();
        let variant = Sample::of(&[4.0, 2.0, 3.0, 0.0, 6.0, 5.0]).unwrap();
        let effect = Effect::between(&variant, &control);
        // scipy.stats.ttest_ind(variant, control, equal_var=False), its p-value and confidence_interval().
        near(effect.p_value, 0.169_258_143_438_198);
        near(effect.difference.low, -0.810_462_030_560_517);
        near(effect.difference.high, 3.977_128_697_227_184);
        // scipy.stats.chisquare([5100, 4900]).
        near(sample_ratio_p(&[5_100, 4_900], &[0.2, 0.2]).unwrap(), 0.045_500_263_896_358);
    }

    #[test]
    fn without_a_difference_one_in_twenty_is_found_and_a_true_one_lies_in_its_interval() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        // Skewed counts, such as clicks: most users have none.
        let mut draw = |n: usize, rate: f64| -> Vec<f64> {
            let count = |random: &mut ChaCha8Rng| (-random.random::<f64>().ln() * rate * 3.0).floor();
            (0..n).map(|_| if random.random_bool(0.4) { count(&mut random) } else { 0.0 }).collect()
        };
        let rounds = 2_000;
        let (mut found, mut powered) = (0, 0);
        for _ in 0..rounds {
            let (a, b) = (Sample::of(&draw(400, 1.0)).unwrap(), Sample::of(&draw(600, 1.0)).unwrap());
            let none = Effect::between(&a, &b);
            found += usize::from(none.p_value < 0.05);
            // The effect that is said to be found in four of five.
            let shifted = Sample { mean: a.mean + none.minimum_detectable, ..a };
            powered += usize::from(Effect::between(&shifted, &b).p_value < 0.05);
        }
        let (found, powered) = (found as f64 / rounds as f64, powered as f64 / rounds as f64);
        assert!((found - 0.05).abs() < 0.015, "{found} of experiments without an effect find one");
        assert!((powered - 0.8).abs() < 0.03, "{powered} find what they could detect");
    }

    #[test]
    fn a_ratio_counts_users_and_not_requests() {
        // Every user clicks always or never: a hundred requests each say no more than one.
        let (clicks, requests): (Vec<f64>, Vec<f64>) =
            (0..100).map(|n| (if n % 2 == 0 { 100.0 } else { 0.0 }, 100.0)).unzip();
        let ratio = Sample::ratio(&clicks, &requests).unwrap();
        let users = Sample::of(&clicks.iter().map(|clicks| clicks / 100.0).collect::<Vec<_>>()).unwrap();
        near(ratio.interval().low, users.interval().low);
        near(ratio.mean, 0.5);
    }

    #[test]
    fn what_cannot_be_judged_is_refused() {
        assert_eq!(Sample::of(&[1.0]), Err(EvaluationError::Empty));
        assert!(matches!(Sample::of(&[1.0, f64::NAN]), Err(EvaluationError::NotFinite { row: 1, .. })));
        assert_eq!(Sample::ratio(&[1.0, 1.0], &[0.0, 0.0]), Err(EvaluationError::Empty));
        assert_eq!(sample_ratio_p(&[0, 0], &[0.5, 0.5]), Err(EvaluationError::Empty));
        assert_eq!(sample_ratio_p(&[5], &[1.0]), Err(EvaluationError::Empty));
        let same = Sample::of(&[1.0, 1.0]).unwrap();
        let effect = Effect::between(&same, &same);
        assert_eq!((effect.p_value, effect.difference.low, effect.minimum_detectable), (1.0, 0.0, 0.0));
    }
}
