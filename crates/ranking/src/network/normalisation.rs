use rayon::prelude::*;

use super::{Mode, Parameter, Visitor};
use crate::dense::{BLOCK_ROWS, Matrix};
use crate::simd::Simd;
use crate::simd::elementwise::{
    Norm, add_moments, drop_out, normalise_back, normalise_relu, relu, relu_back, relu_back_sums,
};

/// Added to a variance before its root is taken.
const VARIANCE_MIN: f64 = 1e-5;
/// Part of the running statistics that one batch replaces.
const MOMENTUM: f64 = 0.1;

/// What follows a hidden layer: batch normalisation, ReLU, and dropout while learning.
///
/// **Source**: Ioffe and Szegedy 2015; Srivastava et al. 2014.
#[derive(Debug)]
pub(crate) struct Normalisation {
    pub(crate) scale: Parameter,
    pub(crate) shift: Parameter,
    pub(crate) running_mean: Parameter,
    pub(crate) running_variance: Parameter,
    is_on: bool,
    dropout: f32,
    simd: Simd,
    /// Of the latest batch.
    mean: Vec<f32>,
    inverse_deviation: Vec<f32>,
}

impl Normalisation {
    pub(crate) fn new(width: usize, is_on: bool, dropout: f32) -> Self {
        Self {
            scale: Parameter::constant((1, width), 1.0),
            shift: Parameter::constant((1, width), 0.0),
            running_mean: Parameter::statistics(width, 0.0),
            running_variance: Parameter::statistics(width, 1.0),
            is_on,
            dropout,
            simd: Simd::best(),
            mean: Vec::new(),
            inverse_deviation: Vec::new(),
        }
    }

