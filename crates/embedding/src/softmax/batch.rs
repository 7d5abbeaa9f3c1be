use faer::MatRef;

use crate::SparseRows;
use crate::softmax::SoftmaxConfig;
use crate::softmax::deal::Deal;
use crate::softmax::negative_sampler::NegativeSample;

/// What all chunks of a batch read.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'a> {
    /// The users' items.
    pub(crate) rows: &'a SparseRows,
    pub(crate) deal: &'a Deal,
    pub(crate) config: &'a SoftmaxConfig,
    /// The item vectors, n x k.
    pub(crate) items: &'a [f32],
    pub(crate) negatives: &'a NegativeSample,
    /// The vectors of the negatives, m x k.
    pub(crate) negative_values: &'a [f32],
    /// The sum of the weights of the targets: the loss of a batch is a mean.
    pub(crate) weight: f64,
}

impl<'a> Batch<'a> {
    /// The vector of an item.
    pub(crate) fn item(&self, item: usize) -> &'a [f32] {
        let dimensions = self.config.dimensions;
        &self.items[item * dimensions..(item + 1) * dimensions]
    }

    /// The vectors of the negatives, m x k.
    pub(crate) fn negative_matrix(&self) -> MatRef<'a, f32> {
        MatRef::from_row_major_slice(self.negative_values, self.negatives.items.len(), self.config.dimensions)
    }

    /// The length of a user's vector: an inner product with an item's is a cosine over the temperature.
    pub(crate) fn user_length(&self) -> f32 {
        self.config.temperature.recip() as f32
    }
}
