use rayon::prelude::*;

use super::tall_matrix::TallMatrix;
use crate::{GraphFilterConfig, Interactions, SparseRows};

/// The interactions, every weight divided by powers of the degrees of its user and its item:
/// `D_u^-a R D_i^-b`, where a degree is a sum of weights.
///
/// **Shapes**: users x items; never stored, its entries are made as they are read.
pub(crate) struct NormalizedMatrix<'a> {
    interactions: &'a Interactions,
    item_degrees: Vec<f32>,
    user_scales: Vec<f32>,
    item_scales: Vec<f32>,
}

impl<'a> NormalizedMatrix<'a> {
    pub(crate) fn new(interactions: &'a Interactions, config: &GraphFilterConfig) -> Self {
        let scales = |degrees: &[f32], exponent: f64| -> Vec<f32> {
            degrees.iter().map(|degree| f64::from(*degree).powf(-exponent) as f32).collect()
        };
        let item_degrees = degrees(interactions.by_item());
        let user_scales = scales(&degrees(interactions.by_user()), config.user_exponent);
        let item_scales = scales(&item_degrees, config.item_exponent);
        Self { interactions, item_degrees, user_scales, item_scales }
    }

    /// The sum of the weights of every item; above 0.
    pub(crate) fn item_degrees(&self) -> &[f32] {
        &self.item_degrees
    }

    /// Writes the product with `items`, one row per user.
    pub(super) fn multiply(&self, items: &TallMatrix, users: &mut TallMatrix) {
        product(self.interactions.by_user(), (&self.user_scales, &self.item_scales), items, users);
    }

    /// Writes the product of the transposed matrix with `users`, one row per item.
    pub(super) fn multiply_transposed(&self, users: &TallMatrix, items: &mut TallMatrix) {
        product(self.interactions.by_item(), (&self.item_scales, &self.user_scales), users, items);
    }
}

/// The sum of every row in double precision, rounded once.
pub(crate) fn degrees(rows: &SparseRows) -> Vec<f32> {
    let degree = |row| rows.row(row).map(|(_, weight)| f64::from(weight)).sum::<f64>() as f32;
    (0..rows.rows()).map(degree).collect()
}

/// Writes `diag(rows) * matrix * diag(columns) * from`; every row of `to` is independent of the threads.
///
/// **Cost**: 2 operations and one read per entry and column of `from`, which is what it waits for.
fn product(matrix: &SparseRows, (rows, columns): (&[f32], &[f32]), from: &TallMatrix, to: &mut TallMatrix) {
    let width = from.columns;
    to.values.par_chunks_mut(width).enumerate().for_each(|(r, sums)| {
        sums.fill(0.0);
        for (column, weight) in matrix.row(r) {
            let factor = rows[r] * weight * columns[column];
            let terms = &from.values[column * width..(column + 1) * width];
            for (sum, term) in sums.iter_mut().zip(terms) {
                *sum += factor * term;
            }
        }
    });
}