    fn norm(&self) -> Norm<'_> {
        Norm {
            mean: &self.mean,
            inverse_deviation: &self.inverse_deviation,
            scale: &self.scale.values,
            shift: &self.shift.values,
        }
    }

    /// **Shapes**: `input` and `out` rows x width.
    pub(crate) fn forward(&mut self, input: &Matrix, mode: Mode, out: &mut Matrix) {
        self.choose_statistics(input, mode);
        out.reshape(input.rows(), input.columns);
        let size = BLOCK_ROWS * input.columns;
        let (norm, simd, is_on, dropout) = (self.norm(), self.simd, self.is_on, Dropout::of(self.dropout, mode));
        let blocks = out.values.par_chunks_mut(size).zip(input.values.par_chunks(size));
        blocks.enumerate().for_each(|(block, (out, input))| {
            if is_on {
                normalise_relu(simd, out, input, norm);
            } else {
                relu(simd, out, input);
            }
            if let Some(dropout) = dropout {
                dropout.apply(simd, block * size, out);
            }
        });
    }

    /// Given the layer's input and output, turns `gradient`, the derivative by the output, into the
    /// derivative by the input.
    pub(crate) fn backward(&mut self, input: &Matrix, output: &Matrix, gradient: &mut Matrix) {
        let (width, size) = (input.columns, BLOCK_ROWS * input.columns);
        let (kept, simd, norm) = (1.0 / (1.0 - self.dropout), self.simd, self.norm());
        let blocks = gradient.values.par_chunks_mut(size).zip(output.values.par_chunks(size));
        if !self.is_on {
            blocks.for_each(|(gradient, output)| relu_back(simd, gradient, output, kept));
            return;
        }
        let sums: Vec<Vec<f32>> = blocks
            .zip(input.values.par_chunks(size))
            .map(|((gradient, output), input)| {
                let mut sums = vec![0.0; 2 * width];
                let (plain, centred) = sums.split_at_mut(width);
                relu_back_sums(simd, gradient, input, output, norm, kept, plain, centred);
                sums
            })
            .collect();
        let total = add_up(&sums, 2 * width);
        let means: Vec<f32> = total.iter().map(|sum| (sum / input.rows() as f64) as f32).collect();
        let (means, centred_means) = means.split_at(width);
        let inverse = norm.inverse_deviation;
        let factor: Vec<f32> = norm.scale.iter().zip(inverse).map(|(scale, inverse)| scale * inverse).collect();
        let blocks = gradient.values.par_chunks_mut(size).zip(input.values.par_chunks(size));
        blocks.for_each(|(gradient, input)| {
            normalise_back(simd, gradient, input, norm, &factor, means, centred_means);
        });
        for column in 0..width {
            self.shift.gradient[column] += total[column] as f32;
            self.scale.gradient[column] += total[width + column] as f32;
        }
    }

    /// Mean and deviation of the batch, which also move the running ones; or the running ones.
    fn choose_statistics(&mut self, input: &Matrix, mode: Mode) {
        let width = input.columns;
        self.mean.resize(width, 0.0);
        self.inverse_deviation.resize(width, 1.0);
        if !self.is_on {
            return;
        }
        if mode == Mode::Evaluate {
            self.mean.copy_from_slice(&self.running_mean.values);
            for (to, variance) in self.inverse_deviation.iter_mut().zip(&self.running_variance.values) {
                *to = inverse_deviation(f64::from(*variance));
            }
            return;
        }
        // Sums about the first row, so that a large mean does not swallow a small spread.
        let (rows, about) = (input.rows() as f64, input.row(0));
        let simd = self.simd;
        let sums: Vec<Vec<f32>> = input
            .values
            .par_chunks(BLOCK_ROWS * width)
            .map(|block| {
                let mut sums = vec![0.0; 2 * width];
                let (plain, squares) = sums.split_at_mut(width);
                add_moments(simd, block, about, plain, squares);
                sums
            })
            .collect();
        let total = add_up(&sums, 2 * width);
        for column in 0..width {
            let distance = total[column] / rows;
            let variance = (total[width + column] / rows - distance * distance).max(0.0);
            let mean = f64::from(about[column]) + distance;
            self.mean[column] = mean as f32;
            self.inverse_deviation[column] = inverse_deviation(variance);
            let unbiased = variance * rows / (rows - 1.0).max(1.0);
            move_towards(&mut self.running_mean.values[column], mean);
            move_towards(&mut self.running_variance.values[column], unbiased);
        }
    }

    /// What evaluation does to each column before the ReLU: factor and summand.
    pub(crate) fn folded(&self) -> (Vec<f32>, Vec<f32>) {
        let width = self.scale.values.len();
        if !self.is_on {
            return (vec![1.0; width], vec![0.0; width]);
        }
        let factor = |column: usize| {
            self.scale.values[column] * inverse_deviation(f64::from(self.running_variance.values[column]))
        };
        let factors: Vec<f32> = (0..width).map(factor).collect();
        let summand = |column: usize| self.shift.values[column] - self.running_mean.values[column] * factors[column];
        let summands = (0..width).map(summand).collect();
        (factors, summands)
    }

    pub(crate) fn visit(&mut self, name: &str, visitor: &mut Visitor<'_>) {
        if !self.is_on {
            return;
        }
        visitor(&format!("{name}.scale"), &mut self.scale);
        visitor(&format!("{name}.shift"), &mut self.shift);
        visitor(&format!("{name}.running_mean"), &mut self.running_mean);
        visitor(&format!("{name}.running_variance"), &mut self.running_variance);
    }
}

fn inverse_deviation(variance: f64) -> f32 {
    (1.0 / (variance + VARIANCE_MIN).sqrt()) as f32
}

fn move_towards(running: &mut f32, seen: f64) {
    *running = (f64::from(*running) * (1.0 - MOMENTUM) + seen * MOMENTUM) as f32;
}

/// Sums of the blocks, in order.
fn add_up(blocks: &[Vec<f32>], width: usize) -> Vec<f64> {
    let mut total = vec![0.0; width];
    for block in blocks {
        total.iter_mut().zip(block).for_each(|(total, sum)| *total += f64::from(*sum));
    }
    total
}

/// Sets a share of values to zero and raises the others so that the mean stays.
///
/// Which ones, a hash of seed and place says: any thread may ask, and nothing is stored.
#[derive(Debug, Clone, Copy)]
struct Dropout {
    seed: u32,
    below: u32,
    factor: f32,
}

impl Dropout {
    fn of(share: f32, mode: Mode) -> Option<Self> {
        let Mode::Train { seed } = mode else { return None };
        let below = (f64::from(share) * 2_f64.powi(32)) as u32;
        let seed = (seed ^ (seed >> 32)) as u32;
        (share > 0.0).then_some(Self { seed, below, factor: 1.0 / (1.0 - share) })
    }

    /// `first` is the place of the first value in the whole matrix.
    fn apply(self, simd: Simd, first: usize, values: &mut [f32]) {
        let first = (first as u32).wrapping_add(self.seed.wrapping_mul(0x9E37_79B9));
        drop_out(simd, values, first, self.seed, self.below, self.factor);
    }
}
