use std::path::Path;

use shortlist_types::{AttributeValue, Attributes, InvalidInput, Item, User};

use super::plain_table::PlainTable;
use super::{AGE_GROUPS, check_folder, digits, list, number, rating, text};
use crate::collector::{Collector, Row};
use crate::files::Files;
use crate::ids::Ids;
use crate::{Format, ImportError};

const GENRES: PlainTable<2> = PlainTable { name: "u.genre", separator: "|", header: None };
/// Id, title, release date, video release date, URL, and one flag for each of the 19 genres.
const ITEMS: PlainTable<24> = PlainTable { name: "u.item", separator: "|", header: None };
const USERS: PlainTable<5> = PlainTable { name: "u.user", separator: "|", header: None };
const RATINGS: PlainTable<4> = PlainTable { name: "u.data", separator: "\t", header: None };

/// Reads the folder of MovieLens 100k.
pub(crate) fn read(
    path: &Path,
    collector: &mut Collector<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), ImportError> {
    check_folder(path, Format::MovieLens100k)?;
    let mut files = Files::new(path, [GENRES.name, ITEMS.name, USERS.name, RATINGS.name], 1, progress)?;

    let mut genres: Vec<Option<String>> = vec![None; 19];
    collector.begin_file(GENRES.name);
    GENRES.scan(&mut files, collector, genre, |_, _, (place, name)| genres[place] = Some(name))?;
    collector.finish_file()?;

    ITEMS.read(&mut files, collector, |fields, ids| item(fields, &genres, ids))?;
    USERS.read(&mut files, collector, user)?;
    RATINGS.read(&mut files, collector, |fields, ids| rating(fields, "ml100k", ids))
}

/// `Action|1`: a name and the place of its flag.
fn genre(fields: &[&str; 2], _: &mut Ids) -> Result<(usize, String), InvalidInput> {
    let [name, place] = fields;
    match number("genre", place)? {
        place @ 0..19 => Ok((place, (*name).to_owned())),
        place => Err(InvalidInput::new("genre", format!("must have a number of 0 to 18, got {place}"))),
    }
}

fn item(fields: &[&str; 24], genres: &[Option<String>], ids: &mut Ids) -> Result<Row, InvalidInput> {
    let [id, title, released, _video, _url, flags @ ..] = fields;
    let mut names = Vec::new();
    for (place, flag) in flags.iter().enumerate() {
        match *flag {
            "0" => {}
            "1" => match genres.get(place) {
                Some(Some(name)) => names.push(name.clone()),
                _ => {
                    return Err(InvalidInput::new(
                        "genre",
                        format!("has a flag at {place}, which u.genre does not name"),
                    ));
                }
            },
            other => return Err(InvalidInput::new("genre", format!("flags must be 0 or 1, got {other:?}"))),
        }
    }
    let attributes = [text("title", title), list("genre", names), release_year(released)?];
    let attributes = Attributes::parse(attributes.into_iter().flatten())?;
    Ok(Row::Item(
        Item { item_id: ids.item(digits("item_id", id)?)?, attributes, available: true, embedding: None },
        None,
    ))
}

/// The year of `01-Jan-1995`; one film has no date.
fn release_year(date: &str) -> Result<Option<(String, AttributeValue)>, InvalidInput> {
    if date.is_empty() {
        return Ok(None);
    }
    let year = date.rsplit('-').next().unwrap_or_default();
    let year: u16 = year
        .parse()
        .map_err(|_| InvalidInput::new("release date", format!("must be like 01-Jan-1995, got {date:?}")))?;
    Ok(Some(("release_year".to_owned(), AttributeValue::Number(f64::from(year)))))
}

fn user(fields: &[&str; 5], ids: &mut Ids) -> Result<Row, InvalidInput> {
    let [id, age, gender, occupation, _zip] = fields;
    let age: u32 = number("age", age)?;
    let group = AGE_GROUPS.iter().rev().find(|(lowest, _)| age >= *lowest).map_or(AGE_GROUPS[0].1, |(_, name)| name);
    let attributes = [
        Some(("age".to_owned(), AttributeValue::Number(f64::from(age)))),
        text("age_group", group),
        text("gender", gender),
        text("occupation", occupation),
    ];
    let attributes = Attributes::parse(attributes.into_iter().flatten())?;
    Ok(Row::User(User { user_id: ids.user(digits("user_id", id)?)?, attributes }, None))
}
