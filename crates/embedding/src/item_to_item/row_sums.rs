use shortlist_types::ItemIdx;

use super::ItemToItemModel;
use crate::fold_in_scratch::EVENTS_MAX;
use crate::{WEIGHT_MAX, WEIGHT_MIN};

/// A user's scores of all items, and the buffers behind them, kept by the caller from one request to
/// the next.
///
/// **Shapes**: one sum per item of the model last given to [`ItemToItemModel::sum`]; untouched ones are
/// zero.
/// **Cost**: 5 bytes per item, and about 20 per item touched; emptying costs the touched ones alone.
#[derive(Debug, Clone, Default)]
pub struct RowSums {
    sums: Vec<f32>,
    is_touched: Vec<bool>,
    touched: Vec<u32>,
    entries: Vec<(usize, f32)>,
}

impl RowSums {
    /// Forgets everything and adds up the rows of the events' items, in ascending order of rows.
    pub(super) fn fill(&mut self, model: &ItemToItemModel, events: impl Iterator<Item = (ItemIdx, f32)>) -> bool {
        self.clear(model.len());
        self.gather(model, events);
        for &(row, weight) in &self.entries {
            for (column, term) in model.row(row) {
                if !self.is_touched[column] {
                    self.is_touched[column] = true;
                    self.touched.push(column as u32);
                }
                self.sums[column] += weight * term;
            }
        }
        !self.entries.is_empty()
    }

    fn clear(&mut self, items: usize) {
        for &row in &self.touched {
            self.sums[row as usize] = 0.0;
            self.is_touched[row as usize] = false;
        }
        self.touched.clear();
        // All are zero now, so that growing and shrinking keeps them so.
        self.sums.resize(items, 0.0);
        self.is_touched.resize(items, false);
    }

    /// Fills `entries` with the rows of known items, ascending, each once with its greatest weight: the
    /// order and the rule of [`crate::Interactions`].
    fn gather(&mut self, model: &ItemToItemModel, events: impl Iterator<Item = (ItemIdx, f32)>) {
        self.entries.clear();
        for (item, weight) in events.take(EVENTS_MAX) {
            // A comparison with NaN is false, so NaN is left out here.
            if weight > 0.0
                && let Some(row) = model.row_of(item)
            {
                self.entries.push((row, weight.clamp(WEIGHT_MIN, WEIGHT_MAX)));
            }
        }
        self.entries.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        self.entries.dedup_by_key(|entry| entry.0);
    }

    /// The score of the item of row `row`; zero for an untouched item and for rows that do not exist.
    #[inline]
    pub fn score(&self, row: usize) -> f32 {
        self.sums.get(row).copied().unwrap_or(0.0)
    }

    /// Number of items that a row of the user reached.
    pub fn touched_len(&self) -> usize {
        self.touched.len()
    }

    /// Standard deviation of the scores of all items of the model, untouched ones included as zeros;
    /// zero if there are no items.
    ///
    /// **Cost**: two passes over the touched items, in double precision.
    pub fn standard_deviation(&self) -> f64 {
        if self.sums.is_empty() {
            return 0.0;
        }
        let items = self.sums.len() as f64;
        let scores = || self.touched.iter().map(|&row| f64::from(self.score(row as usize)));
        let mean = scores().sum::<f64>() / items;
        let of_touched: f64 = scores().map(|score| (score - mean).powi(2)).sum();
        let of_others = (items - self.touched.len() as f64) * mean * mean;
        ((of_touched + of_others) / items).sqrt()
    }

