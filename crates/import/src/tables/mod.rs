//! Comma-separated tables with a header.

mod attribute_column;
mod catalog_columns;
mod event_columns;
mod header;
mod rows;
#[cfg(test)]
mod tests;

use std::path::Path;

use shortlist_types::{InvalidInput, Timestamp};

use self::attribute_column::AttributeColumn;
use self::catalog_columns::{ItemColumns, UserColumns};
use self::event_columns::EventColumns;
use self::header::Header;
use self::rows::Rows;
use crate::ImportError;
use crate::collector::{Collector, Row};
use crate::files::Files;
use crate::ids::Ids;
use crate::table_files::{Kind, TableFiles};

/// Which column of a table holds what.
trait Columns: Sized {
    /// Finds the columns by their names.
    fn find(header: &Header) -> Result<Self, ImportError>;
    /// Those whose type the cells decide.
    fn attributes(&mut self) -> &mut [AttributeColumn];
    /// One row; `cells` has as many entries as the header.
    fn row(&self, cells: &[&str], ids: &mut Ids) -> Result<Row, InvalidInput>;
}

/// Reads a folder of tables, or one of events.
pub(crate) fn read(
    path: &Path,
    collector: &mut Collector<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), ImportError> {
    let found = TableFiles::find(path, "csv")?;
    let mut files = Files::new(&found.folder, found.names(), 2, progress)?;
    for (kind, name) in &found.tables {
        match kind {
            Kind::Item => read_table::<ItemColumns>(name, &mut files, collector)?,
            Kind::User => read_table::<UserColumns>(name, &mut files, collector)?,
            Kind::Event => read_table::<EventColumns>(name, &mut files, collector)?,
        }
    }
    Ok(())
}

/// Two passes: a column's type is known only when all its cells were seen, and holding the cells instead would take
/// more memory than the records.
fn read_table<C: Columns>(name: &str, files: &mut Files<'_>, collector: &mut Collector<'_>) -> Result<(), ImportError> {
    let mut rows = Rows::new(name, files.open(name)?)?;
    let header = rows.header().clone();
    let mut columns = C::find(&header)?;
    if columns.attributes().iter().all(AttributeColumn::is_known) {
        rows.skip_rest();
    } else {
        while let Some(row) = rows.next_row()? {
            if let Ok(cells) = row.cells {
                columns.attributes().iter_mut().for_each(|column| column.observe(&cells));
            }
        }
    }

    collector.begin_file(name);
    let mut rows = Rows::new(name, files.open(name)?)?;
    // The columns are found in the first header: of another file they might lie outside the cells.
    rows.header().check_same(&header)?;
    while let Some(row) = rows.next_row()? {
        collector.count_row()?;
        let parsed = row.cells.and_then(|cells| columns.row(&cells, &mut collector.ids));
        if !collector.keep(row.line, parsed) {
            collector.swallowed(row.lines)?;
        }
    }
    collector.finish_file()
}

/// A time: RFC 3339, or whole seconds since 1970.
fn timestamp(cell: &str) -> Result<Timestamp, InvalidInput> {
    match cell.parse() {
        Ok(seconds) => Timestamp::from_seconds(seconds),
        Err(_) => Timestamp::parse(cell).map_err(|_| {
            let reason = format!("must be RFC 3339 or whole seconds since 1970, got {cell:?}");
            InvalidInput::new("timestamp", reason)
        }),
    }
}

/// The cell of a column that a table may lack, if it has one and it is not empty.
fn optional<'c>(cells: &[&'c str], column: Option<usize>) -> Option<&'c str> {
    column.map(|column| cells[column]).filter(|cell| !cell.is_empty())
}
