use shortlist_types::limits::FUTURE_SECONDS_MAX;
use shortlist_types::{Event, EventTypes, InvalidInput, Item, LogRecord, Timestamp, User};

use crate::ids::Ids;
use crate::limits::ROWS_MAX;
use crate::{BadRow, ImportError, ImportOptions, ImportReport, Imported};

/// One good row of any format. Catalogue rows may leave their time open.
#[derive(Debug)]
pub(crate) enum Row {
    Event(Event),
    Item(Item, Option<Timestamp>),
    User(User, Option<Timestamp>),
}

/// Gathers the rows of one import: checks what is the same for every format, counts, and orders.
pub(crate) struct Collector<'a> {
    pub(crate) ids: Ids,
    event_types: &'a EventTypes,
    now: Timestamp,
    options: &'a ImportOptions,
    records: Vec<LogRecord>,
    /// Places in `records` of catalogue rows without a time; until all events are known they hold `now`.
    undated: Vec<usize>,
    /// Of the items' embeddings.
    dimensions: Option<usize>,
    report: ImportReport,
    rows: u64,
    file: FileRows,
}

/// Counts of the file that is being read.
#[derive(Default)]
struct FileRows {
    name: String,
    rows: u64,
    bad: u64,
    first_bad: Vec<BadRow>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(event_types: &'a EventTypes, now: Timestamp, options: &'a ImportOptions) -> Self {
        Self {
            ids: Ids::default(),
            event_types,
            now,
            options,
            records: Vec::new(),
            undated: Vec::new(),
            dimensions: None,
            report: ImportReport::default(),
            rows: 0,
            file: FileRows::default(),
        }
    }

    /// What follows comes from the file called `name`.
    pub(crate) fn begin_file(&mut self, name: &str) {
        self.file = FileRows { name: name.to_owned(), ..FileRows::default() };
    }

    /// Counts one row, which [`Self::keep`] or [`Self::bad`] then takes.
    ///
    /// # Errors
    /// More rows than one import takes.
    pub(crate) fn count_row(&mut self) -> Result<(), ImportError> {
        self.rows += 1;
        self.file.rows += 1;
        if self.rows > ROWS_MAX {
            return Err(ImportError::TooManyRows { file: self.file.name.clone(), limit: ROWS_MAX });
        }
        Ok(())
    }

    /// Takes a row that has been counted, or notes why it is bad. Whether it was good.
    pub(crate) fn keep(&mut self, line: u64, row: Result<Row, InvalidInput>) -> bool {
        let pushed = row.and_then(|row| self.push(row));
        if let Err(reason) = &pushed {
            self.bad(line, reason);
        }
        pushed.is_ok()
    }

    /// Notes that the row at `line` is left out.
    pub(crate) fn bad(&mut self, line: u64, reason: &InvalidInput) {
        self.file.bad += 1;
        if self.file.first_bad.len() < self.options.bad_rows_shown {
            self.file.first_bad.push(BadRow::new(&self.file.name, line, &reason.to_string()));
        }
    }

    /// The bad row just noted spans `lines` lines and counts as so many: a stray quote may have swallowed good rows.
    ///
    /// # Errors
    /// More rows than one import takes.
    pub(crate) fn swallowed(&mut self, lines: u64) -> Result<(), ImportError> {
        for _ in 1..lines {
            self.count_row()?;
            self.file.bad += 1;
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Too many of its rows are bad. Each file is judged for itself: a small catalogue that is bad throughout would be
    /// lost among millions of good events.
    pub(crate) fn finish_file(&mut self) -> Result<(), ImportError> {
        let file = std::mem::take(&mut self.file);
        let max_bad_share = self.options.max_bad_share;
        if file.bad as f64 > max_bad_share * file.rows as f64 {
            let FileRows { name, rows, bad, first_bad } = file;
            return Err(ImportError::TooManyBadRows { file: name, bad, rows, max_bad_share, first_bad });
        }
        self.report.bad_rows += file.bad;
        self.report.first_bad.extend(file.first_bad);
        self.report.first_bad.truncate(self.options.bad_rows_shown);
        Ok(())
    }

    /// Everything, ordered.
    pub(crate) fn finish(mut self) -> Imported {
        let events = self.records.iter().filter(|record| matches!(record, LogRecord::Event(_)));
        let first = events.map(LogRecord::timestamp).min().unwrap_or(self.now);
        for &place in &self.undated {
            if let LogRecord::ItemPut { timestamp, .. } | LogRecord::UserPut { timestamp, .. } =
                &mut self.records[place]
            {
                *timestamp = first;
            }
        }
        self.records.sort_by_key(|record| (record.timestamp(), matches!(record, LogRecord::Event(_))));
        Imported { records: self.records, report: self.report }
    }

    fn push(&mut self, row: Row) -> Result<(), InvalidInput> {
        match row {
            Row::Event(event) => {
                self.event_types.resolve(&event.event_type)?;
                if event.value.is_some_and(|value| !value.is_finite()) {
                    return Err(InvalidInput::new("value", "must be a finite number"));
                }
                self.check_time(event.timestamp)?;
                self.records.push(LogRecord::Event(event));
                self.report.events += 1;
            }
            Row::Item(item, time) => {
                self.check_embedding(&item)?;
                let timestamp = self.catalog_time(time)?;
                self.records.push(LogRecord::ItemPut { timestamp, item });
                self.report.items += 1;
            }
            Row::User(user, time) => {
                let timestamp = self.catalog_time(time)?;
                self.records.push(LogRecord::UserPut { timestamp, user });
                self.report.users += 1;
            }
        }
        Ok(())
    }

    /// All embeddings of an import have the dimensions of its first.
    fn check_embedding(&mut self, item: &Item) -> Result<(), InvalidInput> {
        let Some(embedding) = &item.embedding else { return Ok(()) };
        let got = embedding.as_slice().len();
        let expected = *self.dimensions.get_or_insert(got);
        if got != expected {
            let reason = format!("must have {expected} dimensions, as other items' have, got {got}");
            return Err(InvalidInput::new("embedding", reason));
        }
        if !embedding.has_direction() {
            return Err(InvalidInput::new(
                "embedding",
                "must not be zero in every dimension: it would have no direction",
            ));
        }
        Ok(())
    }

    fn catalog_time(&mut self, time: Option<Timestamp>) -> Result<Timestamp, InvalidInput> {
        match time {
            Some(time) => self.check_time(time)?,
            None => self.undated.push(self.records.len()),
        }
        Ok(time.unwrap_or(self.now))
    }

    fn check_time(&self, time: Timestamp) -> Result<(), InvalidInput> {
        if time > self.now.plus_seconds(FUTURE_SECONDS_MAX) {
            let reason = format!("must not lie more than {FUTURE_SECONDS_MAX} seconds in the future, got {time}");
            return Err(InvalidInput::new("timestamp", reason));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_beyond_the_limit_end_the_import() {
        let (types, options) = (EventTypes::default(), ImportOptions::default());
        let mut collector = Collector::new(&types, Timestamp::EPOCH, &options);
        collector.begin_file("events.csv");
        collector.rows = ROWS_MAX - 1;
        assert!(collector.count_row().is_ok());
        let error = collector.count_row().unwrap_err();
        let expected = "events.csv: more than 50000000 rows in one import; split the files and import the parts in \
                        order of time";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_record_takes_the_memory_that_is_stated() {
        assert_eq!(size_of::<LogRecord>(), 128);
    }
}
