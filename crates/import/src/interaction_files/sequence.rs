use std::path::Path;

use shortlist_types::InvalidInput;

use super::draft::{Draft, Parts};
use super::line_reader::each_line;
use crate::ImportError;
use crate::files::Files;

/// The parts of a file of lines `user item item ...` in order of time: the last item is test, the one before it
/// validation, the rest training. Of a user with fewer than 3 items all are training.
///
/// # Errors
/// The file cannot be read, a line holds something that is no id, or a user has a second line: which items of his are
/// the last could not be told.
pub(super) fn read(files: &mut Files<'_>, path: &Path, draft: &mut Draft) -> Result<Parts, ImportError> {
    let mut parts = Parts::default();
    let mut valid = Vec::new();
    each_line(files, path, |line| {
        let mut fields = line.split_ascii_whitespace();
        let text = fields.next().unwrap_or_default();
        let known = draft.users.len();
        let user = draft.users.place(text)?;
        if draft.users.len() == known {
            let reason = format!("must have one line, in order of time, got {text:?} again");
            return Err(InvalidInput::new("user_id", reason));
        }
        let first = parts.train.len();
        for item in fields {
            parts.train.push((user, draft.item(item)?));
        }
        if parts.train.len() - first >= 3 {
            parts.test.extend(parts.train.pop());
            valid.extend(parts.train.pop());
        }
        Ok(())
    })?;
    parts.valid = Some(valid);
    Ok(parts)
}
