use rayon::prelude::*;
use shortlist_types::{InvalidInput, ItemIdx};

use super::truncation::{assemble, truncate};
use super::{ItemToItemConfig, RowSums, co_occurrence, ease_config, exact_ease, linear_filter, local_ease};
use crate::{EmbeddingError, Interactions};

/// Most entries of one row; longer ones cost requests more than they tell.
pub const ROW_LENGTH_MAX: usize = 2_000;
/// Greatest absolute weight: with it the sums of the longest history stay finite in single precision.
pub const ITEM_WEIGHT_MAX: f32 = 1e6;

/// For every item the weights it lends to others: a sparse matrix with rows of bounded length.
///
/// The score of item j for a user is the sum over his items i of `w_i * weight[i][j]`.
///
/// **Shapes**: items x items; items are numbered by row, ascending by [`ItemIdx`]; row i holds
/// `columns[offsets[i]..offsets[i + 1]]`, ascending row numbers, with `weights` beside them.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemToItemModel {
    items: Vec<ItemIdx>,
    offsets: Vec<usize>,
    columns: Vec<u32>,
    weights: Vec<f32>,
}

impl ItemToItemModel {
    /// Fits on all threads of the current rayon pool; the same bits on any number of them.
    ///
    /// EASE is exact up to [`crate::EXACT_ITEMS_MAX`] items, and beyond them solved for every item on
    /// its nearest neighbours. Of users with more than 4,000 items a sample of as many counts.
    ///
    /// **Cost**: the sum of the squares of the users' numbers of items, at most 4,000 operations per
    /// interaction. Besides, for exact EASE items^3 operations and 16 bytes times items^2; for EASE on n
    /// neighbours n^3 / 3 operations per item and 16 n bytes per item.
    ///
    /// # Errors
    /// A field of `config` out of range, or an `l2` too small for the data.
    pub fn fit(interactions: &Interactions, config: &ItemToItemConfig) -> Result<Self, EmbeddingError> {
        config.check().map_err(EmbeddingError::Config)?;
        match config {
            ItemToItemConfig::CoOccurrence(config) => co_occurrence::fit(interactions, config),
            ItemToItemConfig::LinearFilter(config) => linear_filter::fit(interactions, config),
            ItemToItemConfig::Ease(config) if interactions.items().len() <= ease_config::EXACT_ITEMS_MAX => {
                exact_ease::fit(interactions, config)
            }
            ItemToItemConfig::Ease(config) => local_ease::fit(interactions, config),
        }
    }

    /// A fitted model from its stored parts; equal to the fitted one bit for bit.
    ///
    /// # Errors
    /// Items, or the columns of a row, that do not ascend without repeats; offsets that do not start at
    /// 0, ascend, and end at the number of entries; rows longer than [`ROW_LENGTH_MAX`]; columns beyond
    /// the items; weights that are not finite or beyond [`ITEM_WEIGHT_MAX`].
    pub fn from_parts(
        items: Vec<ItemIdx>,
        offsets: Vec<usize>,
        columns: Vec<u32>,
        weights: Vec<f32>,
    ) -> Result<Self, EmbeddingError> {
        let wrong = |field: &'static str, reason: String| Err(EmbeddingError::Parts(InvalidInput::new(field, reason)));
        if !items.is_sorted_by(|a, b| a < b) {
            return wrong("items", "must ascend without repeats".to_owned());
        }
        if columns.len() != weights.len() {
            return wrong("weights", format!("expected one per column, {}, got {}", columns.len(), weights.len()));
        }
        if offsets.len() != items.len() + 1 {
            return wrong(
                "offsets",
                format!("expected {}, one more than items, got {}", items.len() + 1, offsets.len()),
            );
        }
        if offsets.first() != Some(&0) || offsets.last() != Some(&columns.len()) || !offsets.is_sorted() {
            return wrong("offsets", format!("must ascend from 0 to the number of entries, {}", columns.len()));
        }
        for (row, range) in offsets.windows(2).enumerate() {
            let &[start, end] = range else { continue };
            let columns = columns.get(start..end).unwrap_or_default();
            if columns.len() > ROW_LENGTH_MAX {
                let got = columns.len();
                return wrong("offsets", format!("row {row} may have at most {ROW_LENGTH_MAX} entries, got {got}"));
            }
            if !columns.is_sorted_by(|a, b| a < b) {
                return wrong("columns", format!("those of row {row} must ascend without repeats"));
            }
            if let Some(&last) = columns.last().filter(|last| **last as usize >= items.len()) {
                return wrong("columns", format!("row {row} names row {last} of {}", items.len()));
            }
        }
        // The negated range refuses NaN too.
        if let Some(got) = weights.iter().find(|weight| !(-ITEM_WEIGHT_MAX..=ITEM_WEIGHT_MAX).contains(*weight)) {
            return wrong("weights", format!("must lie in -{ITEM_WEIGHT_MAX} to {ITEM_WEIGHT_MAX}, got {got}"));
        }
        Ok(Self { items, offsets, columns, weights })
    }

