use std::path::Path;

use shortlist_types::InvalidInput;

use super::line_reader::each_line;
use crate::ImportError;
use crate::files::Files;

/// First columns of the headers in use, RecBole's `user_id:token` among them.
const USER_COLUMNS: [&str; 5] = ["user", "user_id", "userid", "uid", "user_id:token"];
/// Second columns of the same headers.
const ITEM_COLUMNS: [&str; 5] = ["item", "item_id", "itemid", "iid", "item_id:token"];

/// Gives user and item of each line `user item [rating [time]]` to `take`. Rating and time are checked and not used:
/// an interaction is one whatever its stars. A header may come first.
///
/// # Errors
/// The file cannot be read, or a line is no such row or refused by `take`.
pub(super) fn each_pair(
    files: &mut Files<'_>,
    path: &Path,
    mut take: impl FnMut(&str, &str) -> Result<(), InvalidInput>,
) -> Result<(), ImportError> {
    let mut may_be_header = true;
    each_line(files, path, |line| {
        let is_header = std::mem::take(&mut may_be_header) && is_header(line);
        if is_header {
            return Ok(());
        }
        let (user, item) = split(line)?;
        take(user, item)
    })
}

/// Such users and items are not numbers, and a first line of theirs is taken for what it says.
fn is_header(line: &str) -> bool {
    let mut fields = line.split_ascii_whitespace().map(str::to_ascii_lowercase);
    let mut next_is = |names: &[&str]| fields.next().is_some_and(|field| names.contains(&field.as_str()));
    next_is(&USER_COLUMNS) && next_is(&ITEM_COLUMNS)
}

fn split(line: &str) -> Result<(&str, &str), InvalidInput> {
    // Runs of blanks part fields too, so an empty cell between tabs would shift those after it.
    if line.starts_with('\t') || line.trim_ascii_end().contains("\t\t") {
        return Err(InvalidInput::new("row", "must have no empty field before the last"));
    }
    let mut fields = line.split_ascii_whitespace();
    let (Some(user), Some(item)) = (fields.next(), fields.next()) else {
        return Err(fields_expected(line));
    };
    for (name, text) in ["rating", "time"].into_iter().zip(&mut fields) {
        if !text.parse().is_ok_and(f64::is_finite) {
            return Err(InvalidInput::new(name, format!("must be a number, got {text:?}")));
        }
    }
    if fields.next().is_some() { Err(fields_expected(line)) } else { Ok((user, item)) }
}

fn fields_expected(line: &str) -> InvalidInput {
    let got = line.split_ascii_whitespace().count();
    InvalidInput::new("row", format!("must have 2 to 4 fields, user item [rating [time]], got {got}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tabs_and_blanks_part_fields() {
        for line in ["u\ti", "u i", "u  i\t3.5", "u\ti\t5\t978300760", "u i -1e3 0 ", "u\ti\t"] {
            assert_eq!(split(line).unwrap(), ("u", "i"), "{line:?}");
        }
    }

    #[test]
    fn a_row_that_is_none_says_what_was_expected() {
        let reason = |line| split(line).unwrap_err().to_string();
        assert_eq!(reason("u"), "row: must have 2 to 4 fields, user item [rating [time]], got 1");
        assert_eq!(reason("u i 1 2 3"), "row: must have 2 to 4 fields, user item [rating [time]], got 5");
        assert_eq!(reason("u i five"), "rating: must be a number, got \"five\"");
        assert_eq!(reason("u i 5 inf"), "time: must be a number, got \"inf\"");
        for line in ["u\t\t5", "\ti\t5"] {
            assert_eq!(reason(line), "row: must have no empty field before the last");
        }
    }

    #[test]
    fn headers_are_known_by_their_first_two_names() {
        for line in ["user_id\titem_id\trating", "user item", "user_id:token\titem_id:token", "UserId ItemId"] {
            assert!(is_header(line), "{line:?}");
        }
        for line in ["user 5", "1 2", "user", "users items"] {
            assert!(!is_header(line), "{line:?}");
        }
    }
}
