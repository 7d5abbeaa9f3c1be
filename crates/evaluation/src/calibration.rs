use serde::Serialize;

use crate::EvaluationError;
use crate::scoring::probability_rows;

/// Most bins of a reliability curve; more are refused, because nobody could read them.
const BINS_MAX: usize = 1_000;

/// Whether probabilities mean what they say: of the rows given 10 %, a tenth should be positive.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// Mean probability over all rows.
    pub predicted: f64,
    /// Share of positive rows.
    pub observed: f64,
    /// Expected calibration error: mean gap between both, bin by bin, weighted by rows.
    pub error: f64,
    /// The reliability curve, by ascending probability.
    pub bins: Vec<CalibrationBin>,
}

/// One point of a reliability curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CalibrationBin {
    /// Mean probability of its rows.
    pub predicted: f64,
    /// Share of positive rows among them.
    pub observed: f64,
    /// How many rows it holds, at least one.
    pub rows: usize,
}

impl Calibration {
    /// Compares probabilities with labels in about `bins` bins of equal count.
    ///
    /// Bins of equal count, not width, because click probabilities crowd near 0. Equal
    /// probabilities stay in one bin, so the answer does not depend on the order of the rows, and
    /// there may be fewer bins than asked for.
    ///
    /// **Shapes**: n `probabilities` from 0 to 1 and n `labels`, `true` for positive.
    /// **Cost**: one sort.
    /// **Errors**: lengths that differ, no rows, a value outside 0 to 1, bins outside 1 to 1,000.
    /// **Source**: Naeini et al. 2015, with equal-count bins (Nguyen and O'Connor 2015).
    pub fn of<S: Copy + Into<f64>>(probabilities: &[S], labels: &[bool], bins: usize) -> Result<Self, EvaluationError> {
        if !(1..=BINS_MAX).contains(&bins) {
            return Err(EvaluationError::OutOfRange { parameter: "bins", got: bins, max: BINS_MAX });
        }
        let mut rows = probability_rows(probabilities, labels)?;
        rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let whole = CalibrationBin::of(&rows);
        let bins = split(&rows, rows.len().div_ceil(bins));
        let gap = |bin: &CalibrationBin| (bin.predicted - bin.observed).abs() * bin.rows as f64;
        let error = bins.iter().map(gap).sum::<f64>() / rows.len() as f64;
        Ok(Self { predicted: whole.predicted, observed: whole.observed, error, bins })
    }
}

impl CalibrationBin {
    fn of(rows: &[(f64, bool)]) -> Self {
        let n = rows.len() as f64;
        let positives = rows.iter().filter(|(_, positive)| *positive).count();
        let predicted = rows.iter().map(|(p, _)| p).sum::<f64>() / n;
        Self { predicted, observed: positives as f64 / n, rows: rows.len() }
    }
}

/// Cuts sorted rows after every `size` of them, later where equal probabilities would be parted.
fn split(rows: &[(f64, bool)], size: usize) -> Vec<CalibrationBin> {
    let mut bins = Vec::new();
    let mut start = 0;
    let mut end = 0;
    for tied in rows.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        end += tied.len();
        if end - start >= size || end == rows.len() {
            bins.push(CalibrationBin::of(&rows[start..end]));
            start = end;
        }
    }
    bins
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_error_agrees_with_a_case_computed_by_hand() {
        let got = Calibration::of(&[0.1, 0.1, 0.8, 0.6], &[false, true, false, true], 2).unwrap();
        // Bins {0.1, 0.1} -> gap 0.4 and {0.6, 0.8} -> gap 0.2.
        assert_eq!(got.bins.len(), 2);
        assert!((got.error - 0.3).abs() < 1e-12);
        assert!((got.predicted - 0.4).abs() < 1e-12 && (got.observed - 0.5).abs() < 1e-12);
    }

    #[test]
    fn equal_probabilities_share_a_bin() {
        let got = Calibration::of(&[0.5_f32; 4], &[true, true, false, false], 4).unwrap();
        assert_eq!(got.bins.len(), 1);
        assert!(got.error < 1e-12);
    }

    #[test]
    fn no_bins_are_refused() {
        let error = Calibration::of(&[0.5], &[true], 0).unwrap_err();
        assert_eq!(error.to_string(), "bins: expected 1 to 1000, got 0");
    }

    proptest! {
        #[test]
        fn bins_hold_every_row_once_in_any_order(
            rows in prop::collection::vec((0_u8..=20, any::<bool>()), 1..80), bins in 1_usize..12,
        ) {
            let curve = |rows: &[(u8, bool)]| {
                let p: Vec<f64> = rows.iter().map(|row| f64::from(row.0) / 20.0).collect();
                let labels: Vec<bool> = rows.iter().map(|row| row.1).collect();
                Calibration::of(&p, &labels, bins).unwrap()
            };
            let got = curve(&rows);
            prop_assert_eq!(got.bins.iter().map(|bin| bin.rows).sum::<usize>(), rows.len());
            prop_assert!(got.bins.len() <= bins);
            prop_assert!((0.0..=1.0).contains(&got.error));
            let backwards: Vec<_> = rows.iter().rev().copied().collect();
            prop_assert_eq!(curve(&backwards), got);
        }
    }
}