    /// Adds up the rows of a user's `(item, weight)` events in `sums`, which forgets what it held.
    /// True if any event has an item of the model and a positive weight.
    ///
    /// Events come in any order; of several for one item the greatest weight counts, as in training.
    /// Weights are held to [`crate::WEIGHT_MIN`] to [`crate::WEIGHT_MAX`]; events beyond 100,000 are
    /// ignored.
    ///
    /// **Cost**: events * row length operations with scattered writes; allocates nothing once `sums` has
    /// been used.
    pub fn sum(&self, events: impl Iterator<Item = (ItemIdx, f32)>, sums: &mut RowSums) -> bool {
        sums.fill(self, events)
    }

    /// The weighted sum of models of the same items, one row after the other; rows that grow too long
    /// keep their entries of greatest weight.
    ///
    /// # Errors
    /// Models of different items, or weights that overflow.
    pub(crate) fn sum_of(models: &[(Self, f32)]) -> Result<Self, EmbeddingError> {
        let items = models.first().map_or(&[][..], |(model, _)| &model.items);
        if models.iter().any(|(model, _)| model.items != items) {
            return Err(EmbeddingError::PartsDiffer);
        }
        let row = |row: usize| {
            let terms = models.iter().flat_map(|(model, factor)| {
                model.row(row).map(move |(column, weight)| (column as u32, weight * factor))
            });
            let mut terms: Vec<(u32, f32)> = terms.collect();
            // Stable, so that the parts of one entry are added in the order of the models.
            terms.sort_by_key(|term| term.0);
            terms.dedup_by(|from, to| {
                let same = from.0 == to.0;
                to.1 += if same { from.1 } else { 0.0 };
                same
            });
            truncate(&mut terms, ROW_LENGTH_MAX);
            terms
        };
        assemble(items, (0..items.len()).into_par_iter().map(row).collect())
    }

    /// The `(column, weight)` pairs of one row, columns ascending; rows are numbered below [`Self::len`].
    pub fn row(&self, row: usize) -> impl ExactSizeIterator<Item = (usize, f32)> {
        let range = self.offsets[row]..self.offsets[row + 1];
        let columns = self.columns[range.clone()].iter().map(|&column| column as usize);
        columns.zip(self.weights[range].iter().copied())
    }

    /// The row of `item`, if the model knows it. **Cost**: a binary search.
    pub fn row_of(&self, item: ItemIdx) -> Option<usize> {
        self.items.binary_search(&item).ok()
    }

    /// Number of items, and of rows.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The items, one per row, ascending.
    pub fn items(&self) -> &[ItemIdx] {
        &self.items
    }

    /// Where each row starts in [`Self::columns`], and the end of the last; one more than items.
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// The row numbers of the entries, row after row.
    pub fn columns(&self) -> &[u32] {
        &self.columns
    }

    /// The weights of the entries, row after row.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// Memory of the model in bytes.
    pub fn bytes(&self) -> usize {
        size_of_val(self.items.as_slice())
            + size_of_val(self.offsets.as_slice())
            + size_of_val(self.columns.as_slice())
            + size_of_val(self.weights.as_slice())
    }
}

#[cfg(test)]
#[path = "test_data.rs"]
pub(super) mod test_data;

#[cfg(test)]
#[path = "item_to_item_model_tests.rs"]
mod tests;
