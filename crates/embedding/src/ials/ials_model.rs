use std::sync::Arc;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use shortlist_types::{Embedding, EmbeddingTable, ItemIdx, dot};

use super::half_step::HalfStep;
use crate::principal_axes::{spectrum, turn_to_principal_axes};
use crate::{EmbeddingError, FoldInScratch, IalsConfig, Interactions, KnownUser};

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
/// These lie along the principal axes of their Gram matrix, where that form costs least.
///
/// **Source**: Hu, Koren, Volinsky 2008, "Collaborative Filtering for Implicit Feedback Datasets";
/// Rendle, Krichene, Zhang, Koren 2021, "Revisiting the Performance of iALS". Differs in that weights
/// count towards the frequency.
#[derive(Debug, Clone)]
pub struct IalsModel {
    table: Arc<EmbeddingTable>,
    /// Diagonal of the Gram matrix of the table.
    spectrum: Vec<f32>,
    config: IalsConfig,
}

impl IalsModel {
    /// Fits item vectors on all threads of the current rayon pool; the same bits on any number of them.
    /// `progress` hears the number of epochs done after each.
    ///
    /// **Shapes**: one row of `config.dimensions` per item of `interactions`.
    /// **Cost**: per epoch and row of n interactions n k min(n, k) + min(n, k)^3 / 3 multiply-adds, and
    /// 2 (users + items) k^2; memory (users + items) k floats.
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
        let dimensions = config.dimensions;
        let mut items = initial_factors(interactions.items().len(), dimensions, seed);
        let mut users = vec![0.0; interactions.users().len() * dimensions];
        for epoch in 1..=config.epochs {
            let axes = turn_to_principal_axes(&mut items, dimensions)?;
            HalfStep { factors: &items, spectrum: &axes.spectrum, config }.improve_all(
                interactions.by_user(),
                &axes,
                &mut users,
            );
            let axes = turn_to_principal_axes(&mut users, dimensions)?;
            HalfStep { factors: &users, spectrum: &axes.spectrum, config }.improve_all(
                interactions.by_item(),
                &axes,
                &mut items,
            );
            progress(epoch);
        }
        let spectrum = turn_to_principal_axes(&mut items, dimensions)?.spectrum;
        let table = EmbeddingTable::parse(config.dimensions, interactions.items().to_vec(), items)
            .map_err(EmbeddingError::Diverged)?;
        Ok(Self { table: Arc::new(table), spectrum, config: *config })
    }

    /// A model over item vectors of another origin, which it turns to their principal axes: the same
    /// products, other numbers.
    ///
    /// # Errors
    /// As [`Self::from_parts`].
    pub fn of_vectors(table: &EmbeddingTable, config: &IalsConfig) -> Result<Self, EmbeddingError> {
        let mut values = table.values().to_vec();
        turn_to_principal_axes(&mut values, table.dimensions())?;
        let turned = EmbeddingTable::parse(table.dimensions(), table.items().to_vec(), values);
        Self::from_parts(Arc::new(turned.map_err(EmbeddingError::Diverged)?), config)
    }

    /// A fitted model from its stored item vectors; equal to the fitted one bit for bit.
    ///
    /// **Cost**: items * k^2 / 2 multiply-adds to check the axes, on all threads of the current pool.
    ///
    /// # Errors
    /// A field of `config` out of range, other dimensions than it says, or vectors that overflow or do
    /// not lie along their principal axes, as those of every fit do.
    pub fn from_parts(table: Arc<EmbeddingTable>, config: &IalsConfig) -> Result<Self, EmbeddingError> {
        config.check().map_err(EmbeddingError::Config)?;
        if table.dimensions() != config.dimensions {
            let (expected, got) = (config.dimensions, table.dimensions());
            return Err(EmbeddingError::DimensionsDiffer { expected, got });
        }
        let spectrum = spectrum(table.values(), config.dimensions).ok_or(EmbeddingError::NotPrincipalAxes)?;
        Ok(Self { table, spectrum, config: *config })
    }

    /// The vector of a user with these `(item, weight)` events; none if no event has an item of the
    /// model and a positive weight.
    ///
    /// It is the user's half of a step on the final item vectors: what the fit itself would give him.
    /// Events come in any order; of several for one item the greatest weight counts, as in training.
    /// Weights are held to [`crate::WEIGHT_MIN`] to [`crate::WEIGHT_MAX`]; events beyond 100,000 are
    /// ignored.
    ///
    /// **Cost**: that of one row of [`Self::fit`]; allocates the answer alone.
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
        self.half_step().solve_row(scratch.entries.iter().copied(), &mut scratch.solver, &mut vector);
        Embedding::parse(vector).ok()
    }

    /// The vector of a stored user moved by the `(item, weight)` events since: the minimum over x of
    /// `sum w (1 - x.y)^2 + stiffness |x - stored|^2`. Without events it is the stored one.
    ///
    /// Events are read as by [`Self::fold_in`]; none if the stored vector has other dimensions.
    ///
    /// **Cost**: that of one row of [`Self::fit`] with the new events alone.
    pub fn moved(
        &self,
        stored: &KnownUser<'_>,
        events: impl Iterator<Item = (ItemIdx, f32)>,
        scratch: &mut FoldInScratch,
    ) -> Option<Embedding> {
        let dimensions = self.config.dimensions;
        if stored.vector.len() != dimensions {
            return None;
        }
        scratch.gather(&self.table, events);
        let FoldInScratch { entries, solver } = scratch;
        let mut step = vec![0.0; dimensions];
        let penalties = std::iter::repeat_n(stored.stiffness, dimensions);
        // What the stored vector leaves unexplained is what the step has to explain.
        let pairs = entries.iter().map(|&(row, weight)| (row, weight, 1.0 - dot(stored.vector, self.table.row(row))));
        solver.solve(self.table.values(), penalties, pairs, &mut step);
        step.iter_mut().zip(stored.vector).for_each(|(step, stored)| *step += stored);
        Embedding::parse(step).ok()
    }

    /// How hard a user with these events is to move, as [`KnownUser::stiffness`] has it.
    pub fn stiffness(&self, events: &[(ItemIdx, f32)]) -> f32 {
        let known = events.iter().filter_map(|(item, weight)| Some((self.table.get(*item)?, *weight)));
        let (mut frequency, mut squares) = (0.0_f64, 0.0_f64);
        for (vector, weight) in known {
            frequency += f64::from(weight);
            squares += f64::from(weight) * f64::from(dot(vector, vector));
        }
        let alpha = self.config.unobserved_weight;
        let unobserved: f64 = alpha * self.spectrum.iter().map(|square| f64::from(*square)).sum::<f64>();
        let ridge = f64::from(self.half_step().ridge(frequency));
        ((squares + unobserved) / self.config.dimensions as f64 + ridge) as f32
    }

    fn half_step(&self) -> HalfStep<'_> {
        HalfStep { factors: self.table.values(), spectrum: &self.spectrum, config: &self.config }
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
#[path = "tests.rs"]
mod tests;
