use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use shortlist_evaluation::auc;
use shortlist_ranking::{ScoringScratch, TrainingRows};
use shortlist_recommender::FittedRanker;

use crate::TrainingError;

/// Most rows that are shuffled: the drop is known to a few thousandths then.
const ROWS_MAX: usize = 20_000;

/// How much each feature matters to a ranker: the AUC that is lost when the feature's numbers are shuffled among
/// the rows. Near 0, or below, where it does not.
///
/// **Cost**: one scoring of at most 20,000 rows per feature, some milliseconds each.
///
/// **Source**: permutation importance, Breiman, "Random Forests", Machine Learning 45, 2001.
pub(crate) fn importance(
    ranker: &FittedRanker,
    rows: &TrainingRows,
    seed: u64,
) -> Result<BTreeMap<String, f64>, TrainingError> {
    let width = ranker.features();
    let step = rows.len().div_ceil(ROWS_MAX).max(1);
    let mut numbers: Vec<f32> = rows.numbers().chunks_exact(width).step_by(step).flatten().copied().collect();
    let labels: Vec<bool> = rows.labels().iter().step_by(step).copied().collect();
    let (mut scratch, mut scores) = (ScoringScratch::default(), Vec::new());
    let mut quality = |numbers: &[f32]| {
        ranker.score(numbers, &mut scratch, &mut scores)?;
        // Of one outcome alone there is no order to lose.
        Ok::<_, TrainingError>(auc(&scores, &labels).unwrap_or(0.5))
    };
    let whole = quality(&numbers)?;
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let names: Vec<String> = rows.schema().numbers.clone();
    let mut lost = BTreeMap::new();
    for (feature, name) in names.into_iter().enumerate() {
        let column: Vec<f32> = numbers.iter().skip(feature).step_by(width).copied().collect();
        for (row, from) in order.iter().enumerate() {
            numbers[row * width + feature] = column[*from];
        }
        lost.insert(name, whole - quality(&numbers)?);
        for (row, value) in column.into_iter().enumerate() {
            numbers[row * width + feature] = value;
        }
    }
    Ok(lost)
}

#[cfg(test)]
mod tests {
    use shortlist_ranking::{LogisticConfig, LogisticRegression, RowSchema};

    use super::*;

    #[test]
    fn what_decides_matters_and_noise_does_not() {
        let schema = RowSchema::of_numbers(["noise", "signal"]).shared();
        let mut rows = TrainingRows::new(schema).unwrap();
        for i in 0..2_000_u32 {
            let (noise, signal) = ((i * 7 % 13) as f32, (i % 10) as f32);
            rows.push_numbers(&[noise, signal], i % 10 + i % 3 > 6, 1.0).unwrap();
        }
        let ranker = LogisticRegression::fit(&rows, &LogisticConfig::default(), &mut |_| ()).unwrap();
        let lost = importance(&FittedRanker::Logistic(ranker), &rows, 1).unwrap();
        assert!(lost["signal"] > 0.3 && lost["noise"].abs() < 0.01, "{lost:?}");
    }
}
