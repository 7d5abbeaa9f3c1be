use crate::EvaluationError;

/// Probabilities are held this far from 0 and 1 before their logarithm is taken, so one confident
/// mistake costs at most `-ln(1e-7)`, about 16.1, and not infinity. It is near the resolution of
/// the `f32` in which models answer.
pub const PROBABILITY_MARGIN: f64 = 1e-7;

/// Area under the ROC curve: the chance that a random positive scores above a random negative.
///
/// Ties count half; 0 and -0 tie. The pairs are counted in integers, so the answer does not
/// depend on the order of the rows.
///
/// **Shapes**: n `scores`, any finite numbers, and n `labels`, `true` for positive.
/// **Cost**: one sort.
/// **Errors**: lengths that differ, no rows, a score that is not finite, only one class.
/// **Source**: the Mann-Whitney U statistic over n+ n-.
///
/// ```
/// use shortlist_evaluation::auc;
/// assert_eq!(auc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]), Ok(0.75));
/// ```
pub fn auc<S: Copy + Into<f64>>(scores: &[S], labels: &[bool]) -> Result<f64, EvaluationError> {
    let mut rows = finite_rows(scores, labels)?;
    let positives = rows.iter().filter(|(_, positive)| *positive).count() as u64;
    let negatives = rows.len() as u64 - positives;
    if positives == 0 || negatives == 0 {
        return Err(EvaluationError::OneClass { rows: rows.len(), positives: positives as usize });
    }
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    // Counted in half pairs, so that a tie is one and a win two.
    let mut half_pairs = 0_u64;
    let mut negatives_below = 0_u64;
    for tied in rows.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let tied_positives = tied.iter().filter(|(_, positive)| *positive).count() as u64;
        let tied_negatives = tied.len() as u64 - tied_positives;
        half_pairs += tied_positives * (2 * negatives_below + tied_negatives);
        negatives_below += tied_negatives;
    }
    Ok(half_pairs as f64 / (2.0 * positives as f64 * negatives as f64))
}

/// Mean negative log-likelihood of the labels in nats; lower is better.
///
/// Each probability is first clamped to [`PROBABILITY_MARGIN`] from 0 and 1. One class alone is
/// fine.
///
/// **Shapes**: n `probabilities` from 0 to 1 and n `labels`, `true` for positive.
/// **Cost**: a logarithm per row.
/// **Errors**: lengths that differ, no rows, or a value outside 0 to 1: a raw score is not a
/// probability, and clamping it would hide that.
pub fn log_loss<S: Copy + Into<f64>>(probabilities: &[S], labels: &[bool]) -> Result<f64, EvaluationError> {
    let rows = probability_rows(probabilities, labels)?;
    let loss = |&(p, positive): &(f64, bool)| {
        let p = p.clamp(PROBABILITY_MARGIN, 1.0 - PROBABILITY_MARGIN);
        if positive { -p.ln() } else { -(-p).ln_1p() }
    };
    Ok(rows.iter().map(loss).sum::<f64>() / rows.len() as f64)
}

/// The two columns as rows, every score finite and -0 turned into 0.
pub(crate) fn finite_rows<S: Copy + Into<f64>>(
    scores: &[S],
    labels: &[bool],
) -> Result<Vec<(f64, bool)>, EvaluationError> {
    if scores.len() != labels.len() {
        return Err(EvaluationError::LengthsDiffer { left: scores.len(), right: labels.len() });
    }
    if scores.is_empty() {
        return Err(EvaluationError::Empty);
    }
    let row = |(row, (&score, &positive)): (usize, (&S, &bool))| {
        let score: f64 = score.into();
        // Adding 0 turns -0 into 0, which the total order would set apart.
        if score.is_finite() {
            Ok((score + 0.0, positive))
        } else {
            Err(EvaluationError::NotFinite { row, got: score })
        }
    };
    scores.iter().zip(labels).enumerate().map(row).collect()
}

