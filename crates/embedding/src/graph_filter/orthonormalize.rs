use faer::linalg::solvers::{Llt, SelfAdjointEigen};
use faer::linalg::triangular_solve::solve_lower_triangular_in_place;
use faer::{Mat, MatRef, Par, Side};

use super::tall_matrix::TallMatrix;

/// Least share of a direction, squared, that is told from the rounding errors of the Gram matrix in
/// single precision. A direction below it counts as missing and becomes a column of zeros.
pub(super) const SQUARED_SHARE_MIN: f64 = 1e-5;
/// Passes of the orthonormalisation: the first leaves errors of the Gram matrix divided by the least
/// share, the second one only those of the Gram matrix.
const PASSES: usize = 2;

/// Replaces the columns by orthonormal ones that span the same space.
///
/// Where the columns have a lower rank than their number, the surplus ones become zeros. None if the
/// values are not finite.
///
/// **Cost**: 6 rows * columns^2 operations, and about 10 columns^3 more where the rank is short.
/// **Source**: Yamamoto et al. 2015, "Roundoff error analysis of the CholeskyQR2 algorithm"; for a
/// short rank Stathopoulos and Wu 2002, "A block orthogonalization procedure with constant
/// synchronization requirements" (SVQB).
pub(super) fn orthonormalize(matrix: &mut TallMatrix) -> Option<()> {
    for _ in 0..PASSES {
        let whitening = whitening(matrix.gram())?;
        matrix.multiply(whitening.as_ref());
    }
    Some(())
}

/// A matrix T that makes the columns of Z orthonormal as Z T, from `gram = Z^T Z` (lower triangle).
fn whitening(mut gram: Mat<f64>) -> Option<Mat<f32>> {
    let n = gram.nrows();
    // Scaled to columns of length 1, a column that is only short is not mistaken for a missing one.
    let scales: Vec<f64> = (0..n).map(|i| if gram[(i, i)] > 0.0 { gram[(i, i)].sqrt().recip() } else { 0.0 }).collect();
    for b in 0..n {
        for a in b..n {
            gram[(a, b)] *= scales[a] * scales[b];
        }
    }
    let mut whitening = match Llt::new(gram.as_ref(), Side::Lower) {
        Ok(llt) if (0..n).all(|i| llt.L()[(i, i)].powi(2) > SQUARED_SHARE_MIN) => from_cholesky(llt.L()),
        _ => from_eigen(&SelfAdjointEigen::new(gram.as_ref(), Side::Lower).ok()?)?,
    };
    for (a, scale) in scales.iter().enumerate() {
        for b in 0..n {
            whitening[(a, b)] *= scale;
        }
    }
    Some(Mat::from_fn(n, n, |a, b| whitening[(a, b)] as f32))
}

/// `L^-T`.
fn from_cholesky(l: MatRef<'_, f64>) -> Mat<f64> {
    let mut inverse = Mat::identity(l.nrows(), l.nrows());
    solve_lower_triangular_in_place(l, inverse.as_mut(), Par::Seq);
    inverse.transpose().to_owned()
}

/// The eigenvectors divided by the roots of their values, greatest first; zeros for a missing direction.
fn from_eigen(eigen: &SelfAdjointEigen<f64>) -> Option<Mat<f64>> {
    let n = eigen.U().nrows();
    let values = eigen.S().column_vector();
    let greatest = values[n - 1];
    if !greatest.is_finite() {
        return None;
    }
    Some(Mat::from_fn(n, n, |a, b| {
        let from = n - 1 - b;
        let value = values[from];
        if value > SQUARED_SHARE_MIN * greatest { eigen.U()[(a, from)] / value.sqrt() } else { 0.0 }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Greatest difference of the Gram matrix from the identity; `missing` columns must be zeros.
    fn check(matrix: &TallMatrix, missing: usize) {
        let gram = matrix.gram();
        let zeros = (0..matrix.columns).filter(|&i| gram[(i, i)] < 1e-12).count();
        assert_eq!(zeros, missing);
        for b in 0..matrix.columns {
            for a in b..matrix.columns {
                let expected = if a == b && gram[(a, a)] > 1e-12 { 1.0 } else { 0.0 };
                assert!((gram[(a, b)] - expected).abs() < 1e-5, "{a} {b}: {}", gram[(a, b)]);
            }
        }
    }

    fn columns(rows: usize, columns: usize, value: impl Fn(usize, usize) -> f32) -> TallMatrix {
        TallMatrix { values: (0..rows * columns).map(|i| value(i / columns, i % columns)).collect(), columns }
    }

    #[test]
    fn columns_of_any_length_become_orthonormal() {
        let mut matrix = columns(300, 6, |r, c| ((r * (c + 3) * 7 + c) % 31) as f32 * 10_f32.powi(3 * c as i32 - 9));
        orthonormalize(&mut matrix).unwrap();
        check(&matrix, 0);
    }

    #[test]
    fn a_short_rank_leaves_columns_of_zeros() {
        let mut repeated = columns(100, 5, |r, c| ((r * 7 + (c % 2) * 13 * r) % 17) as f32 + 1.0);
        orthonormalize(&mut repeated).unwrap();
        check(&repeated, 3);
        let mut zeros = TallMatrix::zeros(10, 3);
        orthonormalize(&mut zeros).unwrap();
        check(&zeros, 3);
        let mut wide = columns(2, 4, |r, c| (r * 4 + c * c + 1) as f32);
        orthonormalize(&mut wide).unwrap();
        check(&wide, 2);
    }

    #[test]
    fn what_is_not_finite_gives_nothing() {
        assert_eq!(orthonormalize(&mut columns(4, 2, |_, c| if c == 0 { 1.0 } else { f32::NAN })), None);
        assert_eq!(orthonormalize(&mut columns(4, 2, |_, _| f32::INFINITY)), None);
    }
}
