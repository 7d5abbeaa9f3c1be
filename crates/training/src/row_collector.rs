use shortlist_ranking::{RankingError, Row, RowSchema, TrainingRows};
use shortlist_recommender::{CategoryEncoders, CategorySchema, RawCategories, RawRow};

use crate::TrainingError;
use crate::first_stage::Setting;

/// The ranker's rows on their way: numbers and labels as they come; texts become ids once all of them are there,
/// since the encoders are fitted to them.
pub(crate) struct RowCollector<'a> {
    schema: &'a CategorySchema,
    rows: TrainingRows,
    /// The texts met so far; read rows through it.
    pub(crate) raw: RawCategories,
    raw_rows: Vec<RawRow>,
}

impl<'a> RowCollector<'a> {
    /// No rows yet.
    pub(crate) fn new(setting: &Setting<'a>) -> Result<Self, RankingError> {
        let numbers = setting.features.names().map(str::to_owned).collect();
        let schema = RowSchema { numbers, categories: Vec::new(), heads: setting.config.ranker.heads() };
        let rows = TrainingRows::new(schema.shared())?;
        let schema = setting.categories;
        Ok(Self { schema, rows, raw: RawCategories::new(schema), raw_rows: Vec::new() })
    }

    pub(crate) fn begin_group(&mut self) {
        self.rows.begin_group();
    }

    /// Adds a row; one without texts, because the state does not know its item, is left out where there are
    /// categories.
    pub(crate) fn push(
        &mut self,
        numbers: &[f32],
        raw: Option<RawRow>,
        labels: &[bool],
        weight: f32,
    ) -> Result<(), RankingError> {
        if !self.schema.is_empty() {
            let Some(raw) = raw else { return Ok(()) };
            self.raw_rows.push(raw);
        }
        self.rows.push(Row { numbers, ids: &[] }, labels, weight)
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows with their ids, and the encoders that gave them.
    pub(crate) fn finish(self) -> Result<(TrainingRows, CategoryEncoders), TrainingError> {
        let Self { schema, rows, raw, raw_rows } = self;
        if schema.is_empty() {
            return Ok((rows, CategoryEncoders::default()));
        }
        let encoders = CategoryEncoders::fit(schema, &raw, &raw_rows)?;
        let with_ids = RowSchema { categories: encoders.categories(), ..RowSchema::clone(rows.schema()) };
        let mut encoded = TrainingRows::new(with_ids.shared())?;
        let (width, heads) = (rows.number_count(), rows.heads());
        let mut starts = rows.groups().map(|group| group.start).peekable();
        encoders.encode_rows(&raw, &raw_rows, |row, ids| {
            if starts.next_if_eq(&row).is_some() {
                encoded.begin_group();
            }
            let numbers = &rows.numbers()[row * width..(row + 1) * width];
            encoded.push(Row { numbers, ids }, &rows.labels()[row * heads..(row + 1) * heads], rows.weights()[row])
        })?;
        Ok((encoded, encoders))
    }
}
