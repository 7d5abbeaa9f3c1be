use std::path::Path;

use super::draft::{Draft, Pair};
use super::line_reader::each_line;
use crate::ImportError;
use crate::files::Files;

/// The pairs of a file of lines `user item item ...`. A user may have no items, and several lines.
///
/// # Errors
/// The file cannot be read, or a line holds something that is no id.
pub(super) fn read(files: &mut Files<'_>, path: &Path, draft: &mut Draft) -> Result<Vec<Pair>, ImportError> {
    let mut pairs = Vec::new();
    each_line(files, path, |line| {
        let mut fields = line.split_ascii_whitespace();
        let user = draft.users.place(fields.next().unwrap_or_default())?;
        for item in fields {
            pairs.push((user, draft.item(item)?));
        }
        Ok(())
    })?;
    Ok(pairs)
}
