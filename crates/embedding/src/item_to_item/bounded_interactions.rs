use std::borrow::Cow;

use crate::{Interactions, SparseRows};

/// Most items of one user that the fits read. A user of n items costs n^2, so this holds the cost to
/// 4,000 operations per interaction; of a more active user this many items are drawn at random.
pub(super) const USER_ITEMS_MAX: usize = 4_000;

/// The interactions, those of very active users cut down to a sample of their items.
///
/// The sample is decided by a hash of the row numbers: the same on every machine, without a seed.
pub(super) struct BoundedInteractions<'a> {
    pub(super) by_user: Cow<'a, SparseRows>,
    pub(super) by_item: Cow<'a, SparseRows>,
}

impl<'a> BoundedInteractions<'a> {
    /// **Cost**: nothing if no user has more than `user_items_max` items, else a copy.
    pub(super) fn new(interactions: &'a Interactions, user_items_max: usize) -> Self {
        let (by_user, by_item) = (interactions.by_user(), interactions.by_item());
        if (0..by_user.rows()).all(|user| by_user.row(user).len() <= user_items_max) {
            return Self { by_user: Cow::Borrowed(by_user), by_item: Cow::Borrowed(by_item) };
        }
        let entries = (0..by_user.rows()).flat_map(|user| {
            let mut items: Vec<(usize, f32)> = by_user.row(user).collect();
            if items.len() > user_items_max {
                items.sort_unstable_by_key(|entry| hash((user as u64) << 32 | entry.0 as u64));
                items.truncate(user_items_max);
                items.sort_unstable_by_key(|entry| entry.0);
            }
            items.into_iter().map(move |(item, weight)| (user as u32, item as u32, weight))
        });
        let sample = SparseRows::from_sorted(by_user.rows(), by_item.rows(), entries);
        let transposed = sample.transposed();
        Self { by_user: Cow::Owned(sample), by_item: Cow::Owned(transposed) }
    }

    pub(super) fn users(&self) -> usize {
        self.by_user.rows()
    }

    pub(super) fn items(&self) -> usize {
        self.by_item.rows()
    }
}

/// A number that looks random; different for different input.
///
/// **Source**: Steele, Lea, Flood 2014, "Fast Splittable Pseudorandom Number Generators" (SplitMix64).
pub(super) fn hash(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use shortlist_types::{ItemIdx, UserIdx};

    use super::*;

    #[test]
    fn only_very_active_users_are_cut_down() {
        let mut triples: Vec<_> = (0..50).map(|item| (UserIdx(0), ItemIdx(item), 1.0)).collect();
        triples.extend((0..10).map(|item| (UserIdx(1), ItemIdx(item), 2.0)));
        let interactions = Interactions::parse(triples).unwrap();
        let all = BoundedInteractions::new(&interactions, 50);
        assert_eq!(*all.by_user, *interactions.by_user());

        let sample = BoundedInteractions::new(&interactions, 10);
        assert_eq!((sample.users(), sample.items()), (2, 50));
        let of_first: Vec<_> = sample.by_user.row(0).collect();
        assert_eq!(of_first.len(), 10);
        assert!(of_first.is_sorted_by(|a, b| a.0 < b.0));
        assert!(of_first.iter().any(|entry| entry.0 >= 10), "a sample, not the first ones: {of_first:?}");
        assert!(sample.by_user.row(1).eq(interactions.by_user().row(1)));
        assert_eq!(*sample.by_item, sample.by_user.transposed());
    }
}
