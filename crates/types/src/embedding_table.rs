use crate::limits::DIMENSIONS_MAX;
use crate::{InvalidInput, ItemIdx, dot};

/// Item embeddings of one model: one finite row per item, items in ascending order.
///
/// **Shapes**: `items` has n entries, `values` n x dimensions, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddingTable {
    dimensions: usize,
    items: Vec<ItemIdx>,
    values: Vec<f32>,
}

impl EmbeddingTable {
    /// Checks and keeps a table. It may be empty.
    ///
    /// # Errors
    /// Dimensions out of range, lengths that do not fit, items that do not ascend, or a value that
    /// is not finite.
    pub fn parse(dimensions: usize, items: Vec<ItemIdx>, values: Vec<f32>) -> Result<Self, InvalidInput> {
        let wrong = |reason: String| Err(InvalidInput::new("embeddings", reason));
        if dimensions == 0 || dimensions > DIMENSIONS_MAX {
            return wrong(format!("must have 1 to {DIMENSIONS_MAX} dimensions, got {dimensions}"));
        }
        if items.len().checked_mul(dimensions) != Some(values.len()) {
            let (n, got) = (items.len(), values.len());
            return wrong(format!("{n} items of {dimensions} dimensions do not fit {got} values"));
        }
        if !items.is_sorted_by(|a, b| a < b) {
            return wrong("items must ascend without repeats".to_owned());
        }
        if let Some(i) = values.iter().position(|x| !x.is_finite()) {
            return wrong(format!("row {} holds a value that is not finite", i / dimensions));
        }
        Ok(Self { dimensions, items, values })
    }

    /// Components per row.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The items, one per row, ascending.
    pub fn items(&self) -> &[ItemIdx] {
        &self.items
    }

    /// All values, row-major.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The vector of row `row`; rows are numbered below [`Self::len`].
    #[inline]
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.dimensions..(row + 1) * self.dimensions]
    }

    /// The row of `item`, if the model knows it. **Cost**: a binary search.
    pub fn row_of(&self, item: ItemIdx) -> Option<usize> {
        self.items.binary_search(&item).ok()
    }

    /// The vector of `item`, if the model knows it.
    pub fn get(&self, item: ItemIdx) -> Option<&[f32]> {
        self.row_of(item).map(|row| self.row(row))
    }

    /// Greatest Euclidean length of a row; zero for an empty table.
    pub fn norm_max(&self) -> f32 {
        self.values.chunks_exact(self.dimensions).map(|row| dot(row, row).sqrt()).fold(0.0, f32::max)
    }
}
