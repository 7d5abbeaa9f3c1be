/// Values beyond this many times the median row's greatest are held there, so that one monstrous row
/// neither overflows a square nor flattens all others.
const LIMIT_TO_MEDIAN: f32 = 1e4;
/// Rows of greatest values in this range are taken as they are.
const PLAIN: std::ops::RangeInclusive<f32> = 1e-4..=1e4;

/// The size of the coordinates in which leaves, centres and codes are kept: the vectors' own, unless
/// those would overflow or vanish when squared. Approximate scores live here; the exact ones, which
/// have the last word, in the vectors' own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Coarse {
    pub(crate) scale: f32,
    pub(crate) limit: f32,
}

impl Coarse {
    /// Fits rows of `dimensions` each.
    pub(crate) fn of(dimensions: usize, values: &[f32]) -> Self {
        let greatest = |row: &[f32]| row.iter().fold(0.0, |greatest: f32, x| greatest.max(x.abs()));
        let mut greatest: Vec<f32> = values.chunks_exact(dimensions).map(greatest).filter(|x| *x > 0.0).collect();
        if greatest.is_empty() {
            return Self { scale: 1.0, limit: LIMIT_TO_MEDIAN };
        }
        let middle = greatest.len() / 2;
        let median = *greatest.select_nth_unstable_by(middle, f32::total_cmp).1;
        if PLAIN.contains(&median) {
            Self { scale: 1.0, limit: LIMIT_TO_MEDIAN * median }
        } else {
            Self { scale: (1.0 / median).min(f32::MAX), limit: LIMIT_TO_MEDIAN }
        }
    }

    /// The coarse value of `x`, seen from `origin`; finite.
    #[inline]
    pub(crate) fn value(self, x: f32, origin: f32) -> f32 {
        (x * self.scale).clamp(-self.limit, self.limit) - origin
    }

    /// The mean coarse row: distances do not change when all is seen from there, and numbers get small.
    pub(crate) fn mean(self, dimensions: usize, values: &[f32]) -> Vec<f32> {
        let mut sums = vec![0.0_f64; dimensions];
        for row in values.chunks_exact(dimensions) {
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(self.value(*x, 0.0)));
        }
        let rows = (values.len() / dimensions).max(1) as f64;
        sums.into_iter().map(|sum| (sum / rows) as f32).collect()
    }

    /// Whether these values are their own coarse ones, seen from zero.
    pub(crate) fn is_plain(self, values: &[f32]) -> bool {
        (self.scale - 1.0).abs() == 0.0 && values.iter().all(|x| x.abs() <= self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_values_stay_and_monsters_are_held() {
        let coarse = Coarse::of(2, &[0.5, -1.0, 2.0, 0.0, 1e30, 1.0]);
        let bits = |values: [f32; 3]| values.map(f32::to_bits);
        assert_eq!(bits([0.5, -2.0, 1e30].map(|x| coarse.value(x, 0.0))), bits([0.5, -2.0, 2e4]));
        assert!(coarse.is_plain(&[0.5, -2.0]) && !coarse.is_plain(&[1e30]));
        let tiny = Coarse::of(1, &[1e-30, 2e-30, -3e-30]);
        assert!((tiny.value(2e-30, 0.5) - 0.5).abs() < 1e-6);
        assert!(Coarse::of(1, &[f32::MIN_POSITIVE]).value(f32::MAX, 0.0).is_finite());
        assert!(Coarse::of(3, &[0.0; 6]).is_plain(&[0.0]) && Coarse::of(3, &[]).is_plain(&[]));
    }

    #[test]
    fn the_mean_is_the_middle_of_the_coarse_rows() {
        let coarse = Coarse::of(2, &[1.0, 2.0, 3.0, 6.0]);
        assert_eq!(coarse.mean(2, &[1.0, 2.0, 3.0, 6.0]), [2.0, 4.0]);
        assert_eq!(coarse.mean(2, &[]), [0.0, 0.0]);
    }
}
