use std::collections::HashMap;
use std::path::Path;

use shortlist_types::InvalidInput;

use super::draft::{Draft, Pair};
use super::line_reader::{each_line, name};
use super::pair_table::each_pair;
use crate::ImportError;
use crate::files::Files;

/// All pairs of a table.
///
/// # Errors
/// As [`each_pair`].
pub(super) fn read(files: &mut Files<'_>, path: &Path, draft: &mut Draft) -> Result<Vec<Pair>, ImportError> {
    let mut pairs = Vec::new();
    each_pair(files, path, |user, item| {
        pairs.push((draft.users.place(user)?, draft.item(item)?));
        Ok(())
    })?;
    Ok(pairs)
}

/// All pairs of a table in which every user has one. A line may be repeated.
///
/// # Errors
/// As [`each_pair`], and a user with another item.
pub(super) fn read_one_each(files: &mut Files<'_>, path: &Path, draft: &mut Draft) -> Result<Vec<Pair>, ImportError> {
    let mut pairs = Vec::new();
    let mut item_of: HashMap<u32, u32> = HashMap::new();
    each_pair(files, path, |user_text, item_text| {
        let (user, item) = (draft.users.place(user_text)?, draft.item(item_text)?);
        if *item_of.entry(user).or_insert(item) != item {
            let reason = format!("must have one item, got {user_text:?} again with {item_text:?}");
            return Err(InvalidInput::new("user_id", reason));
        }
        pairs.push((user, item));
        Ok(())
    })?;
    Ok(pairs)
}

/// The negatives of each user with a pair in `test`, as they stand in a file of lines `(user,item) negative ...`, which
/// NCF publishes, or `user negative ...`. Lines may come in any order.
///
/// # Errors
/// The file cannot be read; a line holds something that is no id or names no test case; a case has no line, or two.
pub(super) fn read_negatives(
    files: &mut Files<'_>,
    path: &Path,
    draft: &mut Draft,
    test: &[Pair],
) -> Result<HashMap<u32, Vec<u32>>, ImportError> {
    let item_of: HashMap<u32, u32> = test.iter().copied().collect();
    let mut negatives: HashMap<u32, Vec<u32>> = HashMap::with_capacity(item_of.len());
    each_line(files, path, |line| {
        let mut fields = line.split_ascii_whitespace();
        let case = fields.next().unwrap_or_default();
        let user = user_of(case, draft, &item_of).ok_or_else(|| {
            let expected = "must be a user of the test file, or (user,item) as there";
            InvalidInput::new("case", format!("{expected}, got {case:?}"))
        })?;
        let items = fields.map(|item| draft.item(item)).collect::<Result<Vec<_>, _>>()?;
        if items.is_empty() {
            return Err(InvalidInput::new("negatives", "must be at least one item, got none"));
        }
        match negatives.insert(user, items) {
            None => Ok(()),
            Some(_) => Err(InvalidInput::new("case", format!("must have one line, got {case:?} again"))),
        }
    })?;
    match test.iter().find(|(user, _)| !negatives.contains_key(user)) {
        None => Ok(negatives),
        Some((user, _)) => {
            let user = draft.users.id_at(*user).map(ToString::to_string).unwrap_or_default();
            Err(ImportError::NegativesMissing { file: name(path), user })
        }
    }
}

/// The user of a test case. Ids may hold brackets and commas, so each reading is compared with the test file.
fn user_of(case: &str, draft: &Draft, item_of: &HashMap<u32, u32>) -> Option<u32> {
    let plain = draft.users.get(case).filter(|user| item_of.contains_key(user));
    plain.or_else(|| {
        let pair = case.strip_prefix('(')?.strip_suffix(')')?;
        pair.match_indices(',').find_map(|(comma, _)| {
            let user = draft.users.get(&pair[..comma])?;
            let item = draft.items.get(&pair[comma + 1..])?;
            (item_of.get(&user) == Some(&item)).then_some(user)
        })
    })
}
