use serde::Serialize;

use crate::EvaluationError;
use crate::scoring::finite_rows;

/// Counts of right and wrong decisions at one threshold.
///
/// ```
/// use shortlist_evaluation::Confusion;
/// let counts = Confusion::at(&[0.9, 0.6, 0.2], &[true, false, true], 0.5).unwrap();
/// assert_eq!(counts.precision(), Some(0.5));
/// assert_eq!(counts.recall(), Some(0.5));
/// assert_eq!(counts.f1(), Some(0.5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// Positive rows taken for positive.
    pub true_positives: u64,
    /// Negative rows taken for positive.
    pub false_positives: u64,
    /// Positive rows taken for negative.
    pub false_negatives: u64,
    /// Negative rows taken for negative.
    pub true_negatives: u64,
}

impl Confusion {
    /// Counts decisions; a row is taken for positive when its score is at least `threshold`.
    ///
    /// **Shapes**: n `scores`, any finite numbers, and n `labels`, `true` for positive.
    /// **Cost**: one pass.
    /// **Errors**: lengths that differ, no rows, a score or a threshold that is not finite (the
    /// threshold is named as the row after the last).
    pub fn at<S: Copy + Into<f64>>(scores: &[S], labels: &[bool], threshold: f64) -> Result<Self, EvaluationError> {
        let rows = finite_rows(scores, labels)?;
        if !threshold.is_finite() {
            return Err(EvaluationError::NotFinite { row: rows.len(), got: threshold });
        }
        let count = |taken: bool, label: bool| {
            rows.iter().filter(|(score, positive)| (*score >= threshold) == taken && *positive == label).count() as u64
        };
        Ok(Self {
            true_positives: count(true, true),
            false_positives: count(true, false),
            false_negatives: count(false, true),
            true_negatives: count(false, false),
        })
    }

    /// Share of the rows taken for positive that are; `None` if none was taken.
    pub fn precision(&self) -> Option<f64> {
        share(self.true_positives, self.true_positives + self.false_positives)
    }

    /// Share of the positive rows that were taken for positive; `None` if there are none.
    pub fn recall(&self) -> Option<f64> {
        share(self.true_positives, self.true_positives + self.false_negatives)
    }

    /// Harmonic mean of precision and recall, `2 tp / (2 tp + fp + fn)`: 0 when either is 0 or has
    /// nothing to divide by, `None` only when there is no positive row and none was taken for one.
    pub fn f1(&self) -> Option<f64> {
        let right = 2 * self.true_positives;
        share(right, right + self.false_positives + self.false_negatives)
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_score_at_the_threshold_is_taken_for_positive() {
        let counts = Confusion::at(&[0.5_f32, 0.5, 0.4], &[true, false, false], 0.5).unwrap();
        let expected = Confusion { true_positives: 1, false_positives: 1, false_negatives: 0, true_negatives: 1 };
        assert_eq!(counts, expected);
        assert!((counts.f1().unwrap() - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_share_of_nothing_is_none() {
        let counts = Confusion::at(&[0.1, 0.2], &[false, false], 0.5).unwrap();
        assert_eq!((counts.precision(), counts.recall(), counts.f1()), (None, None, None));
        let missed = Confusion::at(&[0.1, 0.2], &[true, false], 0.5).unwrap();
        assert_eq!((missed.precision(), missed.recall(), missed.f1()), (None, Some(0.0), Some(0.0)));
    }

    #[test]
    fn a_threshold_that_is_not_finite_is_refused() {
        assert!(matches!(Confusion::at(&[0.1], &[true], f64::NAN), Err(EvaluationError::NotFinite { row: 1, .. })));
    }

    proptest! {
        #[test]
        fn f1_is_the_harmonic_mean_and_recall_falls_with_the_threshold(
            rows in prop::collection::vec((0.0..1.0, any::<bool>()), 1..60), low in 0.0..1.0, step in 0.0..0.5,
        ) {
            let scores: Vec<f64> = rows.iter().map(|row| row.0).collect();
            let labels: Vec<bool> = rows.iter().map(|row| row.1).collect();
            let counts = Confusion::at(&scores, &labels, low).unwrap();
            if let (Some(p), Some(r)) = (counts.precision(), counts.recall()) && p + r > 0.0 {
                prop_assert!((counts.f1().unwrap() - 2.0 * p * r / (p + r)).abs() < 1e-12);
            }
            prop_assert!(Confusion::at(&scores, &labels, low + step).unwrap().recall() <= counts.recall());
        }
    }
}
