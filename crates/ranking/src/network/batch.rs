use crate::TrainingRows;
use crate::dense::Matrix;
use crate::training_rows::IdColumn;

/// Some rows, gathered in the order in which a step takes them.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Rows x numbers.
    pub(crate) numbers: Matrix,
    pub(crate) columns: Vec<IdColumn>,
    rows: usize,
}

impl Batch {
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Takes `chosen` rows.
    pub(crate) fn gather(&mut self, rows: &TrainingRows, chosen: &[u32]) {
        let width = rows.number_count();
        self.rows = chosen.len();
        self.numbers.columns = width;
        self.numbers.values.clear();
        self.columns.resize_with(rows.schema().categories.len(), IdColumn::default);
        for row in chosen {
            self.numbers.values.extend_from_slice(&rows.numbers()[*row as usize * width..][..width]);
        }
        for (category, column) in self.columns.iter_mut().enumerate() {
            column.clear();
            for (place, row) in chosen.iter().enumerate() {
                column.push(rows.ids(category, *row as usize), place);
            }
        }
    }
}
