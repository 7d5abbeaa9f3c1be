use rayon::prelude::*;

use super::bounded_interactions::USER_ITEMS_MAX;
use super::truncation::{assemble, truncate};
use super::{BoundedInteractions, CoCountRow, CoOccurrenceConfig, ItemToItemModel};
use crate::{EmbeddingError, Interactions};

/// A model of similarities `c_ij / (sqrt(c_ii c_jj) + shrinkage)`, where c_ij is the sum over users of
/// the product of their weights for i and j. No item is similar to itself.
///
/// Of users with more than 4,000 items a sample of as many counts.
///
/// **Shapes**: up to `config.row_length` entries per item.
/// **Cost**: the sum of the squares of the users' numbers of items.
/// **Source**: Sarwar et al. 2001, "Item-Based Collaborative Filtering Recommendation Algorithms"
/// (cosine); the shrinkage after Bell and Koren 2007, "Improved Neighborhood-based Collaborative
/// Filtering".
pub(super) fn fit(interactions: &Interactions, config: &CoOccurrenceConfig) -> Result<ItemToItemModel, EmbeddingError> {
    let bounded = BoundedInteractions::new(interactions, USER_ITEMS_MAX);
    let user_weights = vec![1.0; bounded.users()];
    let length = |item| bounded.by_item.row(item).map(|(_, weight)| f64::from(weight).powi(2)).sum::<f64>().sqrt();
    let lengths: Vec<f64> = (0..bounded.items()).map(length).collect();
    let row = |counts: &mut CoCountRow, item: usize| {
        let others = counts.of(item, &bounded, &user_weights).filter(|entry| entry.0 != item);
        let similarity = |(other, count): (usize, f32)| {
            let similarity = f64::from(count) / (lengths[item] * lengths[other] + config.shrinkage);
            (other as u32, similarity as f32)
        };
        let mut row: Vec<_> = others.map(similarity).collect();
        truncate(&mut row, config.row_length);
        row
    };
    let rows = (0..bounded.items()).into_par_iter().map_init(|| CoCountRow::new(bounded.items()), row).collect();
    assemble(interactions.items(), rows)
}

#[cfg(test)]
mod tests {
    use shortlist_types::{ItemIdx, UserIdx};

    use super::*;

    #[test]
    fn similarities_are_those_computed_by_hand() {
        let triples = [(0, 10, 1.0), (0, 11, 2.0), (1, 10, 1.0), (1, 11, 1.0), (1, 12, 3.0), (2, 13, 1.0)];
        let triples = triples.map(|(user, item, weight)| (UserIdx(user), ItemIdx(item), weight));
        let interactions = Interactions::parse(triples.to_vec()).unwrap();
        let model = fit(&interactions, &CoOccurrenceConfig { shrinkage: 0.5, row_length: 2 }).unwrap();
        // c_01 = 2 + 1, c_02 = 3, c_12 = 3; c_00 = 2, c_11 = 5, c_22 = 9.
        let expected = |count: f64, squares: f64| (count / (squares.sqrt() + 0.5)) as f32;
        let row = |row| model.row(row).collect::<Vec<_>>();
        assert_eq!(row(0), [(1, expected(3.0, 10.0)), (2, expected(3.0, 18.0))]);
        assert_eq!(row(1), [(0, expected(3.0, 10.0)), (2, expected(3.0, 45.0))]);
        assert_eq!(row(2), [(0, expected(3.0, 18.0)), (1, expected(3.0, 45.0))]);
        assert_eq!(row(3), [], "an item that nobody has with another is similar to none");
    }
}
