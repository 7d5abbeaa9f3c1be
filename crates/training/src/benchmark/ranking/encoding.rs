use serde::{Deserialize, Serialize};
use shortlist_evaluation::log_loss;
use shortlist_import::LabelledTable;
use shortlist_ranking::{Category, HISTORY_IDS, PairHistory, Row, RowSchema, TrainingRows, Vocabulary};

use crate::TrainingError;

/// Most pairs of columns that are compared; beyond it, of the first columns only.
const PAIRS_MAX: usize = 300;

/// From a table's texts to ids: a vocabulary per column and, if it helps, the history of one pair of
/// columns. Fitted on training alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TableEncoder {
    columns: Vec<String>,
    vocabularies: Vec<Vocabulary>,
    /// The columns of the pair, and its history.
    history: Option<(usize, usize, PairHistory)>,
}

/// A table of ids by the encoder's vocabularies.
pub(super) struct Encoded<'a> {
    table: &'a LabelledTable,
    /// Rows x columns.
    ids: Vec<u32>,
}

impl Encoded<'_> {
    pub(super) fn len(&self) -> usize {
        self.table.labels.len()
    }

    pub(super) fn labels(&self) -> &[bool] {
        &self.table.labels
    }

    fn pairs(&self, (first, second): (usize, usize)) -> Vec<(u32, u32)> {
        let rows = self.ids.chunks_exact(self.table.columns.len());
        rows.map(|row| (row[first], row[second])).collect()
    }
}

impl TableEncoder {
    /// Vocabularies of the training table's columns; no history yet.
    pub(super) fn fit(train: &LabelledTable) -> Self {
        let texts = |column: usize| (0..train.labels.len()).map(move |row| train.text(row, column));
        let vocabularies = (0..train.columns.len()).map(|column| Vocabulary::fit(texts(column), 1)).collect();
        Self { columns: train.columns.clone(), vocabularies, history: None }
    }

    /// The names of the pair of columns whose history is read.
    pub(super) fn history(&self) -> Option<[&str; 2]> {
        self.history.as_ref().map(|(first, second, _)| [*first, *second].map(|column| self.columns[column].as_str()))
    }

    pub(super) fn encode<'a>(&self, table: &'a LabelledTable) -> Encoded<'a> {
        let of_column = |(vocabulary, texts): (&Vocabulary, &Vec<String>)| -> Vec<u32> {
            texts.iter().map(|text| vocabulary.id(text)).collect()
        };
        let by_text: Vec<Vec<u32>> = self.vocabularies.iter().zip(&table.texts).map(of_column).collect();
        let cells = table.cells.iter().zip(by_text.iter().cycle());
        Encoded { table, ids: cells.map(|(cell, ids)| ids[*cell as usize]).collect() }
    }

    /// The pair of columns whose history alone tells most of the validation table: by log-loss, because an
    /// area under the curve hardly sees the few pairs of which history is certain.
    pub(super) fn best_pair(
        &self,
        train: &Encoded<'_>,
        valid: &Encoded<'_>,
    ) -> Result<Option<(usize, usize)>, TrainingError> {
        let columns = self.columns.len();
        let pairs = (0..columns).flat_map(|first| (first + 1..columns).map(move |second| (first, second)));
        let mut best: Option<(f64, (usize, usize))> = None;
        for pair in pairs.take(PAIRS_MAX) {
            let (history, ids) = PairHistory::fit(&train.pairs(pair), train.labels());
            let mut counts = [(1.0, 2.0); HISTORY_IDS];
            for (id, label) in ids.iter().zip(train.labels()) {
                let (with, all) = &mut counts[*id as usize];
                *with += f64::from(u8::from(*label));
                *all += 1.0;
            }
            let rate = |(first, second): (u32, u32)| {
                let (with, all) = counts[history.id(first, second) as usize];
                with / all
            };
            let scores: Vec<f64> = valid.pairs(pair).into_iter().map(rate).collect();
            let loss = log_loss(&scores, valid.labels())?;
            if best.is_none_or(|(least, _)| loss < least) {
                best = Some((loss, pair));
            }
        }
        Ok(best.map(|(_, pair)| pair))
    }

    /// Reads the history of a pair of columns from here on; returns what the training rows read of it.
    pub(super) fn with_history(mut self, train: &Encoded<'_>, pair: (usize, usize)) -> (Self, Vec<u32>) {
        let (history, ids) = PairHistory::fit(&train.pairs(pair), train.labels());
        self.history = Some((pair.0, pair.1, history));
        (self, ids)
    }

    /// What rows hold.
    pub(super) fn schema(&self) -> RowSchema {
        let columns = self.columns.iter().zip(&self.vocabularies);
        let category =
            |(name, vocabulary): (&String, &Vocabulary)| Category { name: name.clone(), ids: vocabulary.ids() };
        let mut categories: Vec<Category> = columns.map(category).collect();
        if let Some([first, second]) = self.history() {
            categories.push(Category { name: format!("history of {first} and {second}"), ids: HISTORY_IDS });
        }
        RowSchema::of_categories(categories)
    }

    /// The ids of each category of the schema, column by column; `histories` are those of training rows.
    pub(super) fn columns(&self, table: &Encoded<'_>, histories: Option<&[u32]>) -> Vec<Vec<u32>> {
        let width = self.columns.len();
        let column = |column: usize| table.ids.iter().skip(column).step_by(width).copied().collect();
        let mut columns: Vec<Vec<u32>> = (0..width).map(column).collect();
        if let Some((first, second, history)) = &self.history {
            columns.push(match histories {
                Some(ids) => ids.to_vec(),
                None => table.pairs((*first, *second)).into_iter().map(|(a, b)| history.id(a, b)).collect(),
            });
        }
        columns
    }

    /// The rows that networks learn from.
    pub(super) fn rows(&self, table: &Encoded<'_>, histories: Option<&[u32]>) -> Result<TrainingRows, TrainingError> {
        let columns = self.columns(table, histories);
        let mut rows = TrainingRows::new(self.schema().shared())?;
        let mut ids: Vec<&[u32]> = Vec::with_capacity(columns.len());
        for (row, label) in table.labels().iter().enumerate() {
            ids.clear();
            ids.extend(columns.iter().map(|column| &column[row..=row]));
            rows.push(Row { numbers: &[], ids: &ids }, &[*label], 1.0)?;
        }
        Ok(rows)
    }
}
