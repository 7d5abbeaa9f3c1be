use std::path::Path;

use shortlist_types::InvalidInput;

use crate::files::Files;
use crate::limits::BENCHMARK_LINE_BYTES_MAX;
use crate::lines::Lines;
use crate::{BadRow, ImportError};

/// Gives each line of the file at `path` that is not blank to `take`, without its end.
///
/// # Errors
/// The file cannot be read, or a line is too long, not UTF-8 or refused by `take`: the first such line is named.
pub(super) fn each_line(
    files: &mut Files<'_>,
    path: &Path,
    mut take: impl FnMut(&str) -> Result<(), InvalidInput>,
) -> Result<(), ImportError> {
    let mut lines = Lines::with_limit(files.open(path)?, BENCHMARK_LINE_BYTES_MAX);
    while let Some(line) = lines.next_line()? {
        if let Err(reason) = line.bytes.and_then(text).and_then(&mut take) {
            return Err(ImportError::BadLine(BadRow::new(&name(path), line.number, &reason.to_string())));
        }
    }
    Ok(())
}

/// What errors call the file at `path`: as the caller wrote it, so that an editor can open it.
pub(super) fn name(path: &Path) -> String {
    path.display().to_string()
}

fn text(bytes: &[u8]) -> Result<&str, InvalidInput> {
    std::str::from_utf8(bytes).map_err(|error| {
        InvalidInput::new("row", format!("must be UTF-8, but is not from byte {} on", error.valid_up_to() + 1))
    })
}
