use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::softmax::pooling::{add_scaled, back_through_rescale, rescale};
use crate::softmax::row_gradients::RowGradients;

/// Rows that one task steps: fewer, and the search for the entries of a block would show.
const BLOCK_ROWS: usize = 128;
/// Decay of the mean gradient.
const MEAN_DECAY: f32 = 0.9;
/// Decay of the mean squared gradient.
const SQUARE_DECAY: f32 = 0.999;
/// Keeps a step finite where all gradients were zero.
const EPSILON: f32 = 1e-8;

/// Vectors of length 1 in training: `raw / |raw|`, where `raw` is stepped by Adam.
///
/// A row that a batch does not touch stays as it is, its means included.
///
/// **Shapes**: all n x k, row-major. **Cost**: 16 bytes per component.
/// **Source**: Kingma, Ba 2015, "Adam", algorithm 1; sparse as in LazyAdam, that is, a mean decays only
/// when its row is touched.
pub(crate) struct TrainedTable {
    dimensions: usize,
    raw: Vec<f32>,
    values: Vec<f32>,
    means: Vec<f32>,
    squares: Vec<f32>,
}

/// How far one step goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) learning_rate: f32,
    /// Steps taken, with this one.
    pub(crate) count: usize,
}

impl TrainedTable {
    /// Random directions.
    pub(crate) fn new(rows: usize, dimensions: usize, rng: &mut ChaCha8Rng) -> Self {
        let scale = 1.0 / (dimensions as f32).sqrt();
        let normal = |_| {
            let value: f32 = StandardNormal.sample(rng);
            value * scale
        };
        let raw: Vec<f32> = (0..rows * dimensions).map(normal).collect();
        let mut values = raw.clone();
        for row in values.chunks_exact_mut(dimensions) {
            rescale(row, 1.0);
        }
        let zeros = vec![0.0; raw.len()];
        Self { dimensions, raw, values, means: zeros.clone(), squares: zeros }
    }

    /// The vectors, each of length 1.
    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }

    /// The vectors, without the state of the training.
    pub(crate) fn into_values(self) -> Vec<f32> {
        self.values
    }

    /// Steps against the gradient by [`Self::values`], the sum over `chunks`.
    ///
    /// Chunks are added in their order, row by row: the same bits on any number of threads.
    ///
    /// **Cost**: entries * k operations and about 20 k per touched row.
    pub(crate) fn step(&mut self, chunks: &[RowGradients<'_>], step: &Step) {
        let dimensions = self.dimensions;
        let block = BLOCK_ROWS * dimensions;
        let adam = Adam::new(step);
        self.raw
            .par_chunks_mut(block)
            .zip_eq(self.values.par_chunks_mut(block))
            .zip_eq(self.means.par_chunks_mut(block))
            .zip_eq(self.squares.par_chunks_mut(block))
            .enumerate()
            .for_each_init(Vec::new, |sums, (b, (((raw, values), means), squares))| {
                let touched = sum_of_block(chunks, b * BLOCK_ROWS, dimensions, sums);
                for row in (0..raw.len() / dimensions).filter(|&row| touched[row]) {
                    let range = row * dimensions..(row + 1) * dimensions;
                    let gradient = &mut sums[range.clone()];
                    let (raw, value) = (&mut raw[range.clone()], &mut values[range.clone()]);
                    value.copy_from_slice(raw);
                    let factor = rescale(value, 1.0);
                    back_through_rescale(gradient, value, factor);
                    adam.step(gradient, raw, &mut means[range.clone()], &mut squares[range]);
                    value.copy_from_slice(raw);
                    rescale(value, 1.0);
                }
            });
    }
}

/// Sums the gradients of the rows of one block and tells which have any.
fn sum_of_block(
    chunks: &[RowGradients<'_>],
    first: usize,
    dimensions: usize,
    sums: &mut Vec<f32>,
) -> [bool; BLOCK_ROWS] {
    let mut touched = [false; BLOCK_ROWS];
    sums.clear();
    sums.resize(BLOCK_ROWS * dimensions, 0.0);
    for chunk in chunks {
        for entry in chunk.between(first, first + BLOCK_ROWS) {
            let row = entry.row as usize - first;
            touched[row] = true;
            let sum = &mut sums[row * dimensions..(row + 1) * dimensions];
            add_scaled(sum, entry.weight, chunk.vector(entry, dimensions));
        }
    }
    touched
}

/// The rule of a step.
struct Adam {
    /// The learning rate with both corrections for means that begin at zero.
    rate: f32,
    /// What [`EPSILON`] is beside the uncorrected root.
    epsilon: f32,
}

impl Adam {
    fn new(step: &Step) -> Self {
        let share = |decay: f32| 1.0 - decay.powf(step.count as f32);
        let root = share(SQUARE_DECAY).sqrt();
        Self { rate: step.learning_rate * root / share(MEAN_DECAY), epsilon: EPSILON * root }
    }

    fn step(&self, gradient: &[f32], raw: &mut [f32], means: &mut [f32], squares: &mut [f32]) {
        let state = raw.iter_mut().zip(means).zip(squares);
        for (&slope, ((component, mean), square)) in gradient.iter().zip(state) {
            *mean = MEAN_DECAY * *mean + (1.0 - MEAN_DECAY) * slope;
            *square = SQUARE_DECAY * *square + (1.0 - SQUARE_DECAY) * slope * slope;
            *component -= self.rate * *mean / (square.sqrt() + self.epsilon);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use shortlist_types::dot;

    use super::*;
    use crate::softmax::row_gradients::GradientEntry;

    #[test]
    fn steps_turn_touched_rows_downhill_and_leave_the_others_alone() {
        let mut table = TrainedTable::new(300, 5, &mut ChaCha8Rng::seed_from_u64(2));
        let before = table.values().to_vec();
        let vectors = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0];
        let entry = |row, vector| GradientEntry { row, vector, weight: 0.5 };
        let (first, second) = ([entry(7, 0), entry(200, 1)], [entry(7, 1), entry(299, 0)]);
        for count in 1..=300 {
            let chunks = [&first, &second].map(|entries| RowGradients { entries, vectors: &vectors });
            table.step(&chunks, &Step { learning_rate: 0.05, count });
        }
        let row = |row: usize| &table.values()[row * 5..(row + 1) * 5];
        // Against the sum of the first two axes, half of each.
        assert!((row(7)[0] + 0.5_f32.sqrt()).abs() < 0.02 && (row(7)[1] + 0.5_f32.sqrt()).abs() < 0.02, "{:?}", row(7));
        assert!(row(200)[1] < -0.99 && row(299)[0] < -0.99);
        for r in 0..300 {
            assert!((dot(row(r), row(r)) - 1.0).abs() < 1e-5);
            if ![7, 200, 299].contains(&r) {
                assert_eq!(row(r), &before[r * 5..(r + 1) * 5]);
            }
        }
    }

    #[test]
    fn a_gradient_of_zero_and_a_huge_one_keep_all_values_finite() {
        let mut table = TrainedTable::new(2, 3, &mut ChaCha8Rng::seed_from_u64(2));
        let vectors = [0.0, 0.0, 0.0, 1e15, -1e15, 0.0];
        let entries =
            [GradientEntry { row: 0, vector: 0, weight: 1.0 }, GradientEntry { row: 1, vector: 1, weight: 1.0 }];
        for count in 1..=3 {
            let chunk = RowGradients { entries: &entries, vectors: &vectors };
            table.step(&[chunk], &Step { learning_rate: 0.1, count });
        }
        assert!(table.values().iter().all(|x| x.is_finite()));
    }
}
