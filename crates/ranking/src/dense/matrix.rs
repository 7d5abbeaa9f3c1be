/// Numbers in rows, row-major.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Matrix {
    pub(crate) columns: usize,
    pub(crate) values: Vec<f32>,
}

/// Some neighbouring columns of a matrix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Columns<'a> {
    pub(crate) values: &'a [f32],
    /// Columns of the whole matrix.
    pub(crate) stride: usize,
    /// The first column that is meant.
    pub(crate) first: usize,
    /// How many.
    pub(crate) count: usize,
}

impl Matrix {
    #[cfg(test)]
    pub(crate) fn of(columns: usize, values: Vec<f32>) -> Self {
        Self { columns, values }
    }

    pub(crate) fn rows(&self) -> usize {
        self.values.len() / self.columns.max(1)
    }

    /// Takes another shape and keeps its memory; values are what they happen to be.
    pub(crate) fn reshape(&mut self, rows: usize, columns: usize) {
        self.columns = columns;
        self.values.resize(rows * columns, 0.0);
    }

    /// Takes another shape, all zeros.
    pub(crate) fn clear(&mut self, rows: usize, columns: usize) {
        self.reshape(rows, columns);
        self.values.fill(0.0);
    }

    pub(crate) fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.columns..][..self.columns]
    }

    /// All columns.
    pub(crate) fn all(&self) -> Columns<'_> {
        self.part(0, self.columns)
    }

    /// `count` columns from `first` on.
    pub(crate) fn part(&self, first: usize, count: usize) -> Columns<'_> {
        Columns { values: &self.values, stride: self.columns, first, count }
    }
}

impl<'a> Columns<'a> {
    pub(crate) fn rows(&self) -> usize {
        self.values.len() / self.stride.max(1)
    }

    /// The same columns of `count` rows from `first` on.
    pub(crate) fn rows_from(&self, first: usize, count: usize) -> Self {
        Self { values: &self.values[first * self.stride..(first + count) * self.stride], ..*self }
    }

    /// From the first value that is meant on.
    pub(crate) fn start(&self) -> &'a [f32] {
        &self.values[self.first.min(self.values.len())..]
    }
}
