use std::borrow::Cow;
use std::sync::Arc;

use crate::{RankingError, RowSchema};

/// Most rows of one fit; more are refused.
pub const ROWS_MAX: usize = 100_000_000;
/// Least weight of a row.
pub const WEIGHT_MIN: f32 = 1e-6;
/// Greatest weight of a row.
pub const WEIGHT_MAX: f32 = 1e6;

/// One row, on its way into [`TrainingRows`].
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Finite, one per number of the schema.
    pub numbers: &'a [f32],
    /// The ids of each category of the schema, one, several or none.
    pub ids: &'a [&'a [u32]],
}

/// Labelled rows of numbers and categories: what a ranker learns from. All numbers are finite, all ids
/// below their bounds.
///
/// Rows may stand in groups, the candidates of one request each, which losses over lists compare.
///
/// **Shapes**: numbers are rows x numbers, row-major; each category has a column of ids; labels are rows
/// x heads.
/// **Cost**: 4 bytes per number and id, 4 more per row for a category that has not one id in every row,
/// 4 per row and 1 per head.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingRows {
    schema: Arc<RowSchema>,
    numbers: Vec<f32>,
    columns: Vec<IdColumn>,
    labels: Vec<bool>,
    weights: Vec<f32>,
    group_starts: Vec<usize>,
}

/// The ids of one category, row after row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct IdColumn {
    ids: Vec<u32>,
    /// Where each row's ids end; empty while every row has exactly one.
    ends: Vec<u32>,
}

impl IdColumn {
    /// Adds one row's ids; `rows` is how many there were.
    pub(crate) fn push(&mut self, ids: &[u32], rows: usize) {
        if self.ends.is_empty() && ids.len() != 1 {
            // The ids of all rows of all columns are bounded, by rows and ids of a row.
            self.ends = (1..=rows as u32).collect();
        }
        self.ids.extend_from_slice(ids);
        if !self.ends.is_empty() || ids.len() != 1 {
            self.ends.push(self.ids.len() as u32);
        }
    }

    /// The ids of one row.
    #[inline]
    pub(crate) fn of_row(&self, row: usize) -> &[u32] {
        if self.ends.is_empty() {
            return self.ids.get(row..=row).unwrap_or_default();
        }
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.ids[start as usize..self.ends[row] as usize]
    }

    pub(crate) fn clear(&mut self) {
        self.ids.clear();
        self.ends.clear();
    }
}

impl TrainingRows {
    /// No rows yet, of what the schema says.
    ///
    /// # Errors
    /// A schema without features, or with too many.
    pub fn new(schema: Arc<RowSchema>) -> Result<Self, RankingError> {
        schema.check().map_err(RankingError::Schema)?;
        let columns = vec![IdColumn::default(); schema.categories.len()];
        let (numbers, labels, weights, group_starts) = Default::default();
        Ok(Self { schema, numbers, columns, labels, weights, group_starts })
    }

    /// No rows yet, of `count` numbers each and one outcome.
    ///
    /// # Errors
    /// No numbers, or too many.
    pub fn of_numbers(count: usize) -> Result<Self, RankingError> {
        Self::new(RowSchema::of_numbers((0..count).map(|place| place.to_string())).shared())
    }

    /// Adds a row of numbers with one outcome, as [`Self::push`].
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn push_numbers(&mut self, numbers: &[f32], label: bool, weight: f32) -> Result<(), RankingError> {
        self.push(Row { numbers, ids: &[] }, &[label], weight)
    }

    /// The rows from here on belong to the next request.
    pub fn begin_group(&mut self) {
        self.group_starts.push(self.len());
    }

    /// Adds one row; on an error nothing is added.
    ///
    /// # Errors
    /// Another width, a number that is not finite, an id beyond its bound, another number of labels than
    /// heads, a weight outside [`WEIGHT_MIN`] to [`WEIGHT_MAX`], or more than [`ROWS_MAX`] rows.
    pub fn push(&mut self, row: Row<'_>, labels: &[bool], weight: f32) -> Result<(), RankingError> {
        check_row(&self.schema, row)?;
        if labels.len() != self.schema.heads.len() {
            return Err(RankingError::LabelCount { expected: self.schema.heads.len(), got: labels.len() });
        }
        // The negated range refuses NaN too.
        if !(WEIGHT_MIN..=WEIGHT_MAX).contains(&weight) {
            return Err(RankingError::WeightOutOfRange { weight });
        }
        let rows = self.len();
        if rows == ROWS_MAX {
            return Err(RankingError::TooManyRows);
        }
        self.numbers.extend_from_slice(row.numbers);
        for (column, ids) in self.columns.iter_mut().zip(row.ids) {
            column.push(ids, rows);
        }
        self.labels.extend_from_slice(labels);
        self.weights.push(weight);
        Ok(())
    }

