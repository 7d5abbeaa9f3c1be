use rayon::prelude::*;

use super::{Mode, Parameter, Visitor};
use crate::dense::{BLOCK_ROWS, Matrix};
use crate::simd::Simd;

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

    /// **Shapes**: `input` and `out` rows x width.
    pub(crate) fn forward(&mut self, input: &Matrix, mode: Mode, out: &mut Matrix) {
        self.choose_statistics(input, mode);
        out.reshape(input.rows(), input.columns);
        let width = input.columns;
        let blocks = out.values.par_chunks_mut(BLOCK_ROWS * width).zip(input.values.par_chunks(BLOCK_ROWS * width));
        let (mean, inverse, scale, shift) =
            (&self.mean[..], &self.inverse_deviation[..], &self.scale.values[..], &self.shift.values[..]);
        let dropout = Dropout::of(self.dropout, mode);
        let is_on = self.is_on;
        blocks.enumerate().for_each(|(block, (out, input))| {
            self.simd.run(|| {
                for (row, (out, input)) in out.chunks_exact_mut(width).zip(input.chunks_exact(width)).enumerate() {
                    if is_on {
                        for column in 0..width {
                            let centred = (input[column] - mean[column]) * inverse[column];
                            out[column] = (centred * scale[column] + shift[column]).max(0.0);
                        }
                    } else {
                        out.iter_mut().zip(input).for_each(|(to, from)| *to = from.max(0.0));
                    }
                    dropout.apply((block * BLOCK_ROWS + row) * width, out);
                }
            });
        });
    }

    /// Given the layer's input and output, turns `gradient`, the derivative by the output, into the
    /// derivative by the input.
    pub(crate) fn backward(&mut self, input: &Matrix, output: &Matrix, gradient: &mut Matrix) {
        let (width, size) = (input.columns, BLOCK_ROWS * input.columns);
        let kept = 1.0 / (1.0 - self.dropout);
        let (mean, inverse) = (&self.mean[..], &self.inverse_deviation[..]);
        let simd = self.simd;
        // The derivative after the normalisation, and its sums with and without the centred input.
        let blocks = gradient.values.par_chunks_mut(size).zip(input.values.par_chunks(size));
        let sums: Vec<Vec<f32>> = blocks
            .zip(output.values.par_chunks(size))
            .map(|((gradient, input), output)| {
                let mut sums = vec![0.0; 2 * width];
                simd.run(|| {
                    let (plain, centred) = sums.split_at_mut(width);
                    let rows = gradient.chunks_exact_mut(width).zip(input.chunks_exact(width));
                    for ((gradient, input), output) in rows.zip(output.chunks_exact(width)) {
                        for column in 0..width {
                            let passed = if output[column] > 0.0 { gradient[column] * kept } else { 0.0 };
                            gradient[column] = passed;
                            plain[column] += passed;
                            centred[column] += passed * ((input[column] - mean[column]) * inverse[column]);
                        }
                    }
                });
                sums
            })
            .collect();
        if !self.is_on {
            return;
        }
        let total = add_up(&sums, 2 * width);
        let (plain, centred) = total.split_at(width);
        for column in 0..width {
            self.shift.gradient[column] += plain[column] as f32;
            self.scale.gradient[column] += centred[column] as f32;
        }
        let rows = input.rows() as f64;
        let plain: Vec<f32> = plain.iter().map(|sum| (sum / rows) as f32).collect();
        let centred: Vec<f32> = centred.iter().map(|sum| (sum / rows) as f32).collect();
        let factor: Vec<f32> = self.scale.values.iter().zip(inverse).map(|(scale, inverse)| scale * inverse).collect();
        gradient.values.par_chunks_mut(size).zip(input.values.par_chunks(size)).for_each(|(gradient, input)| {
            simd.run(|| {
                for (gradient, input) in gradient.chunks_exact_mut(width).zip(input.chunks_exact(width)) {
                    for column in 0..width {
                        let place = (input[column] - mean[column]) * inverse[column];
                        gradient[column] =
                            factor[column] * (gradient[column] - plain[column] - place * centred[column]);
                    }
                }
            });
        });
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
                simd.run(|| {
                    let (plain, squares) = sums.split_at_mut(width);
                    for row in block.chunks_exact(width) {
                        for column in 0..width {
                            let distance = row[column] - about[column];
                            plain[column] += distance;
                            squares[column] += distance * distance;
                        }
                    }
                });
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
}

trait Drop {
    fn apply(self, first: usize, values: &mut [f32]);
}

impl Drop for Option<Dropout> {
    /// `first` is the place of the first value in the whole matrix.
    #[inline]
    fn apply(self, first: usize, values: &mut [f32]) {
        let Some(Dropout { seed, below, factor }) = self else { return };
        let first = (first as u32).wrapping_add(seed.wrapping_mul(0x9E37_79B9));
        for (place, value) in values.iter_mut().enumerate() {
            // The mixer of Wellons, "lowbias32".
            let mut x = first.wrapping_add(place as u32) ^ seed;
            x = (x ^ (x >> 16)).wrapping_mul(0x7FEB_352D);
            x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
            x ^= x >> 16;
            *value = if x < below { 0.0 } else { *value * factor };
        }
    }
}
