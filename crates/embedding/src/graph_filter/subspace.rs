use faer::linalg::solvers::SelfAdjointEigen;
use faer::{Mat, Side};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::GraphFilterConfig;
use super::normalized_matrix::NormalizedMatrix;
use super::orthonormalize::{SQUARED_SHARE_MIN, orthonormalize};
use super::tall_matrix::TallMatrix;

/// The right singular vectors of the greatest singular values of `matrix`, greatest first. None if the
/// eigenvalues of a small matrix do not converge, which finite weights do not bring about.
///
/// Singular values below about a three hundredth of the greatest count as missing: their columns are
/// zeros. `progress` hears the number of iterations done after each.
///
/// **Shapes**: (users, items) are the rows and columns of `matrix`; the answer is items x k with
/// k = min(`dimensions` + `oversampling`, users, items).
/// **Cost**: per iteration 4 entries * k + 6 (users + items) k^2 operations; memory
/// (users + items) k floats.
/// **Source**: Halko, Martinsson, Tropp 2011, "Finding Structure with Randomness", algorithms 4.4
/// (subspace iteration, orthonormalised after every product) and, from the item side, 5.3.
pub(super) fn right_singular_vectors(
    matrix: &NormalizedMatrix<'_>,
    (users, items): (usize, usize),
    config: &GraphFilterConfig,
    seed: u64,
    progress: &mut dyn FnMut(usize),
) -> Option<TallMatrix> {
    let columns = (config.dimensions + config.oversampling).min(users).min(items);
    let mut of_items = random(items, columns, seed);
    let mut of_users = TallMatrix::zeros(users, columns);
    for iteration in 1..=config.iterations {
        matrix.multiply(&of_items, &mut of_users);
        orthonormalize(&mut of_users)?;
        matrix.multiply_transposed(&of_users, &mut of_items);
        orthonormalize(&mut of_items)?;
        progress(iteration);
    }
    // Rayleigh-Ritz: within the subspace, the directions that the matrix stretches most.
    matrix.multiply(&of_items, &mut of_users);
    let rotation = principal_rotation(&SelfAdjointEigen::new(of_users.gram().as_ref(), Side::Lower).ok()?);
    of_items.multiply(rotation.as_ref());
    Some(of_items)
}

/// The eigenvectors, greatest value first; zeros where the value is missing.
fn principal_rotation(eigen: &SelfAdjointEigen<f64>) -> Mat<f32> {
    let n = eigen.U().nrows();
    let values = eigen.S().column_vector();
    let least = SQUARED_SHARE_MIN * values[n - 1];
    Mat::from_fn(n, n, |a, b| {
        let from = n - 1 - b;
        if values[from] > least { eigen.U()[(a, from)] as f32 } else { 0.0 }
    })
}

/// Standard normal values; every row has a stream of its own, so that rows are drawn in parallel.
fn random(rows: usize, columns: usize, seed: u64) -> TallMatrix {
    let mut matrix = TallMatrix::zeros(rows, columns);
    matrix.values.par_chunks_mut(columns).enumerate().for_each(|(row, values)| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(row as u64);
        values.fill_with(|| StandardNormal.sample(&mut rng));
    });
    matrix
}
