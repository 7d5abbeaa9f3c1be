use rayon::prelude::*;

use crate::SparseRows;
use crate::content_tower::vocabulary::Vocabulary;
use crate::content_tower::{AttributeEncoder, ContentExample, EncoderScratch};

/// Most features of all examples together: 16 bytes each in the matrix, at most 28 while it is built.
/// The examples beyond it, those with the fewest events, are not learned from.
const ENTRIES_MAX: usize = 40_000_000;
/// Examples encoded at a time, so that too many features are noticed before memory ends.
const BLOCK_EXAMPLES: usize = 65_536;

/// The features of all examples, by example and by feature.
///
/// **Shapes**: n x (f + 1); the last column is 1 throughout, for what all items have in common.
pub(crate) struct DesignMatrix {
    pub(crate) vocabulary: Vocabulary,
    pub(crate) rows: SparseRows,
    pub(crate) columns: SparseRows,
}

impl DesignMatrix {
    /// Encodes examples and keeps their most frequent features; the matrix has a row for each example, or
    /// for the first ones if their features are too many.
    ///
    /// **Cost**: one hash per entry and one sort of the entries.
    pub(crate) fn build(examples: &[ContentExample], encoder: &AttributeEncoder, features_max: usize) -> Self {
        let (features, ends) = encode_all(examples, encoder);
        let buckets = features.iter().map(|feature| feature.0).collect();
        let vocabulary = Vocabulary::count(buckets, features_max);
        let rows = rows(&features, &ends, &vocabulary);
        drop(features);
        let columns = rows.transposed();
        Self { vocabulary, rows, columns }
    }
}

/// The features of all examples one after the other, and where those of each end.
fn encode_all(examples: &[ContentExample], encoder: &AttributeEncoder) -> (Vec<(u32, f32)>, Vec<usize>) {
    let mut features = Vec::new();
    let mut ends = Vec::with_capacity(examples.len());
    for block in examples.chunks(BLOCK_EXAMPLES) {
        let encoded: Vec<Vec<(u32, f32)>> = block
            .par_iter()
            .map_init(EncoderScratch::default, |scratch, example| {
                encoder.encode(example.attributes, scratch);
                scratch.features.clone()
            })
            .collect();
        for of_one in encoded {
            if features.len() + of_one.len() > ENTRIES_MAX {
                return (features, ends);
            }
            features.extend(of_one);
            ends.push(features.len());
        }
    }
    (features, ends)
}

fn rows(features: &[(u32, f32)], ends: &[usize], vocabulary: &Vocabulary) -> SparseRows {
    let common = vocabulary.len() as u32;
    let mut known = Vec::new();
    let mut start = 0;
    let entries = ends.iter().enumerate().flat_map(|(row, &end)| {
        vocabulary.look_up(&features[start..end], &mut known);
        start = end;
        let entry = |&(column, value): &(u32, f32)| (row as u32, column, value);
        let of_row: Vec<(u32, u32, f32)> = known.iter().chain(&[(common, 1.0)]).map(entry).collect();
        of_row
    });
    SparseRows::from_sorted(ends.len(), vocabulary.len() + 1, entries)
}
