use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{Accum, MatMut, Par};
use rayon::prelude::*;
use shortlist_types::InvalidInput;

use super::bounded_interactions::USER_ITEMS_MAX;
use super::truncation::{assemble, truncate};
use super::weighted_gram::WeightedGram;
use super::{BoundedInteractions, EaseConfig, ItemToItemModel};
use crate::{EmbeddingError, Interactions};

/// A model of the weights B with a zero diagonal that minimise
/// `sum_u d_u^-x |r_u - r_u B|^2 + sum_ij ridge_i B_ij^2`, where r_u are a user's weights, d_u their sum
/// and x is `user_degree_exponent`: `B_ij = -P_ij / P_jj` with `P = (G + diag(ridge))^-1`.
///
/// **Shapes**: up to `config.row_length` entries per item, of any sign.
/// **Cost**: items^3 operations on one thread, about 10 seconds at 8,192; 16 bytes times items^2.
/// **Source**: Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data", equation 8. Differs in
/// the weights of users and the ridge per item, which leave the closed form as it is.
pub(super) fn fit(interactions: &Interactions, config: &EaseConfig) -> Result<ItemToItemModel, EmbeddingError> {
    let bounded = BoundedInteractions::new(interactions, USER_ITEMS_MAX);
    let gram = WeightedGram::new(interactions, &bounded, config);
    let n = bounded.items();
    let precision = invert(dense(&bounded, &gram), n).ok_or_else(l2_too_small)?;
    let row = |i: usize| {
        let weight = |j: usize| {
            // Only the lower triangle is filled.
            let entry = precision[i.min(j) * n + i.max(j)];
            (j as u32, (-entry / precision[j * n + j]) as f32)
        };
        let mut row: Vec<_> = (0..n).filter(|j| *j != i).map(weight).collect();
        truncate(&mut row, config.row_length);
        row
    };
    assemble(interactions.items(), (0..n).into_par_iter().map(row).collect())
}

/// The refusal of a ridge that leaves the normal equations without a solution.
pub(super) fn l2_too_small() -> EmbeddingError {
    EmbeddingError::Config(InvalidInput::new("l2", "is too small for these weights: raise it"))
}

/// `G + diag(ridge)`, row by row in parallel, every row independent of the threads.
fn dense(interactions: &BoundedInteractions<'_>, gram: &WeightedGram) -> Vec<f64> {
    let n = interactions.items();
    let mut matrix = vec![0.0; n * n];
    matrix.par_chunks_mut(n).enumerate().for_each(|(item, sums)| {
        for (user, weight) in interactions.by_item.row(item) {
            let factor = f64::from(weight) * f64::from(gram.user_weights[user]);
            for (other, weight) in interactions.by_user.row(user) {
                sums[other] += factor * f64::from(weight);
            }
        }
        sums[item] += gram.ridges[item];
    });
    matrix
}

/// The inverse of a symmetric n x n matrix, lower triangle, column by column; none if it is not positive
/// definite.
fn invert(mut matrix: Vec<f64>, n: usize) -> Option<Vec<f64>> {
    let mut inverse = vec![0.0; n * n];
    let mut factor = MatMut::from_column_major_slice_mut(&mut matrix, n, n);
    let mut buffer = MemBuffer::new(cholesky_in_place_scratch::<f64>(n, Par::Seq, Default::default()));
    let stack = MemStack::new(&mut buffer);
    cholesky_in_place(factor.as_mut(), Default::default(), Par::Seq, stack, Default::default()).ok()?;
    let mut of_factor = MatMut::from_column_major_slice_mut(&mut inverse, n, n);
    invert_lower_triangular(of_factor.as_mut(), factor.as_ref(), Par::Seq);
    // The factor has served: its place takes L^-T L^-1.
    triangular::matmul(
        factor,
        BlockStructure::TriangularLower,
        Accum::Replace,
        of_factor.as_ref().transpose(),
        BlockStructure::TriangularUpper,
        of_factor.as_ref(),
        BlockStructure::TriangularLower,
        1.0,
        Par::Seq,
    );
    // NaN is refused too: a comparison with it is false.
    (0..n).all(|i| matrix[i * n + i] > 0.0 && matrix[i * n + i].is_finite()).then_some(matrix)
}
