use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use shortlist_evaluation::auc;
use shortlist_ranking::{ScoringScratch, TrainingRows};
use shortlist_recommender::{CategoryIds, FittedRanker};

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
    let (width, outcomes) = (ranker.features(), ranker.outcomes.len());
    let kept: Vec<usize> = (0..rows.len()).step_by(rows.len().div_ceil(ROWS_MAX).max(1)).collect();
    let mut numbers: Vec<f32> =
        kept.iter().flat_map(|row| &rows.numbers()[row * width..(row + 1) * width]).copied().collect();
    let labels: Vec<bool> = kept.iter().map(|row| rows.labels_of(*row)[0]).collect();
    let (mut scratch, mut scores) = (ScoringScratch::default(), Vec::new());
    let mut quality = |numbers: &[f32], ids: &CategoryIds| {
        ranker.score(numbers, ids, &mut scratch, &mut scores)?;
        let scores: Vec<f32> = scores.iter().step_by(outcomes).copied().collect();
        // Of one outcome alone there is no order to lose.
        Ok::<_, TrainingError>(auc(&scores, &labels).unwrap_or(0.5))
    };
    let mut order = kept.clone();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut ids = CategoryIds::default();
    write_ids(rows, &kept, None, &mut ids);
    let whole = quality(&numbers, &ids)?;
    let mut lost = BTreeMap::new();
    for (feature, name) in rows.schema().numbers.iter().enumerate() {
        let column: Vec<f32> = numbers.iter().skip(feature).step_by(width).copied().collect();
        for (row, from) in order.iter().enumerate() {
            numbers[row * width + feature] = rows.numbers()[from * width + feature];
        }
        lost.insert(name.clone(), whole - quality(&numbers, &ids)?);
        for (row, value) in column.into_iter().enumerate() {
            numbers[row * width + feature] = value;
        }
    }
    for (place, category) in rows.schema().categories.iter().enumerate() {
        write_ids(rows, &kept, Some((place, &order)), &mut ids);
        lost.insert(category.name.clone(), whole - quality(&numbers, &ids)?);
    }
    Ok(lost)
}

/// The ids of the rows `kept`; of one category those of other rows, if asked.
fn write_ids(rows: &TrainingRows, kept: &[usize], other: Option<(usize, &[usize])>, to: &mut CategoryIds) {
    let categories = rows.schema().categories.len();
    to.clear(categories);
    for place in 0..categories {
        let from = other.filter(|(other, _)| *other == place).map_or(kept, |(_, rows)| rows);
        for row in from {
            rows.ids(place, *row).iter().for_each(|id| to.push(place, *id));
            to.end_candidate(place);
        }
    }
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
        let lost = importance(&FittedRanker::logistic(ranker), &rows, 1).unwrap();
        assert!(lost["signal"] > 0.3 && lost["noise"].abs() < 0.01, "{lost:?}");
    }
}
