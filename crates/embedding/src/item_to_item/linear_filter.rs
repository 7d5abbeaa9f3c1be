use rayon::prelude::*;

use super::bounded_interactions::USER_ITEMS_MAX;
use super::truncation::{assemble, truncate};
use super::{BoundedInteractions, CoCountRow, ItemToItemModel, LinearFilterConfig};
use crate::{EmbeddingError, Interactions, SparseRows};

/// A model of weights `d_i^-p c_ij d_j^-q`, where c_ij is the sum over users of `d_u^-a` times the product
/// of their weights for i and j, and d are degrees, sums of weights: an item reaches others over the
/// users they share.
///
/// a, p and q are the exponents of the config. At 1, 1/2 and 1/2 it is the linear part of GF-CF,
/// `S^T S` with `S = D_u^-1/2 R D_i^-1/2`; less of each does better on most data, as that punishes
/// active users and popular targets too much. The user's own weights bear no norm, and the diagonal
/// stays. Of users with more than 4,000 items a sample of as many counts; degrees count all.
///
/// **Shapes**: up to `config.row_length` entries per item, none negative.
/// **Cost**: the sum of the squares of the users' numbers of items.
/// **Source**: Shen et al. 2021, "How Powerful is Graph Convolution for Recommendation?" (GF-CF), the
/// linear part of equation 21, with exponents of its own for each degree; its low-pass part is
/// [`crate::GraphFilterModel`].
pub(super) fn fit(interactions: &Interactions, config: &LinearFilterConfig) -> Result<ItemToItemModel, EmbeddingError> {
    let bounded = BoundedInteractions::new(interactions, USER_ITEMS_MAX);
    let user_weight = |degree: f64| degree.powf(-config.user_exponent) as f32;
    let user_weights: Vec<f32> = degrees(interactions.by_user()).into_iter().map(user_weight).collect();
    let item_degrees = degrees(interactions.by_item());
    let scales = |exponent: f64| -> Vec<f64> { item_degrees.iter().map(|degree| degree.powf(-exponent)).collect() };
    let (sources, targets) = (scales(config.source_exponent), scales(config.target_exponent));
    let row = |counts: &mut CoCountRow, item: usize| {
        let weight =
            |(other, count): (usize, f32)| (other as u32, (sources[item] * targets[other] * f64::from(count)) as f32);
        let mut row: Vec<_> = counts.of(item, &bounded, &user_weights).map(weight).collect();
        truncate(&mut row, config.row_length);
        row
    };
    let rows = (0..bounded.items()).into_par_iter().map_init(|| CoCountRow::new(bounded.items()), row).collect();
    assemble(interactions.items(), rows)
}

/// The sum of every row; above 0.
pub(super) fn degrees(rows: &SparseRows) -> Vec<f64> {
    (0..rows.rows()).map(|row| rows.row(row).map(|(_, weight)| f64::from(weight)).sum()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item_to_item::item_to_item_model::test_data::{dense, random};

    #[test]
    fn weights_are_those_of_the_dense_product() {
        let interactions = random(30, 20, 0.3);
        let config =
            LinearFilterConfig { row_length: 20, user_exponent: 0.9, source_exponent: 0.6, target_exponent: 0.2 };
        let model = fit(&interactions, &config).unwrap();
        let r = dense(interactions.by_user(), interactions.items().len());
        let (users, items) = (r.nrows(), r.ncols());
        let of_user = |u: usize| (0..items).map(|i| r[(u, i)]).sum::<f64>();
        let of_item = |i: usize| (0..users).map(|u| r[(u, i)]).sum::<f64>();
        for i in 0..items {
            let mut weights = vec![0.0; items];
            model.row(i).for_each(|(j, weight)| weights[j] = weight);
            for j in 0..items {
                let terms = (0..users).map(|u| r[(u, i)] * r[(u, j)] * of_user(u).powf(-0.9));
                let exact = terms.sum::<f64>() * of_item(i).powf(-0.6) * of_item(j).powf(-0.2);
                assert!((f64::from(weights[j]) - exact).abs() < 1e-6, "{i} {j}: {} {exact}", weights[j]);
            }
        }
    }
}
