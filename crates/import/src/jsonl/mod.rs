//! One JSON object per line.

mod attribute_map;
mod json_row;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::ImportError;
use crate::collector::Collector;
use crate::files::Files;
use crate::table_files::TableFiles;

/// Reads a folder of tables, or one file.
pub(crate) fn read(
    path: &Path,
    collector: &mut Collector<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), ImportError> {
    let found = TableFiles::find(path, "jsonl")?;
    let mut files = Files::new(&found.folder, found.names(), 1, progress)?;
    for (kind, name) in &found.tables {
        collector.begin_file(name);
        let mut lines = files.lines(name)?;
        while let Some(line) = lines.next_line()? {
            collector.count_row()?;
            let row = line.bytes.and_then(|bytes| json_row::parse(bytes, *kind, &mut collector.ids));
            collector.keep(line.number, row);
        }
        collector.finish_file()?;
    }
    Ok(())
}
