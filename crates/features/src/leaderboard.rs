use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use shortlist_types::ItemIdx;
use shortlist_types::limits::POPULAR_MAX;

/// The most popular items, kept up to date with every event.
///
/// Decayed counts of one half-life keep their order as time goes by (see
/// [`crate::Tally::order`]), and an item moves only when somebody wants it; so the board is
/// exact without ever looking at the other items. **Cost**: O(log 1,000) per event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Leaderboard {
    entries: BTreeSet<Entry>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Entry {
    order: f64,
    item: ItemIdx,
}

impl Leaderboard {
    /// Moves `item` from `before` to `after`, its counter's order before and after an event.
    pub(crate) fn moved(&mut self, item: ItemIdx, before: f64, after: f64) {
        self.entries.remove(&Entry { order: before, item });
        self.entries.insert(Entry { order: after, item });
        if self.entries.len() > POPULAR_MAX {
            self.entries.pop_last();
        }
    }

    /// Items, the most popular first; ties by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ItemIdx> {
        self.entries.iter().map(|entry| entry.item)
    }
}

// Best first: the greater order is the smaller entry.
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        other.order.total_cmp(&self.order).then(self.item.cmp(&other.item))
    }
}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_stands_once_and_the_best_come_first() {
        let mut board = Leaderboard::default();
        board.moved(ItemIdx(1), f64::NEG_INFINITY, 1.0);
        board.moved(ItemIdx(2), f64::NEG_INFINITY, 2.0);
        board.moved(ItemIdx(1), 1.0, 3.0);
        board.moved(ItemIdx(3), f64::NEG_INFINITY, 2.0);
        assert_eq!(board.iter().collect::<Vec<_>>(), [ItemIdx(1), ItemIdx(2), ItemIdx(3)]);
    }

    #[test]
    fn the_board_is_bounded_and_keeps_the_best() {
        let mut board = Leaderboard::default();
        for item in 0..3_000_u32 {
            board.moved(ItemIdx(item), f64::NEG_INFINITY, f64::from(item));
        }
        assert_eq!(board.iter().count(), POPULAR_MAX);
        assert_eq!(board.iter().next(), Some(ItemIdx(2_999)));
    }
}
