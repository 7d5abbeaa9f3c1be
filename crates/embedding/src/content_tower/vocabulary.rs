use rayon::slice::ParallelSliceMut;

/// The features that training saw, each with a row of the model: their buckets, ascending.
///
/// Rare features weigh the same as common ones. Inverse document frequency, which helps a search for
/// words, was measured to cost a tenth of the recall here: the ridge already judges each feature by how
/// many items speak for it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Vocabulary {
    pub(crate) buckets: Vec<u32>,
}

impl Vocabulary {
    /// Counts the buckets of all examples, in any order, each once per example; of too many the most
    /// frequent are kept, of equally frequent ones the lesser buckets.
    ///
    /// **Cost**: one sort.
    pub(crate) fn count(mut buckets: Vec<u32>, features_max: usize) -> Self {
        buckets.par_sort_unstable();
        let mut counted: Vec<(u32, u32)> =
            buckets.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32)).collect();
        drop(buckets);
        counted.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        counted.truncate(features_max);
        let mut buckets: Vec<u32> = counted.iter().map(|feature| feature.0).collect();
        buckets.sort_unstable();
        Self { buckets }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Fills `known` with `(row, value)` of the known features, rows ascending, of Euclidean length 1
    /// together; empty if none is known. Features come as [`super::AttributeEncoder`] gives them.
    ///
    /// **Cost**: a binary search per feature.
    pub(crate) fn look_up(&self, features: &[(u32, f32)], known: &mut Vec<(u32, f32)>) {
        known.clear();
        for &(bucket, value) in features {
            if let Ok(row) = self.buckets.binary_search(&bucket) {
                known.push((row as u32, value));
            }
        }
        // Values above 0 but tiny have squares of 0; against the greatest of them they have not.
        let greatest = known.iter().map(|entry| entry.1).fold(0.0, f32::max);
        let length = greatest * known.iter().map(|entry| (entry.1 / greatest).powi(2)).sum::<f32>().sqrt();
        known.iter_mut().for_each(|entry| entry.1 /= length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_features_the_most_frequent_stay() {
        let vocabulary = Vocabulary::count(vec![9, 3, 7, 3, 9, 9, 5], 3);
        assert_eq!(vocabulary.buckets, [3, 5, 9]);
    }

    #[test]
    fn known_features_have_length_1_however_small_and_unknown_ones_are_left_out() {
        let vocabulary = Vocabulary { buckets: vec![3, 5, 9] };
        let mut known = Vec::new();
        vocabulary.look_up(&[(3, 0.5), (4, 1.0), (9, 0.5)], &mut known);
        let half = 0.5_f32.sqrt();
        assert_eq!(known.iter().map(|entry| entry.0).collect::<Vec<_>>(), [0, 2]);
        assert!(known.iter().all(|entry| (entry.1 - half).abs() < 1e-6), "{known:?}");
        vocabulary.look_up(&[(5, 1e-40)], &mut known);
        assert_eq!(known, [(1, 1.0)]);
        vocabulary.look_up(&[(4, 1.0)], &mut known);
        assert_eq!(known, []);
    }
}
