use rayon::prelude::*;
use shortlist_types::ItemIdx;

use super::{ITEM_WEIGHT_MAX, ItemToItemModel};
use crate::EmbeddingError;

/// Keeps the `length` entries of greatest absolute weight, of equals those with the lesser column, and
/// sorts them by column. Zeros and NaN go; weights are held to [`ITEM_WEIGHT_MAX`].
///
/// **Cost**: the length of the row, and a sort of what is kept.
pub(super) fn truncate(row: &mut Vec<(u32, f32)>, length: usize) {
    row.retain(|entry| entry.1.abs() > 0.0);
    if row.len() > length {
        row.select_nth_unstable_by(length, |a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
        row.truncate(length);
    }
    row.sort_unstable_by_key(|entry| entry.0);
    row.iter_mut().for_each(|entry| entry.1 = entry.1.clamp(-ITEM_WEIGHT_MAX, ITEM_WEIGHT_MAX));
    row.shrink_to_fit();
}

/// A model of truncated rows, one per item.
pub(super) fn assemble(items: &[ItemIdx], rows: Vec<Vec<(u32, f32)>>) -> Result<ItemToItemModel, EmbeddingError> {
    let mut offsets = vec![0];
    let mut length = 0;
    for row in &rows {
        length += row.len();
        offsets.push(length);
    }
    let columns = rows.iter().flatten().map(|entry| entry.0).collect();
    let weights = rows.iter().flatten().map(|entry| entry.1).collect();
    ItemToItemModel::from_parts(items.to_vec(), offsets, columns, weights)
}

/// The rows of a matrix that is given by its columns, truncated.
///
/// **Shapes**: square; `columns[j]` holds `(row, weight)` pairs.
/// **Cost**: one pass with scattered writes; holds the matrix twice.
pub(super) fn truncated_rows(columns: Vec<Vec<(u32, f32)>>, length: usize) -> Vec<Vec<(u32, f32)>> {
    let mut lengths = vec![0_usize; columns.len()];
    for &(row, _) in columns.iter().flatten() {
        lengths[row as usize] += 1;
    }
    let mut rows: Vec<_> = lengths.into_iter().map(Vec::with_capacity).collect();
    for (j, column) in columns.into_iter().enumerate() {
        for (row, weight) in column {
            rows[row as usize].push((j as u32, weight));
        }
    }
    rows.par_iter_mut().for_each(|row| truncate(row, length));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_absolute_weights_stay_and_of_equals_the_lesser_column() {
        let mut row = vec![(9, -3.0), (4, 1.0), (7, 0.0), (2, 1.0), (3, f32::NAN), (1, 0.5), (8, 1e30)];
        truncate(&mut row, 3);
        assert_eq!(row, [(2, 1.0), (8, ITEM_WEIGHT_MAX), (9, -3.0)]);
    }

    #[test]
    fn columns_become_rows() {
        let columns = vec![vec![(2, 1.0), (1, 2.0)], vec![(2, -5.0)], vec![(2, 3.0)]];
        assert_eq!(truncated_rows(columns, 2), [vec![], vec![(0, 2.0)], vec![(1, -5.0), (2, 3.0)]]);
    }
}
