use rayon::slice::ParallelSliceMut;
use shortlist_types::{ItemIdx, UserIdx};

use crate::{EmbeddingError, SparseRows};

/// Most interactions of one fit: 28 bytes each while they are read.
pub const INTERACTIONS_MAX: usize = 1_000_000_000;
/// Least weight of an interaction; smaller ones vanish beside 1 in single precision.
pub const WEIGHT_MIN: f32 = 1e-6;
/// Greatest weight of an interaction; larger ones drown all others in single precision.
pub const WEIGHT_MAX: f32 = 1e6;

/// Who interacted with what, and how strongly: a sparse matrix of users x items.
///
/// Only users and items with an interaction have a row. Of several weights for the same pair the
/// greatest counts, so that a repeated view does not outweigh a purchase.
///
/// **Shapes**: users and items are numbered by row, ascending by their [`UserIdx`] and [`ItemIdx`].
/// **Cost**: 16 bytes per interaction (by user and by item, 8 each), 12 more while building.
#[derive(Debug, Clone, PartialEq)]
pub struct Interactions {
    users: Vec<UserIdx>,
    items: Vec<ItemIdx>,
    by_user: SparseRows,
    by_item: SparseRows,
}

impl Interactions {
    /// Takes `(user, item, weight)` in any order.
    ///
    /// **Cost**: one sort; 1,000,000 interactions take about a tenth of a second.
    ///
    /// # Errors
    /// None at all, too many, or a weight outside [`WEIGHT_MIN`] to [`WEIGHT_MAX`].
    pub fn parse(mut triples: Vec<(UserIdx, ItemIdx, f32)>) -> Result<Self, EmbeddingError> {
        if triples.is_empty() {
            return Err(EmbeddingError::NoInteractions);
        }
        if triples.len() > INTERACTIONS_MAX {
            return Err(EmbeddingError::TooManyInteractions { got: triples.len() });
        }
        // The negated range refuses NaN too.
        if let Some(&(user, item, weight)) = triples.iter().find(|t| !(WEIGHT_MIN..=WEIGHT_MAX).contains(&t.2)) {
            return Err(EmbeddingError::WeightOutOfRange { user: user.0, item: item.0, weight });
        }
        // The greatest weight of a pair comes first and is the one that stays.
        triples.par_sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(b.2.total_cmp(&a.2)));
        triples.dedup_by_key(|t| (t.0, t.1));

        let mut users: Vec<UserIdx> = triples.iter().map(|t| t.0).collect();
        users.dedup();
        let mut items: Vec<ItemIdx> = triples.iter().map(|t| t.1).collect();
        items.par_sort_unstable();
        items.dedup();
        users.shrink_to_fit();
        items.shrink_to_fit();

        let mut user_row = 0_usize;
        let entries = triples.iter().map(|&(user, item, weight)| {
            // Users ascend in the triples as they do in the rows.
            while users[user_row] != user {
                user_row += 1;
            }
            let item_row = items.partition_point(|&known| known < item);
            (user_row as u32, item_row as u32, weight)
        });
        let by_user = SparseRows::from_sorted(users.len(), items.len(), entries);
        drop(triples);
        let by_item = by_user.transposed();
        Ok(Self { users, items, by_user, by_item })
    }

    /// Number of distinct pairs; at least one.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.by_user.len()
    }

    /// The users, one per row, ascending.
    pub fn users(&self) -> &[UserIdx] {
        &self.users
    }

    /// The items, one per row, ascending.
    pub fn items(&self) -> &[ItemIdx] {
        &self.items
    }

    /// For each row of a user, the rows of his items.
    pub fn by_user(&self) -> &SparseRows {
        &self.by_user
    }

    /// For each row of an item, the rows of its users.
    pub fn by_item(&self) -> &SparseRows {
        &self.by_item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn triple(user: u32, item: u32, weight: f32) -> (UserIdx, ItemIdx, f32) {
        (UserIdx(user), ItemIdx(item), weight)
    }

    #[test]
    fn rows_are_given_to_those_who_appear_in_ascending_order() {
        let triples = vec![triple(9, 40, 1.0), triple(2, 7, 2.0), triple(9, 7, 3.0)];
        let interactions = Interactions::parse(triples).unwrap();
        assert_eq!(interactions.users(), [UserIdx(2), UserIdx(9)]);
        assert_eq!(interactions.items(), [ItemIdx(7), ItemIdx(40)]);
        assert_eq!(interactions.by_user().row(1).collect::<Vec<_>>(), [(0, 3.0), (1, 1.0)]);
        assert_eq!(interactions.by_item().row(0).collect::<Vec<_>>(), [(0, 2.0), (1, 3.0)]);
    }

    #[test]
    fn of_several_weights_for_a_pair_the_greatest_counts() {
        let triples = vec![triple(1, 1, 0.5), triple(1, 1, 3.0), triple(1, 1, 2.0)];
        let interactions = Interactions::parse(triples).unwrap();
        assert_eq!(interactions.len(), 1);
        assert_eq!(interactions.by_user().row(0).collect::<Vec<_>>(), [(0, 3.0)]);
    }

    #[test]
    fn nothing_and_weights_out_of_range_are_refused() {
        assert_eq!(Interactions::parse(Vec::new()), Err(EmbeddingError::NoInteractions));
        for weight in [0.0, -1.0, f32::NAN, f32::INFINITY, 2e6, 1e-7] {
            let error = Interactions::parse(vec![triple(3, 4, weight)]).unwrap_err();
            assert!(error.to_string().contains("user 3 and item 4 must lie in"), "{error}");
        }
    }
}
