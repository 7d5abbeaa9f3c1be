use shortlist_types::limits::BATCH_MAX;
use shortlist_types::{InvalidInput, LogRecord};

use crate::api::RefusedRow;
use crate::api_error::ApiError;

/// What a call has the log append, and what of it was left out.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) records: Vec<LogRecord>,
    pub(super) refused: Vec<RefusedRow>,
}

impl From<Option<LogRecord>> for Batch {
    fn from(record: Option<LogRecord>) -> Self {
        Self { records: record.into_iter().collect(), refused: Vec::new() }
    }
}

/// One entry of a batch as the protocol read it, or why it could not.
pub(crate) type Row<T> = Result<T, InvalidInput>;

/// How the entries of a list are told apart, and what one that cannot be taken costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    /// What the caller calls the list; none of one that is not a list.
    pub(crate) field: Option<&'static str>,
    /// Whether it costs itself alone, not the batch.
    pub(crate) partial: bool,
    /// Entries that the caller sent before, in the same stream.
    pub(crate) before: u64,
}

impl Rows {
    /// The entries of a list called `field`.
    pub(crate) fn of(field: &'static str, partial: bool) -> Self {
        Self { field: Some(field), partial, before: 0 }
    }

    /// Makes a record of each entry; an error names the entry: `items[3].attributes.price`.
    ///
    /// # Errors
    /// An empty batch or one that is too large; an entry that cannot be taken, unless that costs only itself.
    pub(super) fn records<T>(
        self,
        entries: Vec<Row<T>>,
        mut record: impl FnMut(T) -> Result<LogRecord, InvalidInput>,
    ) -> Result<Batch, ApiError> {
        let Self { field, partial, before } = self;
        if !(1..=BATCH_MAX).contains(&entries.len()) {
            let reason = format!("must have 1 to {BATCH_MAX} entries, got {}", entries.len());
            return Err(InvalidInput::new(field.unwrap_or_default(), reason).into());
        }
        let mut batch = Batch::default();
        for (row, entry) in (before..).zip(entries) {
            match entry.and_then(&mut record) {
                Ok(record) => batch.records.push(record),
                Err(error) => {
                    let error = match field {
                        Some(field) => error.within(format!("{field}[{row}]")),
                        None => error,
                    };
                    if !partial {
                        return Err(error.into());
                    }
                    batch.refused.push(RefusedRow::new(row, error));
                }
            }
        }
        Ok(batch)
    }
}
