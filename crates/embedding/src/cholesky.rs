use crate::symmetric_matrix::{SymmetricMatrix, tile_products};
use crate::vector_block::{LANES, Lanes};

/// Solves `A x = b` for symmetric positive definite A by `A = U^T U`.
///
/// **Cost**: k^3 / 3 operations to factor, 2 k^2 to solve; the buffer is reused.
/// **Source**: left-looking blocked Cholesky (Golub, Van Loan, "Matrix Computations", 4.2), tiles of 8.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cholesky {
    upper: SymmetricMatrix,
    diagonal_inverse: Vec<f32>,
}

impl Cholesky {
    /// Factors `matrix`. Where rounding has made it indefinite, the diagonal is raised a little, ten
    /// times more with every try: a slightly stronger regularisation instead of no answer.
    pub(crate) fn factor(&mut self, matrix: &SymmetricMatrix) {
        self.upper.copy_from(matrix);
        let mut raise = matrix.diagonal_max().max(f32::MIN_POSITIVE) * f32::EPSILON;
        while !self.factor_in_place() && raise.is_finite() {
            self.upper.copy_from(matrix);
            self.upper.add_diagonal(raise);
            raise *= 10.0;
        }
    }

    /// Replaces the matrix by its factor; false if a pivot is lost in rounding.
    fn factor_in_place(&mut self) -> bool {
        let pivot_min = self.upper.diagonal_max() * f32::EPSILON;
        self.diagonal_inverse.clear();
        for tile in 0..self.upper.strip_count() {
            let above = tile * LANES;
            let strip = self.upper.strip_mut(tile);
            let (done, rest) = strip.split_at_mut(above);
            subtract_products(done, done, &mut rest[..LANES]);
            let Some(inverses) = factor_tile(&mut rest[..LANES], pivot_min) else { return false };
            for right in tile + 1..self.upper.strip_count() {
                let (strip, target) = self.upper.strip_pair_mut(tile, right);
                let (done, rest) = target.split_at_mut(above);
                subtract_products(&strip[..above], done, &mut rest[..LANES]);
                eliminate(&strip[above..above + LANES], &inverses, &mut rest[..LANES]);
            }
            self.diagonal_inverse.extend(inverses);
        }
        true
    }

    /// Replaces `b` (padded to whole tiles) by the solution.
    pub(crate) fn solve(&self, b: &mut [Lanes]) {
        // U^T z = b, from the top: what row p is worth is taken off everything right of it.
        for (p, &inverse) in self.diagonal_inverse.iter().enumerate() {
            let (tile, lane) = (p / LANES, p % LANES);
            let z = b[tile][lane] * inverse;
            for (strip, rest) in b.iter_mut().enumerate().skip(tile) {
                let row = self.upper.strip(strip)[p];
                for l in 0..LANES {
                    rest[l] -= z * row[l];
                }
            }
            b[tile][lane] = z;
        }
        // U x = z, from the bottom.
        for (p, &inverse) in self.diagonal_inverse.iter().enumerate().rev() {
            let (tile, lane) = (p / LANES, p % LANES);
            let z = b[tile][lane];
            b[tile][lane] = 0.0;
            let mut sums = [0.0; LANES];
            for (strip, known) in b.iter().enumerate().skip(tile) {
                let row = self.upper.strip(strip)[p];
                for l in 0..LANES {
                    sums[l] += row[l] * known[l];
                }
            }
            // Components before p in the same tile still hold z, but their factors are zero.
            b[tile][lane] = (z - sums.iter().sum::<f32>()) * inverse;
        }
    }
}

/// `target -= left^T right`, all rows above the tile.
fn subtract_products(left: &[Lanes], right: &[Lanes], target: &mut [Lanes]) {
    let halves = [tile_products::<0>(left, right), tile_products::<4>(left, right)];
    for (to, from) in target.as_flattened_mut().iter_mut().zip(halves.as_flattened().as_flattened()) {
        *to -= from;
    }
}

