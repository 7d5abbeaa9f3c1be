use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{BlockStructure, matmul as triangular_matmul};
use faer::{Accum, Mat, MatMut, MatRef, Par, Side};
use rayon::prelude::*;

use crate::EmbeddingError;

/// Most blocks that a Gram matrix is summed from: enough for many threads, few enough to be kept.
const GRAM_BLOCKS_MAX: usize = 32;
/// Fewest rows of such a block.
const GRAM_BLOCK_ROWS_MIN: usize = 1_024;
/// Rows that are turned at a time.
const TURNED_ROWS: usize = 1_024;
/// Greatest cosine between two columns of factors that count as turned.
const COSINE_MAX: f32 = 1e-3;
/// Products below this share of the greatest are rounding: columns beyond the rank of the data.
const ROUNDING_SHARE: f32 = 1e-5;

/// The principal axes of a side's Gram matrix.
pub(crate) struct PrincipalAxes {
    /// The Gram matrix along them: k values, ascending but for rounding.
    pub(crate) spectrum: Vec<f32>,
    /// One axis per column.
    axes: Mat<f32>,
}

impl PrincipalAxes {
    /// Turns one row of the other side as this one was turned, so that products stay what they were.
    ///
    /// **Cost**: k^2 multiply-adds.
    pub(crate) fn turn(&self, row: &mut [f32], scratch: &mut Vec<f32>) {
        scratch.clear();
        scratch.extend_from_slice(row);
        let from = MatRef::from_column_major_slice(scratch, row.len(), 1);
        let to = MatMut::from_column_major_slice_mut(row, self.axes.nrows(), 1);
        matmul(to, Accum::Replace, self.axes.transpose(), from, 1.0, Par::Seq);
    }
}

/// Turns factors to the principal axes of their Gram matrix and returns these.
///
/// Products between two sides do not change when both are turned alike, so a side may be turned before
/// the other one is solved for in its axes. There the Gram matrix is diagonal, which is what lets
/// [`crate::ials::RowSolver`] solve among few pairs instead of among all components.
///
/// **Shapes**: `factors` n x k, row-major.
/// **Cost**: 2 n k^2 multiply-adds, on all threads of the current pool, and one eigenvalue problem.
///
/// # Errors
/// Factors so long that their products overflow.
pub(crate) fn turn_to_principal_axes(factors: &mut [f32], dimensions: usize) -> Result<PrincipalAxes, EmbeddingError> {
    let gram = gram(factors, dimensions);
    if !gram.iter().all(|value| value.is_finite()) {
        return Err(EmbeddingError::GramNotFinite);
    }
    // In doubles: the least eigenvalues are many orders below the greatest.
    let gram = Mat::from_fn(dimensions, dimensions, |row, column| f64::from(gram[column * dimensions + row]));
    let axes = gram.self_adjoint_eigen(Side::Lower).map_err(|_| EmbeddingError::GramNotFinite)?;
    let axes = Mat::from_fn(dimensions, dimensions, |row, column| axes.U()[(row, column)] as f32);
    factors.par_chunks_mut(TURNED_ROWS * dimensions).for_each_init(Vec::new, |turned: &mut Vec<f32>, rows| {
        turned.clear();
        turned.resize(rows.len(), 0.0);
        let n = rows.len() / dimensions;
        let vectors = MatRef::from_column_major_slice(rows, dimensions, n);
        let to = MatMut::from_column_major_slice_mut(turned, dimensions, n);
        matmul(to, Accum::Replace, axes.transpose(), vectors, 1.0, Par::Seq);
        rows.copy_from_slice(turned);
    });
    Ok(PrincipalAxes { spectrum: squares(factors, dimensions), axes })
}

/// The diagonal of the Gram matrix of factors that lie along its principal axes; none if they do not,
/// or are too long.
///
/// **Cost**: n k^2 / 2 multiply-adds, on all threads of the current pool.
pub(crate) fn spectrum(factors: &[f32], dimensions: usize) -> Option<Vec<f32>> {
    let gram = gram(factors, dimensions);
    let diagonal = squares(factors, dimensions);
    let rounding = ROUNDING_SHARE * diagonal.iter().copied().fold(0.0, f32::max);
    let turned = (0..dimensions).all(|column| {
        (column + 1..dimensions).all(|row| {
            let product = gram[column * dimensions + row];
            // Written so that NaN fails too.
            product.abs() <= COSINE_MAX * (diagonal[row] * diagonal[column]).sqrt() + rounding
        })
    });
    (turned && diagonal.iter().all(|value| value.is_finite())).then_some(diagonal)
}

/// Lower triangle of the sum of `y y^T`, column by column.
///
/// The borders of the blocks depend on n alone, and their sums are added in order: the same bits on any
/// number of threads.
fn gram(factors: &[f32], dimensions: usize) -> Vec<f32> {
    let part = |rows: &[f32]| {
        let mut sum = vec![0.0; dimensions * dimensions];
        let vectors = MatRef::from_column_major_slice(rows, dimensions, rows.len() / dimensions);
        triangular_matmul(
            MatMut::from_column_major_slice_mut(&mut sum, dimensions, dimensions),
            BlockStructure::TriangularLower,
            Accum::Replace,
            vectors,
            BlockStructure::Rectangular,
            vectors.transpose(),
            BlockStructure::Rectangular,
            1.0,
            Par::Seq,
        );
        sum
    };
    sum_of_blocks(factors, dimensions, part)
}

/// The sum of `y_i^2` for every component i.
fn squares(factors: &[f32], dimensions: usize) -> Vec<f32> {
    let part = |rows: &[f32]| {
        let mut sum = vec![0.0; dimensions];
        for row in rows.chunks_exact(dimensions) {
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value * value);
        }
        sum
    };
    sum_of_blocks(factors, dimensions, part)
}

fn sum_of_blocks(factors: &[f32], dimensions: usize, part: impl Fn(&[f32]) -> Vec<f32> + Send + Sync) -> Vec<f32> {
    let rows = factors.len() / dimensions;
    let block_rows = rows.div_ceil(GRAM_BLOCKS_MAX).max(GRAM_BLOCK_ROWS_MIN);
    let parts: Vec<Vec<f32>> = factors.par_chunks(block_rows * dimensions).map(part).collect();
    let mut parts = parts.into_iter();
    let mut total = parts.next().unwrap_or_default();
    for part in parts {
        total.iter_mut().zip(&part).for_each(|(total, part)| *total += part);
    }
    total
}
