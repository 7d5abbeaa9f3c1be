use rayon::prelude::*;

use crate::cholesky::Cholesky;
use crate::symmetric_matrix::SymmetricMatrix;
use crate::vector_block::{LANES, Lanes, VectorBlock};
use crate::{IalsConfig, SparseRows};

/// Most blocks that a Gram matrix is summed from: enough for many threads, few enough to be kept.
const GRAM_BLOCKS_MAX: usize = 32;
/// Fewest rows of such a block.
const GRAM_BLOCK_ROWS_MIN: usize = 1_024;

/// One half of an alternating step: one side is held fixed, each row of the other is solved for.
///
/// For a row with observed pairs S it minimises over x
/// `sum_S w (1 - x.y)^2 + alpha sum_all (x.y)^2 + reg (sum_S w + alpha n)^nu |x|^2`,
/// that is, it solves `(alpha Y^T Y + sum_S w y y^T + lambda I) x = sum_S w y`.
///
/// **Source**: Hu, Koren, Volinsky 2008, equation 4; loss and frequency scaling after Rendle et al.
/// 2021, equations 4 to 6, where the frequency counts pairs and here sums their weights, so that a
/// weight of 2 is the same as a pair seen twice.
#[derive(Clone, Copy)]
pub(crate) struct HalfStep<'a> {
    /// The fixed side, n x k.
    pub(crate) factors: &'a [f32],
    /// `alpha Y^T Y` of the fixed side.
    pub(crate) gram: &'a SymmetricMatrix,
    pub(crate) config: &'a IalsConfig,
}

/// What one solve needs, kept from one row to the next.
#[derive(Debug, Clone, Default)]
pub(crate) struct SolveScratch {
    block: VectorBlock,
    matrix: SymmetricMatrix,
    cholesky: Cholesky,
    solution: Vec<Lanes>,
}

impl HalfStep<'_> {
    /// Solves for one row and writes its k components.
    ///
    /// **Cost**: entries * k^2 + k^3 / 3 operations; allocates nothing after the first call.
    pub(crate) fn solve_row(
        &self,
        entries: impl Iterator<Item = (usize, f32)>,
        scratch: &mut SolveScratch,
        row: &mut [f32],
    ) {
        let dimensions = self.config.dimensions;
        let SolveScratch { block, matrix, cholesky, solution } = scratch;
        block.reset(dimensions);
        matrix.copy_from(self.gram);
        solution.clear();
        solution.resize(dimensions.div_ceil(LANES), [0.0; LANES]);

        let mut frequency = 0.0_f64;
        for (entry, weight) in entries {
            let vector = &self.factors[entry * dimensions..(entry + 1) * dimensions];
            frequency += f64::from(weight);
            for (sum, component) in solution.as_flattened_mut().iter_mut().zip(vector) {
                *sum += weight * component;
            }
            // Both sides of a product bear the root, so the sum is symmetric to the last bit.
            block.push(vector, weight.sqrt());
            if block.is_full() {
                matrix.add_products(block);
                block.clear();
            }
        }
        matrix.add_products(block);
        matrix.add_diagonal(self.ridge(frequency));
        cholesky.factor(matrix);
        cholesky.solve(solution);
        row.copy_from_slice(&solution.as_flattened()[..dimensions]);
    }

    /// Solves for all rows, in parallel; every row is independent of the threads.
    pub(crate) fn solve_all(&self, rows: &SparseRows, to: &mut [f32]) {
        to.par_chunks_mut(self.config.dimensions)
            .enumerate()
            .for_each_init(SolveScratch::default, |scratch, (r, row)| self.solve_row(rows.row(r), scratch, row));
    }

    /// The regularisation of a row whose weights sum to `frequency`.
    pub(crate) fn ridge(&self, frequency: f64) -> f32 {
        let fixed_rows = (self.factors.len() / self.config.dimensions) as f64;
        let effective = frequency + self.config.unobserved_weight * fixed_rows;
        (self.config.regularization * effective.powf(self.config.frequency_exponent)) as f32
    }
}

/// `alpha Y^T Y` of n x k factors.
///
/// The borders of the blocks depend on n alone, and their sums are added in order: the same bits on any
/// number of threads.
///
/// **Cost**: n k^2 operations.
pub(crate) fn gram(factors: &[f32], config: &IalsConfig) -> SymmetricMatrix {
    let dimensions = config.dimensions;
    let rows = factors.len() / dimensions;
    let block_rows = rows.div_ceil(GRAM_BLOCKS_MAX).max(GRAM_BLOCK_ROWS_MIN);
    let parts: Vec<SymmetricMatrix> = factors
        .par_chunks(block_rows * dimensions)
        .map(|part| {
            let mut sum = SymmetricMatrix::zeros(dimensions);
            let mut block = VectorBlock::default();
            block.reset(dimensions);
            for vector in part.chunks_exact(dimensions) {
                block.push(vector, 1.0);
                if block.is_full() {
                    sum.add_products(&block);
                    block.clear();
                }
            }
            sum.add_products(&block);
            sum
        })
        .collect();
    let mut total = SymmetricMatrix::zeros(dimensions);
    for part in &parts {
        total.add_matrix(part);
    }
    total.scale(config.unobserved_weight as f32);
    total
}
