use std::sync::Arc;

use shortlist_types::{Embedding, EmbeddingTable, InvalidInput, ItemIdx};

use super::GraphFilterConfig;
use super::normalized_matrix::NormalizedMatrix;
use super::subspace::right_singular_vectors;
use crate::{EmbeddingError, FoldInScratch, Interactions};

/// Item vectors on the smoothest directions of the graph of users and items.
///
/// With R the weights, D_u and D_i the degrees (sums of weights) and V the first right singular vectors
/// of `D_u^-a R D_i^-b`, a user with the weights r scores all items as `r D_i^-b V V^T D_i^q`. The row of
/// item j in `V D_i^q` is its vector, `r D_i^-b V` is that of the user, and the score is their inner
/// product. Users need no training: theirs is a sum over their items. a, b and q are the exponents of
/// the config; at 1/2 each it is the published filter.
///
/// Directions beyond the rank of the data are zeros in every vector and change no score.
///
/// **Source**: Shen et al. 2021, "How Powerful is Graph Convolution for Recommendation?" (GF-CF), the
/// ideal low-pass part of equation 21, with exponents of its own for each degree; its linear part is
/// [`crate::ItemToItemConfig::LinearFilter`].
#[derive(Debug, Clone)]
pub struct GraphFilterModel {
    table: Arc<EmbeddingTable>,
    degrees: Vec<f32>,
    config: GraphFilterConfig,
}

impl GraphFilterModel {
    /// Fits item vectors on all threads of the current rayon pool; the same bits on any number of them.
    /// `progress` hears the number of iterations done after each.
    ///
    /// **Shapes**: one row of `config.dimensions` per item of `interactions`.
    /// **Cost**: per iteration 4 interactions * k + 6 (users + items) k^2 operations for k dimensions
    /// with oversampling; memory (users + items) k floats, and items k more at the end.
    ///
    /// # Errors
    /// A field of `config` out of range.
    pub fn fit(
        interactions: &Interactions,
        config: &GraphFilterConfig,
        seed: u64,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self, EmbeddingError> {
        config.check().map_err(EmbeddingError::Config)?;
        let matrix = NormalizedMatrix::new(interactions, config);
        let shape = (interactions.users().len(), interactions.items().len());
        let vectors = right_singular_vectors(&matrix, shape, config, seed, progress).ok_or_else(|| {
            EmbeddingError::Diverged(InvalidInput::new("graph_filter", "the singular values did not converge"))
        })?;

        let mut values = vec![0.0; shape.1 * config.dimensions];
        let rows = values.chunks_exact_mut(config.dimensions).zip(vectors.values.chunks_exact(vectors.columns));
        for ((to, from), degree) in rows.zip(matrix.item_degrees()) {
            let scale = f64::from(*degree).powf(config.target_exponent) as f32;
            for (to, from) in to.iter_mut().zip(from) {
                *to = scale * from;
            }
        }
        let table = EmbeddingTable::parse(config.dimensions, interactions.items().to_vec(), values)
            .map_err(EmbeddingError::Diverged)?;
        Self::from_parts(Arc::new(table), matrix.item_degrees().to_vec(), config)
    }

    /// A fitted model from its stored item vectors and degrees.
    ///
    /// **Shapes**: one degree per row of `table`, the sum of the item's weights.
    ///
    /// # Errors
    /// A field of `config` out of range, other dimensions than it says, vectors that overflow, or
    /// degrees that do not fit the table, are not finite or not above 0.
    pub fn from_parts(
        table: Arc<EmbeddingTable>,
        degrees: Vec<f32>,
        config: &GraphFilterConfig,
    ) -> Result<Self, EmbeddingError> {
        config.check().map_err(EmbeddingError::Config)?;
        if table.dimensions() != config.dimensions {
            let (expected, got) = (config.dimensions, table.dimensions());
            return Err(EmbeddingError::DimensionsDiffer { expected, got });
        }
        let wrong = |reason: String| Err(EmbeddingError::Parts(InvalidInput::new("degrees", reason)));
        if degrees.len() != table.len() {
            return wrong(format!("expected one per item, {}, got {}", table.len(), degrees.len()));
        }
        // A comparison with NaN is false, so NaN is refused here.
        if let Some(row) = degrees.iter().position(|degree| !(*degree > 0.0 && degree.is_finite())) {
            return wrong(format!("that of row {row} must be finite and above 0"));
        }
        if !table.norm_max().is_finite() {
            return Err(EmbeddingError::GramNotFinite);
        }
        Ok(Self { table, degrees, config: *config })
    }

    /// The vector of a user with these `(item, weight)` events; none if no event has an item of the
    /// model and a positive weight.
    ///
    /// Events come in any order; of several for one item the greatest weight counts, as in training.
    /// Weights are held to [`crate::WEIGHT_MIN`] to [`crate::WEIGHT_MAX`]; events beyond 100,000 are
    /// ignored.
    ///
    /// **Shapes**: `config.dimensions` components, not normalised.
    /// **Cost**: 2 events * dimensions operations; allocates the answer alone.
    pub fn fold_in(
        &self,
        events: impl Iterator<Item = (ItemIdx, f32)>,
        scratch: &mut FoldInScratch,
    ) -> Option<Embedding> {
        scratch.gather(&self.table, events);
        if scratch.entries.is_empty() {
            return None;
        }
        let mut vector = vec![0.0; self.config.dimensions];
        for &(row, weight) in &scratch.entries {
            let degree = f64::from(*self.degrees.get(row)?);
            let factor = weight * degree.powf(-self.config.item_exponent - self.config.target_exponent) as f32;
            for (sum, component) in vector.iter_mut().zip(self.table.row(row)) {
                *sum += factor * component;
            }
        }
        Embedding::parse(vector).ok()
    }

    /// The item vectors, one row per item of the training data.
    pub fn table(&self) -> &Arc<EmbeddingTable> {
        &self.table
    }

    /// The sum of the training weights of every row of [`Self::table`].
    pub fn degrees(&self) -> &[f32] {
        &self.degrees
    }

    /// What the model was fitted with.
    pub fn config(&self) -> &GraphFilterConfig {
        &self.config
    }
}

#[cfg(test)]
#[path = "graph_filter_model_tests.rs"]
mod tests;
