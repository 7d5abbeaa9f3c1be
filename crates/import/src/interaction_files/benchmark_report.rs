use serde::Serialize;

use crate::Benchmark;

/// What may be wrong with a benchmark, counted. None of it keeps it from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct BenchmarkReport {
    /// Pairs of the training file that repeat an earlier one; each pair is counted once.
    pub train_repeats: usize,
    /// The same of validation.
    pub valid_repeats: usize,
    /// The same of the test.
    pub test_repeats: usize,
    /// Validation pairs that are trained on too: masked, they can only be missed.
    pub valid_in_train: usize,
    /// Test pairs that are trained on too: masked, they can only be missed.
    pub test_in_train: usize,
    /// Test pairs that are validation pairs too: hyper-parameters are chosen on the answer.
    pub test_in_valid: usize,
    /// Users with test items and no training items.
    pub cold_users: usize,
    /// Test pairs whose item nobody has in training.
    pub cold_pairs: usize,
    /// Test cases whose negatives hold the test item itself. In the files of NCF it happens, and published numbers leave
    /// it as it is.
    pub cases_among_own_negatives: usize,
}

impl BenchmarkReport {
    /// The report of a benchmark, with its repeats as they are and everything else counted.
    pub(super) fn noticed(benchmark: &Benchmark) -> Self {
        let Benchmark { train, test, negatives, .. } = benchmark;
        let valid = benchmark.valid.as_deref().unwrap_or_default();
        let mut has_training = vec![false; benchmark.items.len()];
        for &(_, item) in train {
            has_training[item as usize] = true;
        }
        let is_cold = |user: u32| train.binary_search_by_key(&user, |pair| pair.0).is_err();
        let cases = test.iter().zip(negatives.iter().flatten());
        Self {
            valid_in_train: shared(valid, train),
            test_in_train: shared(test, train),
            test_in_valid: shared(test, valid),
            cold_users: test.chunk_by(|a, b| a.0 == b.0).filter(|of_user| is_cold(of_user[0].0)).count(),
            cold_pairs: test.iter().filter(|(_, item)| !has_training[*item as usize]).count(),
            cases_among_own_negatives: cases.filter(|((_, item), negatives)| negatives.contains(item)).count(),
            ..benchmark.report
        }
    }
}

/// How many of `pairs` are in `others` too, which is sorted.
fn shared(pairs: &[(u32, u32)], others: &[(u32, u32)]) -> usize {
    pairs.iter().filter(|pair| others.binary_search(pair).is_ok()).count()
}
