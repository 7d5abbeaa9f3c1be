/// A sparse matrix of positive weights, row by row (CSR).
///
/// **Shapes**: row r holds `columns[offsets[r]..offsets[r + 1]]`, ascending, with `weights` beside them.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseRows {
    offsets: Vec<usize>,
    columns: Vec<u32>,
    weights: Vec<f32>,
    column_count: usize,
}

impl SparseRows {
    /// Builds from entries `(row, column, weight)` that ascend by row and column without repeats.
    pub(crate) fn from_sorted(rows: usize, columns: usize, entries: impl Iterator<Item = (u32, u32, f32)>) -> Self {
        let mut matrix =
            Self { offsets: vec![0; rows + 1], columns: Vec::new(), weights: Vec::new(), column_count: columns };
        for (row, column, weight) in entries {
            matrix.offsets[row as usize + 1] += 1;
            matrix.columns.push(column);
            matrix.weights.push(weight);
        }
        accumulate(&mut matrix.offsets);
        matrix
    }

    /// The same matrix with rows and columns exchanged.
    ///
    /// **Cost**: two passes, one of them with scattered writes.
    pub(crate) fn transposed(&self) -> Self {
        let mut offsets = vec![0; self.column_count + 1];
        for &column in &self.columns {
            offsets[column as usize + 1] += 1;
        }
        accumulate(&mut offsets);
        let mut next = offsets.clone();
        let mut columns = vec![0; self.columns.len()];
        let mut weights = vec![0.0; self.weights.len()];
        // Rows are walked in order, so every transposed row comes out ascending.
        for row in 0..self.rows() {
            for (column, weight) in self.row(row) {
                let place = next[column];
                next[column] += 1;
                columns[place] = row as u32;
                weights[place] = weight;
            }
        }
        Self { offsets, columns, weights, column_count: self.rows() }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of stored entries.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The `(column, weight)` pairs of one row, columns ascending; rows are numbered below [`Self::rows`].
    pub fn row(&self, row: usize) -> impl ExactSizeIterator<Item = (usize, f32)> + Clone {
        let range = self.offsets[row]..self.offsets[row + 1];
        let columns = self.columns[range.clone()].iter().map(|&column| column as usize);
        columns.zip(self.weights[range].iter().copied())
    }
}

/// Turns counts, shifted by one, into offsets.
fn accumulate(offsets: &mut [usize]) {
    for i in 1..offsets.len() {
        offsets[i] += offsets[i - 1];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_twice_gives_the_matrix_back() {
        let entries = [(0, 1, 1.0), (0, 2, 2.0), (2, 0, 3.0), (2, 2, 4.0)];
        let matrix = SparseRows::from_sorted(3, 4, entries.into_iter());
        let transposed = matrix.transposed();
        assert_eq!(transposed.rows(), 4);
        assert_eq!(transposed.row(2).collect::<Vec<_>>(), [(0, 2.0), (2, 4.0)]);
        assert_eq!(transposed.row(3).len(), 0);
        assert_eq!(transposed.transposed(), matrix);
    }
}
