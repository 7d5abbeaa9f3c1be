use std::sync::Arc;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use shortlist_types::{Embedding, EmbeddingTable, ItemIdx};

use crate::half_step::{HalfStep, gram};
use crate::symmetric_matrix::SymmetricMatrix;
use crate::{EmbeddingError, FoldInScratch, IalsConfig, Interactions};

/// Standard deviation of the length of an item vector before the first step.
const INITIAL_LENGTH: f32 = 0.1;

/// Item vectors learned by implicit alternating least squares (iALS), and what it takes to place a
/// user among them.
///
/// The fit minimises over user vectors x and item vectors y
/// `sum_observed w (1 - x.y)^2 + alpha sum_all (x.y)^2`
/// `+ reg (sum_users (f_u + alpha items)^nu |x|^2 + sum_items (f_i + alpha users)^nu |y|^2)`,
/// where f sums the weights of a user or item, alpha is `unobserved_weight` and nu is
/// `frequency_exponent`. A user's preference for an item is the inner product.
///
/// User vectors are not kept: the best one for given events is a closed form of the item vectors.
///
/// **Source**: Hu, Koren, Volinsky 2008, "Collaborative Filtering for Implicit Feedback Datasets";
/// Rendle, Krichene, Zhang, Koren 2021, "Revisiting the Performance of iALS". Differs in that weights
/// count towards the frequency.
#[derive(Debug, Clone)]
pub struct IalsModel {
    table: Arc<EmbeddingTable>,
    gram: SymmetricMatrix,
    config: IalsConfig,
}

impl IalsModel {
    /// Fits item vectors on all threads of the current rayon pool; the same bits on any number of them.
    /// `progress` hears the number of epochs done after each.
    ///
    /// **Shapes**: one row of `config.dimensions` per item of `interactions`.
    /// **Cost**: per epoch 2 interactions * k^2 + (users + items) k^3 / 3 operations; memory
    /// (users + items) k floats.
    ///
    /// # Errors
    /// A field of `config` out of range, or vectors that overflow.
    pub fn fit(
        interactions: &Interactions,
        config: &IalsConfig,
        seed: u64,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self, EmbeddingError> {
        config.check().map_err(EmbeddingError::Config)?;
        let mut items = initial_factors(interactions.items().len(), config.dimensions, seed);
        let mut users = vec![0.0; interactions.users().len() * config.dimensions];
        for epoch in 1..=config.epochs {
            let of_items = gram(&items, config);
            HalfStep { factors: &items, gram: &of_items, config }.solve_all(interactions.by_user(), &mut users);
            let of_users = gram(&users, config);
            HalfStep { factors: &users, gram: &of_users, config }.solve_all(interactions.by_item(), &mut items);
            progress(epoch);
        }
        let table = EmbeddingTable::parse(config.dimensions, interactions.items().to_vec(), items)
            .map_err(EmbeddingError::Diverged)?;
        Self::from_parts(Arc::new(table), config)
    }

    /// A fitted model from its stored item vectors; equal to the fitted one bit for bit.
    ///
    /// **Cost**: items * k^2 operations for the Gram matrix, on all threads of the current pool.
    ///
    /// # Errors
    /// A field of `config` out of range, other dimensions than it says, or vectors that overflow.
    pub fn from_parts(table: Arc<EmbeddingTable>, config: &IalsConfig) -> Result<Self, EmbeddingError> {
        config.check().map_err(EmbeddingError::Config)?;
        if table.dimensions() != config.dimensions {
            let (expected, got) = (config.dimensions, table.dimensions());
            return Err(EmbeddingError::DimensionsDiffer { expected, got });
        }
        let gram = gram(table.values(), config);
        if !gram.is_finite() {
            return Err(EmbeddingError::GramNotFinite);
        }
        Ok(Self { table, gram, config: *config })
    }

    /// The vector of a user with these `(item, weight)` events; none if no event has an item of the
    /// model and a positive weight.
    ///
    /// It is the user's half of a step on the final item vectors: what the fit itself would give him.
    /// Events come in any order; of several for one item the greatest weight counts, as in training.
    /// Weights are held to [`crate::WEIGHT_MIN`] to [`crate::WEIGHT_MAX`]; events beyond 100,000 are
    /// ignored.
    ///
    /// **Cost**: events * k^2 + k^3 / 3 operations, about 30 microseconds for 100 events at 64
    /// dimensions; allocates the answer alone.
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
        self.half_step().solve_row(scratch.entries.iter().copied(), &mut scratch.solve, &mut vector);
        Embedding::parse(vector).ok()
    }

    fn half_step(&self) -> HalfStep<'_> {
        HalfStep { factors: self.table.values(), gram: &self.gram, config: &self.config }
    }

    /// The item vectors, one row per item of the training data.
    pub fn table(&self) -> &Arc<EmbeddingTable> {
        &self.table
    }

    /// What the model was fitted with.
    pub fn config(&self) -> &IalsConfig {
        &self.config
    }
}

/// Small normal vectors, so that the first user step is not blind.
fn initial_factors(rows: usize, dimensions: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let scale = INITIAL_LENGTH / (dimensions as f32).sqrt();
    let normal = |_| {
        let value: f32 = StandardNormal.sample(&mut rng);
        value * scale
    };
    (0..rows * dimensions).map(normal).collect()
}

#[cfg(test)]
#[path = "ials_model_tests.rs"]
mod tests;