/// Factors one 8 x 8 tile on the diagonal and zeroes what is below it; returns one over the diagonal.
fn factor_tile(tile: &mut [Lanes], pivot_min: f32) -> Option<[f32; LANES]> {
    let mut inverses = [0.0; LANES];
    for p in 0..LANES {
        let pivot = tile[p][p];
        // Written so that NaN fails too.
        if !(pivot > pivot_min && pivot.is_finite()) {
            return None;
        }
        let root = pivot.sqrt();
        inverses[p] = 1.0 / root;
        let mut row = tile[p].map(|x| x * inverses[p]);
        row[p] = root;
        row[..p].fill(0.0);
        tile[p] = row;
        for below in p + 1..LANES {
            let factor = row[below];
            for l in 0..LANES {
                tile[below][l] -= factor * row[l];
            }
        }
    }
    Some(inverses)
}

/// Solves `diagonal^T X = target` in place for one tile right of the diagonal.
fn eliminate(diagonal: &[Lanes], inverses: &[f32; LANES], target: &mut [Lanes]) {
    for p in 0..LANES {
        let row = target[p].map(|x| x * inverses[p]);
        target[p] = row;
        for below in p + 1..LANES {
            let factor = diagonal[p][below];
            for l in 0..LANES {
                target[below][l] -= factor * row[l];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector_block::VectorBlock;

    /// A positive definite matrix of `dimensions`: the products of some vectors and a ridge.
    fn matrix(dimensions: usize, ridge: f32) -> (SymmetricMatrix, Vec<Vec<f64>>) {
        let vectors: Vec<Vec<f32>> = (0..40)
            .map(|v| (0..dimensions).map(|d| ((v * v + d * 5 + v * d) % 17) as f32 / 8.0 - 1.0).collect())
            .collect();
        let mut block = VectorBlock::default();
        block.reset(dimensions);
        vectors.iter().for_each(|vector| block.push(vector, 1.0));
        let mut matrix = SymmetricMatrix::zeros(dimensions);
        matrix.add_products(&block);
        matrix.add_diagonal(ridge);
        let plain = (0..dimensions)
            .map(|i| {
                (0..dimensions)
                    .map(|j| {
                        let products: f64 = vectors.iter().map(|v| f64::from(v[i]) * f64::from(v[j])).sum();
                        products + if i == j { f64::from(ridge) } else { 0.0 }
                    })
                    .collect()
            })
            .collect();
        (matrix, plain)
    }

    #[test]
    fn the_solution_fulfils_the_equation() {
        for dimensions in [1, 5, 8, 9, 16, 31, 64] {
            let (matrix, plain) = matrix(dimensions, 0.5);
            let b: Vec<f32> = (0..dimensions).map(|i| (i % 5) as f32 - 2.0).collect();
            let mut x = vec![[0.0; LANES]; dimensions.div_ceil(LANES)];
            x.as_flattened_mut()[..dimensions].copy_from_slice(&b);
            let mut cholesky = Cholesky::default();
            cholesky.factor(&matrix);
            cholesky.solve(&mut x);
            let x = x.as_flattened();
            for (row, expected) in plain.iter().zip(&b) {
                let got: f64 = row.iter().zip(x).map(|(a, x)| a * f64::from(*x)).sum();
                assert!((got - f64::from(*expected)).abs() < 1e-3, "{dimensions}: {got} {expected}");
            }
            assert!(x[dimensions..].iter().all(|&padding| padding == 0.0));
        }
    }

    #[test]
    fn a_singular_matrix_still_gives_finite_numbers() {
        for scale in [0.0, 1e-30, 1.0, 1e30] {
            let mut matrix = SymmetricMatrix::zeros(16);
            let mut block = VectorBlock::default();
            block.reset(16);
            block.push(&[1.0; 16], 1.0);
            matrix.add_products(&block);
            matrix.scale(scale);
            let mut x = vec![[0.0; LANES]; 2];
            let mut cholesky = Cholesky::default();
            cholesky.factor(&matrix);
            cholesky.solve(&mut x);
            assert_eq!(x.as_flattened(), [0.0; 16], "{scale}");
        }
    }
}
