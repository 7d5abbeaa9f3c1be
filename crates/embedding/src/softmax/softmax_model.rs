use std::sync::Arc;

use shortlist_types::{Embedding, EmbeddingTable, ItemIdx};

use crate::softmax::SoftmaxConfig;
use crate::softmax::pooling::{add_scaled, rescale};
use crate::softmax::trainer::Trainer;
use crate::{EmbeddingError, FoldInScratch, Interactions};

/// Item vectors of a two-tower model learned with sampled softmax, and what it takes to place a user
/// among them.
///
/// The item tower is a table of vectors of length 1. The user tower adds the vectors of the items of his
/// events by weight and brings the sum to the length 1 / temperature; a user's preference for an item is
/// the inner product, a cosine over the temperature. Both towers share the table.
///
/// The fit predicts every item of a user from his others: among all items that he does not have, the
/// softmax of the preferences should be greatest for the one left out. The sum over all items is
/// estimated from negatives drawn by popularity, each corrected by the logarithm of how often it is drawn
/// (logQ).
///
/// **Source**: Yi et al. 2019, "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
/// Recommendations"; Bengio, Senecal 2008, "Adaptive Importance Sampling to Accelerate Training of a
/// Neural Probabilistic Language Model". Differs in that negatives are drawn and shared by a batch instead
/// of being its other targets, and that a user has no parameters of his own.
#[derive(Debug, Clone)]
pub struct SoftmaxModel {
    table: Arc<EmbeddingTable>,
    config: SoftmaxConfig,
    losses: Vec<f64>,
}

impl SoftmaxModel {
    /// Fits item vectors on all threads of the current rayon pool; the same bits on any number of them.
    /// `progress` hears the number of epochs done after each.
    ///
    /// Users with a single item are passed over; an item that only they have keeps nearly its first,
    /// random direction.
    ///
    /// **Shapes**: one row of `config.dimensions` per item of `interactions`, each of length 1.
    /// **Cost**: per pair and epoch 6 m k operations for m distinct negatives, about 22 microseconds of
    /// one core at 2,048 draws and 64 dimensions; memory 4 items * k floats, and per batch (pairs +
    /// pairs / 256 m) k floats.
    ///
    /// # Errors
    /// A field of `config` out of range.
    pub fn fit(
        interactions: &Interactions,
        config: &SoftmaxConfig,
        seed: u64,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self, EmbeddingError> {
        config.check().map_err(EmbeddingError::Config)?;
        let mut trainer = Trainer::new(interactions, config, seed);
        let mut losses = Vec::with_capacity(config.epochs);
        for done in 0..config.epochs {
            losses.push(trainer.epoch(done));
            progress(done + 1);
        }
        let items = interactions.items().to_vec();
        let table =
            EmbeddingTable::parse(config.dimensions, items, trainer.into_values()).map_err(EmbeddingError::Diverged)?;
        Ok(Self { losses, ..Self::from_parts(Arc::new(table), config)? })
    }

    /// A fitted model from its stored item vectors; it folds in as the fitted one, bit for bit.
    ///
    /// # Errors
    /// A field of `config` out of range, other dimensions than it says, or vectors that overflow.
    pub fn from_parts(table: Arc<EmbeddingTable>, config: &SoftmaxConfig) -> Result<Self, EmbeddingError> {
        config.check().map_err(EmbeddingError::Config)?;
        if table.dimensions() != config.dimensions {
            let (expected, got) = (config.dimensions, table.dimensions());
            return Err(EmbeddingError::DimensionsDiffer { expected, got });
        }
        if !table.norm_max().is_finite() {
            return Err(EmbeddingError::GramNotFinite);
        }
        Ok(Self { table, config: *config, losses: Vec::new() })
    }

    /// The vector of a user with these `(item, weight)` events; none if no event has an item of the
    /// model and a positive weight.
    ///
    /// It is what the user tower gives in the fit, with nothing left out. Events come in any order; of
    /// several for one item the greatest weight counts, as in training. Weights are held to
    /// [`crate::WEIGHT_MIN`] to [`crate::WEIGHT_MAX`]; events beyond 100,000 are ignored.
    ///
    /// **Shapes**: of length 1 / temperature.
    /// **Cost**: events * k operations, about 20 microseconds for 100 events at 64 dimensions, most of them
    /// for finding the rows; allocates the answer alone.
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
            add_scaled(&mut vector, weight, self.table.row(row));
        }
        rescale(&mut vector, self.config.temperature.recip() as f32);
        Embedding::parse(vector).ok()
    }

    /// The item vectors, one row per item of the training data.
    pub fn table(&self) -> &Arc<EmbeddingTable> {
        &self.table
    }

    /// What the model was fitted with.
    pub fn config(&self) -> &SoftmaxConfig {
        &self.config
    }

    /// The mean loss per pair in each epoch of the fit, as it was before each step; empty for a model from
    /// its parts.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }
}

#[cfg(test)]
#[path = "softmax_model_tests.rs"]
mod tests;