    /// The same rows with outcome `head` alone.
    pub fn of_head(&self, head: usize) -> Cow<'_, Self> {
        if self.heads() == 1 {
            return Cow::Borrowed(self);
        }
        let heads = self.schema.heads[head..=head].to_vec();
        let schema = RowSchema { heads, ..RowSchema::clone(&self.schema) }.shared();
        let labels = self.labels.iter().skip(head).step_by(self.heads()).copied().collect();
        Cow::Owned(Self { schema, labels, ..self.clone() })
    }

    /// What a row holds.
    pub fn schema(&self) -> &Arc<RowSchema> {
        &self.schema
    }

    /// Numbers per row.
    pub fn number_count(&self) -> usize {
        self.schema.numbers.len()
    }

    /// Outcomes per row.
    pub fn heads(&self) -> usize {
        self.schema.heads.len()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// All numbers, row-major.
    pub fn numbers(&self) -> &[f32] {
        &self.numbers
    }

    /// The ids that a row has of a category.
    pub fn ids(&self, category: usize, row: usize) -> &[u32] {
        self.columns[category].of_row(row)
    }

    /// Whether the wished outcomes happened, rows x heads.
    pub fn labels(&self) -> &[bool] {
        &self.labels
    }

    /// The outcomes of one row, one per head.
    pub fn labels_of(&self, row: usize) -> &[bool] {
        &self.labels[row * self.heads()..][..self.heads()]
    }

    /// How much each row counts.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// The groups in order, as ranges of rows; without any, one of all rows.
    pub fn groups(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let first = if self.group_starts.first().is_none_or(|start| *start > 0) { Some(0) } else { None };
        let starts: Vec<usize> = first.into_iter().chain(self.group_starts.iter().copied()).collect();
        let ends: Vec<usize> = starts.iter().skip(1).copied().chain([self.len()]).collect();
        starts.into_iter().zip(ends).map(|(start, end)| start..end).filter(|group| !group.is_empty())
    }
}

/// # Errors
/// A row that is not as the schema says, by the name of the feature.
pub(crate) fn check_row(schema: &RowSchema, row: Row<'_>) -> Result<(), RankingError> {
    let expected = (schema.numbers.len(), schema.categories.len());
    if (row.numbers.len(), row.ids.len()) != expected {
        return Err(RankingError::RowShape { expected, got: (row.numbers.len(), row.ids.len()) });
    }
    if let Some((place, &value)) = row.numbers.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        return Err(RankingError::FeatureNotFinite { feature: schema.feature(place).to_owned(), value });
    }
    for (category, ids) in schema.categories.iter().zip(row.ids) {
        if let Some(&id) = ids.iter().find(|id| **id as usize >= category.ids) {
            return Err(RankingError::UnknownId { feature: category.name.clone(), id, ids: category.ids });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Category;

    fn schema() -> Arc<RowSchema> {
        RowSchema {
            numbers: vec!["price".to_owned(), "age".to_owned()],
            categories: vec![Category { name: "genre".to_owned(), ids: 5 }],
            heads: vec!["click".to_owned()],
        }
        .shared()
    }

    #[test]
    fn a_row_that_cannot_be_taken_changes_nothing_and_names_the_feature() {
        let mut rows = TrainingRows::new(schema()).unwrap();
        let good = Row { numbers: &[1.0, 2.0], ids: &[&[4, 2]] };
        rows.push(good, &[true], 1.0).unwrap();
        let before = rows.clone();
        for (row, expected) in [
            (Row { numbers: &[1.0], ..good }, "expected rows of 2 numbers and 1 categories, got 1 and 1"),
            (Row { numbers: &[1.0, f32::INFINITY], ..good }, "feature age must be finite, got inf"),
            (Row { numbers: &[f32::NAN, 1.0], ..good }, "feature price must be finite, got NaN"),
            (Row { ids: &[&[1, 5]], ..good }, "feature genre has ids below 5, got 5"),
        ] {
            let error = rows.push(row, &[true], 1.0).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        for weight in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e7] {
            assert!(matches!(rows.push(good, &[true], weight), Err(RankingError::WeightOutOfRange { .. })));
        }
        assert!(matches!(rows.push(good, &[true, true], 1.0), Err(RankingError::LabelCount { .. })));
        assert_eq!(rows, before);
        assert!(TrainingRows::new(RowSchema::of_numbers([""; 0]).shared()).is_err());
    }

    #[test]
    fn columns_hold_one_several_and_no_ids() {
        let mut rows =
            TrainingRows::new(RowSchema::of_categories(vec![Category { name: "a".into(), ids: 9 }]).shared()).unwrap();
        let all: [&[u32]; 5] = [&[3], &[4], &[], &[1, 2], &[8]];
        for ids in all {
            rows.push(Row { numbers: &[], ids: &[ids] }, &[false], 1.0).unwrap();
        }
        for (row, ids) in all.iter().enumerate() {
            assert_eq!(rows.ids(0, row), *ids);
        }
    }

    #[test]
    fn groups_cover_all_rows_and_skip_empty_ones() {
        let mut rows = TrainingRows::new(RowSchema::of_numbers(["x"]).shared()).unwrap();
        let row = Row { numbers: &[1.0], ids: &[] };
        rows.push(row, &[true], 1.0).unwrap();
        assert!(rows.groups().eq(std::iter::once(0..1)));
        rows.begin_group();
        rows.begin_group();
        rows.push(row, &[true], 1.0).unwrap();
        rows.push(row, &[true], 1.0).unwrap();
        rows.begin_group();
        assert_eq!(rows.groups().collect::<Vec<_>>(), [0..1, 1..3]);
    }
}