    /// The up to `n` best items with a positive score that `keep` accepts, best first, of equals the
    /// lesser item. `model` is the one whose rows were summed.
    ///
    /// `keep` is asked about every touched item with a positive score, in no particular order.
    ///
    /// **Cost**: the touched items, and a sort of n.
    pub fn top(&self, model: &ItemToItemModel, n: usize, mut keep: impl FnMut(ItemIdx) -> bool) -> Vec<(ItemIdx, f32)> {
        if n == 0 {
            return Vec::new();
        }
        let mut best: Vec<(u32, f32)> = Vec::new();
        for &row in &self.touched {
            let score = self.sums[row as usize];
            if score > 0.0 && model.items().get(row as usize).is_some_and(|item| keep(*item)) {
                best.push((row, score));
            }
        }
        // Rows ascend by item, so that the order of rows is that of items.
        let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if best.len() > n {
            best.select_nth_unstable_by(n, order);
            best.truncate(n);
        }
        best.sort_unstable_by(order);
        let item = |&(row, score): &(u32, f32)| model.items().get(row as usize).map(|item| (*item, score));
        best.iter().filter_map(item).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::item_to_item::item_to_item_model::test_data::{random, user_events};
    use crate::{CoOccurrenceConfig, EaseConfig, ItemToItemConfig};

    #[test]
    fn sums_spread_and_best_items_equal_those_of_a_dense_matrix() {
        let interactions = random(40, 60, 0.1);
        let configs = [
            ItemToItemConfig::Ease(EaseConfig { l2: 3.0, row_length: 12, ..EaseConfig::default() }),
            ItemToItemConfig::CoOccurrence(CoOccurrenceConfig { row_length: 5, ..CoOccurrenceConfig::default() }),
        ];
        let mut sums = RowSums::default();
        for config in configs {
            let model = ItemToItemModel::fit(&interactions, &config).unwrap();
            for user in 0..interactions.users().len() {
                let events: Vec<_> = user_events(&interactions, user).collect();
                assert!(model.sum(events.iter().copied(), &mut sums));
                let mut dense = vec![0.0_f64; model.len()];
                for &(item, weight) in &events {
                    for (column, term) in model.row(model.row_of(item).unwrap()) {
                        dense[column] += f64::from(weight) * f64::from(term);
                    }
                }
                for (row, exact) in dense.iter().enumerate() {
                    assert!((f64::from(sums.score(row)) - exact).abs() < 1e-5);
                }
                let mean = dense.iter().sum::<f64>() / dense.len() as f64;
                let variance = dense.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / dense.len() as f64;
                assert!((sums.standard_deviation() - variance.sqrt()).abs() < 1e-5);

                let keep = |item: ItemIdx| !item.0.is_multiple_of(3);
                let mut all: Vec<_> = model.items().iter().enumerate().map(|(row, i)| (*i, sums.score(row))).collect();
                all.retain(|entry| entry.1 > 0.0 && keep(entry.0));
                all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                for n in [0, 1, 7, 1_000] {
                    assert_eq!(sums.top(&model, n, keep), all[..n.min(all.len())]);
                }
            }
        }
    }

    #[test]
    fn events_that_say_nothing_give_zeros_and_repeats_count_once() {
        let model =
            ItemToItemModel::from_parts(vec![ItemIdx(3), ItemIdx(8)], vec![0, 1, 1], vec![1], vec![0.5]).unwrap();
        let mut sums = RowSums::default();
        let bad = [(ItemIdx(3), 0.0), (ItemIdx(3), -1.0), (ItemIdx(3), f32::NAN), (ItemIdx(4), 1.0)];
        assert!(!model.sum(bad.into_iter(), &mut sums));
        assert_eq!((sums.touched_len(), sums.score(1), sums.standard_deviation()), (0, 0.0, 0.0));
        assert!(model.sum([(ItemIdx(3), 1.0), (ItemIdx(3), 4.0), (ItemIdx(3), 2.0)].into_iter(), &mut sums));
        assert_eq!((sums.score(0), sums.score(1), sums.score(9)), (0.0, 2.0, 0.0));
        assert_eq!(sums.top(&model, 5, |_| true), [(ItemIdx(8), 2.0)]);
        assert!((sums.standard_deviation() - 1.0).abs() < 1e-12);

        let empty = ItemToItemModel::from_parts(vec![], vec![0], vec![], vec![]).unwrap();
        assert!(!empty.sum([(ItemIdx(3), 1.0)].into_iter(), &mut sums));
        assert_eq!((sums.touched_len(), sums.score(1), sums.standard_deviation()), (0, 0.0, 0.0));
        assert_eq!(sums.top(&empty, 5, |_| true), []);
    }

    proptest! {
        #[test]
        fn the_longest_histories_and_greatest_weights_stay_finite(count in 1..200_usize, weight in 1e5..f32::MAX) {
            let items: Vec<_> = (0..200).map(ItemIdx).collect();
            let model = ItemToItemModel::from_parts(items, (0..=200).collect(), vec![7; 200], vec![1e6; 200]).unwrap();
            let mut sums = RowSums::default();
            model.sum((0..count as u32).map(|item| (ItemIdx(item), weight)), &mut sums);
            prop_assert!(sums.score(7).is_finite() && sums.standard_deviation().is_finite());
        }
    }
}
