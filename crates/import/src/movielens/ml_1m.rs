use std::collections::HashMap;
use std::path::Path;

use shortlist_types::{
    AttributeValue, Attributes, Event, EventId, InvalidInput, Item, ItemId, Timestamp, User, UserId,
};

use super::plain_table::PlainTable;
use super::{AGE_GROUPS, check_folder, digits, list, number, rating, text};
use crate::collector::{Collector, Row};
use crate::files::Files;
use crate::ids::Ids;
use crate::{Format, ImportError};

const MOVIES: PlainTable<3> = PlainTable { name: "movies.dat", separator: "::", header: None };
const USERS: PlainTable<5> = PlainTable { name: "users.dat", separator: "::", header: None };
const RATINGS: PlainTable<4> = PlainTable { name: "ratings.dat", separator: "::", header: None };
const INTERACTIONS: PlainTable<3> =
    PlainTable { name: "interactions.tsv", separator: "\t", header: Some(["user_id", "movie_id", "step"]) };
const LAST_EVENTS: PlainTable<4> = PlainTable {
    name: "last_event.tsv",
    separator: "\t",
    header: Some(["user_id", "movie_id", "rating", "timestamp"]),
};

/// The occupations, by code.
const OCCUPATIONS: [&str; 21] = [
    "other",
    "academic/educator",
    "artist",
    "clerical/admin",
    "college/grad student",
    "customer service",
    "doctor/health care",
    "executive/managerial",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales/marketing",
    "scientist",
    "self-employed",
    "technician/engineer",
    "tradesman/craftsman",
    "unemployed",
    "writer",
];

/// Reads the folder of MovieLens 1M, with `ratings.dat` or with `interactions.tsv`.
pub(crate) fn read(
    path: &Path,
    collector: &mut Collector<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), ImportError> {
    check_folder(path, Format::MovieLens1m)?;
    let rated = path.join(RATINGS.name).is_file();
    if !rated && !path.join(INTERACTIONS.name).is_file() {
        let expected = format!("{} or {}", RATINGS.name, INTERACTIONS.name);
        return Err(ImportError::MissingFile { expected, folder: path.to_owned() });
    }
    let events: &[&str] = if rated { &[RATINGS.name] } else { &[LAST_EVENTS.name, INTERACTIONS.name] };
    let names = [MOVIES.name, USERS.name].into_iter().chain(events.iter().copied());
    let mut files = Files::new(path, names, 1, progress)?;

    MOVIES.read(&mut files, collector, movie)?;
    USERS.read(&mut files, collector, user)?;
    if rated {
        RATINGS.read(&mut files, collector, |fields, ids| rating(fields, "ml1m", ids))
    } else {
        read_interactions(&mut files, collector)
    }
}

fn movie(fields: &[&str; 3], ids: &mut Ids) -> Result<Row, InvalidInput> {
    let [id, title, genres] = fields;
    let genres = genres.split('|').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let attributes = [text("title", title), list("genre", genres), release_year(title)];
    let attributes = Attributes::parse(attributes.into_iter().flatten())?;
    Ok(Row::Item(
        Item { item_id: ids.item(digits("movie_id", id)?)?, attributes, available: true, embedding: None },
        None,
    ))
}

/// The year at the end of `Toy Story (1995)`, if there is one.
fn release_year(title: &str) -> Option<(String, AttributeValue)> {
    let (_, year) = title.strip_suffix(')')?.rsplit_once('(')?;
    let year: u16 = digits("year", year).ok()?.parse().ok()?;
    Some(("release_year".to_owned(), AttributeValue::Number(f64::from(year))))
}

fn user(fields: &[&str; 5], ids: &mut Ids) -> Result<Row, InvalidInput> {
    let [id, gender, age, occupation, _zip] = fields;
    let age: u32 = number("age", age)?;
    let group = AGE_GROUPS.iter().find(|(code, _)| *code == age);
    let (_, group) = group.ok_or_else(|| {
        let codes = AGE_GROUPS.map(|(code, _)| code.to_string()).join(", ");
        InvalidInput::new("age", format!("must be one of {codes}, got {age}"))
    })?;
    let code: usize = number("occupation", occupation)?;
    let name = OCCUPATIONS.get(code);
    let name = name.ok_or_else(|| InvalidInput::new("occupation", format!("must be 0 to 20, got {code}")))?;
    let attributes = [text("age_group", group), text("gender", gender), text("occupation", name)];
    let attributes = Attributes::parse(attributes.into_iter().flatten())?;
    Ok(Row::User(User { user_id: ids.user(digits("user_id", id)?)?, attributes }, None))
}

/// One row of `interactions.tsv`; its time waits until all rows of the user are counted.
struct Interaction {
    line: u64,
    user: UserId,
    item: ItemId,
    step: u32,
}

/// What is known of a user's time: his last event, and how many interactions lead up to it.
struct UserSpan {
    last_event: Timestamp,
    interactions: i64,
}

fn read_interactions(files: &mut Files<'_>, collector: &mut Collector<'_>) -> Result<(), ImportError> {
    let mut spans: HashMap<UserId, UserSpan> = HashMap::new();
    collector.begin_file(LAST_EVENTS.name);
    LAST_EVENTS.scan(files, collector, last_event, |_, _, (user, last_event)| {
        spans.insert(user, UserSpan { last_event, interactions: 0 });
    })?;
    collector.finish_file()?;

    let mut waiting: Vec<Interaction> = Vec::new();
    collector.begin_file(INTERACTIONS.name);
    INTERACTIONS.scan(files, collector, interaction, |_, line, (user, item, step)| {
        if let Some(span) = spans.get_mut(&user) {
            span.interactions += 1;
        }
        waiting.push(Interaction { line, user, item, step });
    })?;
    for Interaction { line, user, item, step } in waiting {
        let row = spans.get(&user).map_or_else(
            || Err(InvalidInput::new("user_id", format!("must have a row in {}, {user} has none", LAST_EVENTS.name))),
            |span| step_event(user.clone(), item, span.last_event, i64::from(step) - (span.interactions - 1)),
        );
        collector.keep(line, row);
    }
    collector.finish_file()
}

fn last_event(fields: &[&str; 4], ids: &mut Ids) -> Result<(UserId, Timestamp), InvalidInput> {
    let [user, _movie, _rating, seconds] = fields;
    let time = Timestamp::from_seconds(number("timestamp", seconds)?)?;
    Ok((ids.user(digits("user_id", user)?)?, time))
}

fn interaction(fields: &[&str; 3], ids: &mut Ids) -> Result<(UserId, ItemId, u32), InvalidInput> {
    let [user, movie, step] = fields;
    let (user, movie) = (digits("user_id", user)?, digits("movie_id", movie)?);
    Ok((ids.user(user)?, ids.item(movie)?, number("step", step)?))
}

/// An event without a value, `seconds` after the last one (negative: before it).
fn step_event(user: UserId, item: ItemId, last: Timestamp, seconds: i64) -> Result<Row, InvalidInput> {
    Ok(Row::Event(Event {
        event_id: Some(EventId::parse(&format!("ml1m-{user}-{item}"))?),
        user_id: user,
        item_id: item,
        event_type: "rating".to_owned(),
        value: None,
        timestamp: last.plus_seconds(seconds),
        request_id: None,
        position: None,
        context: Default::default(),
    }))
}
