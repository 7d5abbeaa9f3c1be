use pulp::Arch;

/// Added to a feature's standard deviation: one that hardly varies becomes small, not large.
const SPREAD_MIN: f64 = 1e-3;
/// Relative spread below which a feature is the same for all candidates.
const ROUNDING: f64 = 1e-6;
/// Farthest that a feature may lie from the request's mean, in standard deviations: one odd candidate
/// must not decide a list by a feature that hardly varied when the ranker was trained.
const RELATIVE_MAX: f64 = 8.0;
/// Sums that run side by side, so that additions need not wait for each other; their number and order are fixed,
/// so that every instruction set gives the same bits.
const LANES: usize = 16;

/// The scale of one feature in one request.
pub(super) struct Relative {
    mean: f64,
    spread: f64,
}

impl Relative {
    /// The scale on which these values have mean 0 and deviation 1.
    pub(super) fn to(values: &[f64], arch: Arch) -> Self {
        let n = values.len().max(1) as f64;
        let mean = arch.dispatch(|| sum(values, |value| value)) / n;
        let squares = arch.dispatch(|| sum(values, |value| (value - mean) * (value - mean)));
        Self { mean, spread: (squares / n).sqrt() }
    }

    /// Writes the values as they are on this scale. What is left of a constant is rounding, and a ranker would
    /// learn from it: it becomes 0.
    pub(super) fn tell(&self, values: &[f64], out: &mut [f32], arch: Arch) {
        if self.spread <= ROUNDING * (self.mean.abs() + 1.0) {
            out.fill(0.0);
            return;
        }
        let scale = 1.0 / (self.spread + SPREAD_MIN);
        arch.dispatch(|| {
            for (slot, value) in out.iter_mut().zip(values) {
                *slot = held((value - self.mean) * scale);
            }
        });
    }
}

/// Held within [`RELATIVE_MAX`].
#[inline(always)]
#[allow(clippy::cast_possible_truncation)] // of at most 8
pub(super) fn held(value: f64) -> f32 {
    value.clamp(-RELATIVE_MAX, RELATIVE_MAX) as f32
}

#[inline(always)]
fn sum(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let mut sums = [0.0; LANES];
    let (blocks, rest) = values.as_chunks::<LANES>();
    for block in blocks {
        for lane in 0..LANES {
            sums[lane] += term(block[lane]);
        }
    }
    for (sum, value) in sums.iter_mut().zip(rest) {
        *sum += term(*value);
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn told_relative_values_have_mean_0_and_deviation_1_and_constant_ones_are_0() {
        let arch = Arch::new();
        let tell = |values: &[f64], scale: usize| {
            let mut out = vec![f32::NAN; values.len()];
            Relative::to(&values[..scale], arch).tell(values, &mut out, arch);
            out
        };
        let out = tell(&[1.0, 2.0, 3.0, 40.0], 3);
        assert!((out[0] + 1.2247).abs() < 0.01 && out[1].abs() < 1e-6, "{out:?}");
        assert_eq!(out[3].to_bits(), 8.0_f32.to_bits(), "one odd row is held");
        let mut values = [5.0; 7];
        values[6] += 1e-9;
        assert!(tell(&values, 7).iter().all(|value| value.to_bits() == 0), "a constant leaves nothing");
    }
}
