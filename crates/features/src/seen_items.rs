use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use shortlist_types::limits::USER_ITEMS_MAX;
use shortlist_types::{ItemIdx, Timestamp};

/// What a user has seen and is not to be shown again, compressed.
///
/// Complete for the latest 10,000 items that never come back, and for the latest 10,000 that do. Those that
/// never do are kept in two generations, the younger of at most 10,000: when it is full it becomes the elder,
/// and what was the elder is forgotten.
///
/// **Cost**: memory is about 2 bytes per item where the user's items are dense among the numbers, up to 88 for
/// one that lies far from all others; 16 for one that comes back.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct SeenItems {
    younger: RoaringBitmap,
    elder: RoaringBitmap,
    /// Those that come back, with the time at which they do; in ascending order of item.
    returning: Vec<(ItemIdx, Timestamp)>,
}

impl SeenItems {
    /// Takes in an item that never comes back.
    pub(crate) fn add(&mut self, item: ItemIdx) {
        if self.elder.contains(item.0) || !self.younger.insert(item.0) {
            return;
        }
        if self.younger.len() > USER_ITEMS_MAX as u64 {
            self.younger.remove(item.0);
            self.elder = std::mem::take(&mut self.younger);
            self.younger.insert(item.0);
        }
    }

    /// Takes in an item that comes back at `until`, or later if that was said before.
    pub(crate) fn add_until(&mut self, item: ItemIdx, until: Timestamp) {
        match self.returning.binary_search_by_key(&item, |entry| entry.0) {
            Ok(position) => self.returning[position].1 = self.returning[position].1.max(until),
            Err(position) => {
                self.returning.insert(position, (item, until));
                if self.returning.len() > USER_ITEMS_MAX {
                    let soonest = self.returning.iter().enumerate().min_by_key(|(_, (item, until))| (*until, *item));
                    let soonest = soonest.map_or(0, |(position, _)| position);
                    self.returning.remove(soonest);
                }
            }
        }
    }

    /// Memory on the heap, about.
    pub(crate) fn bytes(&self) -> usize {
        // A container takes 32 bytes beside what it holds, which is about what it takes in a file.
        let bitmap = |items: &RoaringBitmap| {
            items.serialized_size() + 32 * (items.max().map_or(0, |max| max as usize / 65_536 + 1))
        };
        bitmap(&self.younger) + bitmap(&self.elder) + self.returning.capacity() * size_of::<(ItemIdx, Timestamp)>()
    }

    /// Whether an item is one that never comes back.
    pub(crate) fn contains_for_good(&self, item: ItemIdx) -> bool {
        self.younger.contains(item.0) || self.elder.contains(item.0)
    }

    /// Whether an item is not to be shown at `now`.
    pub(crate) fn contains(&self, item: ItemIdx, now: Timestamp) -> bool {
        let returning = self.returning.binary_search_by_key(&item, |entry| entry.0);
        self.contains_for_good(item) || returning.is_ok_and(|position| self.returning[position].1 > now)
    }

    /// The items that are not to be shown at `now`, each once.
    pub(crate) fn iter(&self, now: Timestamp) -> impl Iterator<Item = ItemIdx> {
        let for_good = self.younger.iter().chain(&self.elder).map(ItemIdx);
        let returning = self.returning.iter().filter(move |(_, until)| *until > now).map(|(item, _)| *item);
        for_good.chain(returning.filter(|item| !self.contains_for_good(*item)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_seconds(second).unwrap()
    }

    #[test]
    fn the_latest_ten_thousand_are_complete_and_memory_is_bounded() {
        let mut seen = SeenItems::default();
        let last = u32::try_from(USER_ITEMS_MAX).unwrap() * 3;
        for item in 0..last {
            seen.add(ItemIdx(item));
            seen.add_until(ItemIdx(item + last), second(i64::from(item)));
        }
        let latest = last - u32::try_from(USER_ITEMS_MAX).unwrap();
        assert!((latest..last).all(|item| seen.contains(ItemIdx(item), second(0))));
        assert!((latest + 1..last).all(|item| seen.contains(ItemIdx(item + last), second(0))));
        assert!(!seen.contains(ItemIdx(0), second(0)));
        assert!(seen.iter(second(0)).count() <= 3 * USER_ITEMS_MAX);
        assert_eq!(seen.returning.len(), USER_ITEMS_MAX);
    }

    #[test]
    fn an_item_comes_back_at_its_latest_time_and_counts_once() {
        let mut seen = SeenItems::default();
        seen.add_until(ItemIdx(5), second(10));
        seen.add_until(ItemIdx(5), second(4));
        assert!(seen.contains(ItemIdx(5), second(9)) && !seen.contains(ItemIdx(5), second(10)));
        seen.add(ItemIdx(5));
        assert!(seen.contains(ItemIdx(5), second(11)));
        assert_eq!(seen.iter(second(0)).collect::<Vec<_>>(), [ItemIdx(5)]);
    }
}
