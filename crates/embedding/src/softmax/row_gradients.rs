/// One part of the gradient of a table's row: `weight` times a vector of [`RowGradients::vectors`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GradientEntry {
    /// The row of the table.
    pub(crate) row: u32,
    /// The row of the vectors.
    pub(crate) vector: u32,
    pub(crate) weight: f32,
}

/// The gradient of a table by one chunk of a batch, sparse by row.
#[derive(Clone, Copy)]
pub(crate) struct RowGradients<'a> {
    /// Ascending by row.
    pub(crate) entries: &'a [GradientEntry],
    /// Row-major, of the table's dimensions.
    pub(crate) vectors: &'a [f32],
}

impl<'a> RowGradients<'a> {
    /// The entries of rows `from` to `to` (exclusive).
    pub(crate) fn between(&self, from: usize, to: usize) -> &'a [GradientEntry] {
        let place = |row: usize| self.entries.partition_point(|entry| (entry.row as usize) < row);
        &self.entries[place(from)..place(to)]
    }

    /// The vector of an entry.
    pub(crate) fn vector(&self, entry: &GradientEntry, dimensions: usize) -> &'a [f32] {
        let start = entry.vector as usize * dimensions;
        &self.vectors[start..start + dimensions]
    }
}
