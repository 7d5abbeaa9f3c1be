use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Most blocks that a Gram matrix is summed from: enough for many threads, few enough to be kept.
const GRAM_BLOCKS_MAX: usize = 32;
/// Fewest rows of such a block.
const GRAM_BLOCK_ROWS_MIN: usize = 1_024;
/// Rows that are multiplied at once: their copy stays in the second cache.
const PRODUCT_BLOCK_ROWS: usize = 256;

/// A dense matrix of many rows and few columns.
///
/// **Shapes**: `values` is rows x columns, row-major; there is at least one column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TallMatrix {
    pub(super) values: Vec<f32>,
    pub(super) columns: usize,
}

impl TallMatrix {
    pub(super) fn zeros(rows: usize, columns: usize) -> Self {
        Self { values: vec![0.0; rows * columns], columns }
    }

    /// The inner products of the columns; only the lower triangle is filled.
    ///
    /// The borders of the blocks depend on the number of rows alone, and their sums are added in order:
    /// the same bits on any number of threads.
    ///
    /// **Shapes**: columns x columns.
    /// **Cost**: rows * columns^2 operations, in single precision within a block, in double between.
    pub(super) fn gram(&self) -> Mat<f64> {
        let columns = self.columns;
        let rows = self.values.len() / columns;
        let block_rows = rows.div_ceil(GRAM_BLOCKS_MAX).max(GRAM_BLOCK_ROWS_MIN);
        let parts: Vec<Mat<f32>> = self
            .values
            .par_chunks(block_rows * columns)
            .map(|block| {
                let block = MatRef::from_row_major_slice(block, block.len() / columns, columns);
                let mut part = Mat::zeros(columns, columns);
                triangular::matmul(
                    part.as_mut(),
                    BlockStructure::TriangularLower,
                    Accum::Replace,
                    block.transpose(),
                    BlockStructure::Rectangular,
                    block,
                    BlockStructure::Rectangular,
                    1.0,
                    Par::Seq,
                );
                part
            })
            .collect();
        let mut gram = Mat::zeros(columns, columns);
        for part in &parts {
            for (sums, terms) in gram.as_mut().col_iter_mut().zip(part.col_iter()) {
                for (sum, term) in sums.iter_mut().zip(terms.iter()) {
                    *sum += f64::from(*term);
                }
            }
        }
        gram
    }

    /// Replaces every row r by `r * right`.
    ///
    /// **Shapes**: `right` is columns x columns.
    /// **Cost**: 2 rows * columns^2 operations on all threads; 1 KiB per column and thread besides.
    pub(super) fn multiply(&mut self, right: MatRef<'_, f32>) {
        let columns = self.columns;
        self.values.par_chunks_mut(PRODUCT_BLOCK_ROWS * columns).for_each_init(Vec::new, |product, block| {
            product.resize(block.len(), 0.0_f32);
            let rows = block.len() / columns;
            let to = MatMut::from_row_major_slice_mut(product.as_mut_slice(), rows, columns);
            let left = MatRef::from_row_major_slice(block, rows, columns);
            matmul(to, Accum::Replace, left, right, 1.0, Par::Seq);
            block.copy_from_slice(product);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(rows: usize, columns: usize) -> TallMatrix {
        let values = (0..rows * columns).map(|i| ((i * 37 + 11) % 23) as f32 / 23.0 - 0.4).collect();
        TallMatrix { values, columns }
    }

    #[test]
    fn gram_and_product_equal_their_definitions() {
        // More rows than one block of either.
        let (rows, columns) = (2_500, 7);
        let matrix = numbered(rows, columns);
        let gram = matrix.gram();
        for a in 0..columns {
            for b in 0..=a {
                let exact: f64 = matrix.values.chunks(columns).map(|r| f64::from(r[a]) * f64::from(r[b])).sum();
                assert!((gram[(a, b)] - exact).abs() < 1e-3, "{a} {b}: {} {exact}", gram[(a, b)]);
            }
        }
        let right = Mat::from_fn(columns, columns, |a, b| (a as f32) - 0.5 * (b as f32));
        let mut product = matrix.clone();
        product.multiply(right.as_ref());
        for (from, to) in matrix.values.chunks(columns).zip(product.values.chunks(columns)) {
            for b in 0..columns {
                let exact: f32 = (0..columns).map(|a| from[a] * right[(a, b)]).sum();
                assert!((to[b] - exact).abs() < 1e-4, "{} {exact}", to[b]);
            }
        }
    }
}