/// As [`finite_rows`], every score from 0 to 1.
pub(crate) fn probability_rows<S: Copy + Into<f64>>(
    probabilities: &[S],
    labels: &[bool],
) -> Result<Vec<(f64, bool)>, EvaluationError> {
    let rows = finite_rows(probabilities, labels)?;
    match rows.iter().position(|(p, _)| !(0.0..=1.0).contains(p)) {
        Some(row) => Err(EvaluationError::NotProbability { row, got: rows[row].0 }),
        None => Ok(rows),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn auc_counts_pairs_and_ties_half() {
        assert_eq!(auc(&[1.0, 2.0, 3.0], &[false, true, true]), Ok(1.0));
        assert_eq!(auc(&[1.0, 2.0, 3.0], &[true, false, false]), Ok(0.0));
        assert_eq!(auc(&[7.0_f32; 4], &[true, false, true, false]), Ok(0.5));
        // Of four pairs two win, one ties, one loses.
        assert_eq!(auc(&[0.5, 0.5, 0.9, 0.1], &[true, false, true, false]), Ok(0.875));
        assert_eq!(auc(&[0.0, -0.0], &[true, false]), Ok(0.5));
    }

    #[test]
    fn auc_refuses_what_it_cannot_order() {
        assert_eq!(auc::<f64>(&[], &[]), Err(EvaluationError::Empty));
        assert_eq!(auc(&[1.0], &[true, false]), Err(EvaluationError::LengthsDiffer { left: 1, right: 2 }));
        let error = auc(&[1.0, 2.0], &[true, true]).unwrap_err();
        let text = "expected positives and negatives, got 2 positives in 2 rows; take a longer slice";
        assert_eq!(error.to_string(), text);
        assert!(matches!(auc(&[1.0, f32::NAN], &[true, false]), Err(EvaluationError::NotFinite { row: 1, .. })));
    }

    #[test]
    fn log_loss_agrees_with_cases_computed_by_hand() {
        let loss = log_loss(&[0.9, 0.2], &[true, false]).unwrap();
        assert!((loss - (-(0.9_f64.ln()) - 0.8_f64.ln()) / 2.0).abs() < 1e-12);
        assert!((log_loss(&[0.5_f32; 3], &[true, false, true]).unwrap() - 2_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn a_sure_mistake_costs_the_logarithm_of_the_margin() {
        for (p, label) in [(0.0, true), (1.0, false)] {
            assert!((log_loss(&[p], &[label]).unwrap() + PROBABILITY_MARGIN.ln()).abs() < 1e-6);
        }
        assert!(log_loss(&[1.0, 0.0], &[true, false]).unwrap() < 1e-6);
    }

    #[test]
    fn a_raw_score_is_not_a_probability() {
        let error = log_loss(&[0.5, 1.5], &[true, false]).unwrap_err();
        let text = "row 1: expected a probability from 0 to 1, got 1.5; calibrate scores first";
        assert_eq!(error.to_string(), text);
    }

    proptest! {
        #[test]
        fn auc_agrees_with_counting_every_pair(rows in prop::collection::vec((0_i8..8, any::<bool>()), 2..60)) {
            let scores: Vec<f32> = rows.iter().map(|(score, _)| f32::from(*score)).collect();
            let labels: Vec<bool> = rows.iter().map(|(_, label)| *label).collect();
            let (mut won, mut pairs) = (0.0, 0.0);
            for (positive, _) in rows.iter().filter(|row| row.1) {
                for (negative, _) in rows.iter().filter(|row| !row.1) {
                    pairs += 1.0;
                    won += if positive > negative { 1.0 } else if positive == negative { 0.5 } else { 0.0 };
                }
            }
            match auc(&scores, &labels) {
                Ok(area) => prop_assert!((area - won / pairs).abs() < 1e-12),
                Err(error) => {
                    let one_class = matches!(error, EvaluationError::OneClass { .. });
                    prop_assert!(one_class && pairs == 0.0);
                }
            }
        }

        #[test]
        fn auc_is_blind_to_scale_and_mirrors_with_the_sign(rows in prop::collection::vec((-1e3..1e3, any::<bool>()), 2..60)) {
            let labels: Vec<bool> = rows.iter().map(|row| row.1).collect();
            let area = |f: fn(f64) -> f64| auc(&rows.iter().map(|row| f(row.0)).collect::<Vec<_>>(), &labels);
            if let Ok(plain) = area(|x| x) {
                prop_assert_eq!(area(|x| x * 4.0), Ok(plain));
                prop_assert!((area(|x| -x).unwrap() + plain - 1.0).abs() < 1e-12);
            }
        }

        #[test]
        fn log_loss_is_finite_and_least_at_the_base_rate(labels in prop::collection::vec(any::<bool>(), 1..80), p in 0.0..=1.0) {
            let rate = labels.iter().filter(|l| **l).count() as f64 / labels.len() as f64;
            let at = |p: f64| log_loss(&vec![p; labels.len()], &labels).unwrap();
            prop_assert!(at(p).is_finite() && at(p) >= at(rate) - 1e-6);
        }
    }
}
