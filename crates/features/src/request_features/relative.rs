/// Added to a feature's standard deviation: one that hardly varies becomes small, not large.
const SPREAD_MIN: f64 = 1e-3;
/// Relative spread below which a feature is the same for all candidates.
const ROUNDING: f64 = 1e-6;
/// Farthest that a feature may lie from the request's mean, in standard deviations: one odd candidate
/// must not decide a list by a feature that hardly varied when the ranker was trained.
const RELATIVE_MAX: f64 = 8.0;
/// Sums that run side by side, so that additions need not wait for each other; the order is fixed.
const LANES: usize = 4;

/// The scale of one feature in one request.
pub(super) struct Relative {
    mean: f64,
    spread: f64,
}

impl Relative {
    /// The scale on which these values have mean 0 and deviation 1.
    pub(super) fn to(values: &[f64]) -> Self {
        let n = values.len().max(1) as f64;
        let mean = sum(values, |value| value) / n;
        let spread = (sum(values, |value| (value - mean) * (value - mean)) / n).sqrt();
        Self { mean, spread }
    }

    /// Tells the values of a column on this scale. What is left of a constant is rounding, and a ranker would
    /// learn from it: it becomes 0.
    pub(super) fn tell(&self, column: &mut [f64]) {
        if self.spread <= ROUNDING * (self.mean.abs() + 1.0) {
            column.fill(0.0);
            return;
        }
        for value in column {
            *value = clamp((*value - self.mean) / (self.spread + SPREAD_MIN));
        }
    }
}

/// Held within [`RELATIVE_MAX`].
pub(super) fn clamp(value: f64) -> f64 {
    value.clamp(-RELATIVE_MAX, RELATIVE_MAX)
}

fn sum(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let mut sums = [0.0; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest: f64 = chunks.remainder().iter().map(|value| term(*value)).sum();
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += term(*value);
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn told_relative_values_have_mean_0_and_deviation_1_and_constant_ones_are_0() {
        let mut column = [1.0, 2.0, 3.0, 40.0];
        Relative::to(&column[..3]).tell(&mut column);
        assert!((column[0] + 1.2247).abs() < 0.01 && column[1].abs() < 1e-9, "{column:?}");
        assert_eq!(column[3].to_bits(), 8.0_f64.to_bits(), "one odd row is held");
        let mut column = [5.0; 7];
        column[6] += 1e-9;
        Relative::to(&column).tell(&mut column);
        assert!(column.iter().all(|value| value.to_bits() == 0), "a constant leaves nothing");
    }
}
