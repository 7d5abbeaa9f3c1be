use rand::Rng;
use shortlist_types::{AttributeValue, Attributes, Event, LogRecord, Timestamp, User, UserId};

use super::catalogue::{Catalogue, DIMENSIONS, item_id};
use super::user_id;

/// Events per user.
const EVENTS: usize = 50;
/// Groups of items that a user likes.
const INTERESTS: usize = 4;
/// Share of events with an item of any group.
const STRAY_SHARE: f64 = 0.1;
/// What users do, each as often: four in five events mark the item as seen.
const EVENT_TYPES: [&str; 5] = ["click", "click", "like", "purchase", "impression"];
/// Days over which the events are spread, up to now.
const ACTIVE_DAYS: i64 = 60;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A user and what nobody sees of him.
pub(crate) struct SyntheticUser {
    pub(crate) id: UserId,
    /// Mean vector of the items that he took up.
    pub(crate) taste: Vec<f32>,
}

impl SyntheticUser {
    /// Draws a user and adds his description and his events to `records`.
    pub(crate) fn draw(
        number: usize,
        catalogue: &Catalogue,
        end: Timestamp,
        random: &mut impl Rng,
        records: &mut Vec<LogRecord>,
    ) -> anyhow::Result<Self> {
        let id = user_id(number)?;
        records.push(description(&id, number, catalogue.birth(0, end)?)?);
        let interests: [usize; INTERESTS] = std::array::from_fn(|_| Catalogue::draw_cluster(random));
        let mut taste = vec![0.0; DIMENSIONS];
        for _ in 0..EVENTS {
            let strays = random.random_bool(STRAY_SHARE);
            let cluster =
                if strays { Catalogue::draw_cluster(random) } else { interests[random.random_range(0..INTERESTS)] };
            let item = catalogue.draw_item(cluster, random);
            let event_type = EVENT_TYPES[random.random_range(0..EVENT_TYPES.len())];
            // After the item appeared, so that the log is in order of time.
            let earliest = catalogue.birth(item, end)?.as_micros().max(end.as_micros() - ACTIVE_DAYS * MICROS_PER_DAY);
            let timestamp = Timestamp::from_micros(random.random_range(earliest + 1..=end.as_micros()))?;
            records.push(LogRecord::Event(Event {
                event_id: None,
                user_id: id.clone(),
                item_id: item_id(item)?,
                event_type: event_type.to_owned(),
                value: None,
                timestamp,
                request_id: None,
                position: None,
                context: Attributes::default(),
            }));
            if event_type != "impression" {
                taste.iter_mut().zip(catalogue.vector(item)).for_each(|(sum, x)| *sum += x / EVENTS as f32);
            }
        }
        Ok(Self { id, taste })
    }
}

fn description(id: &UserId, number: usize, timestamp: Timestamp) -> anyhow::Result<LogRecord> {
    let pairs = [("country", number % 30), ("age_group", number / 30 % 7)];
    let text = |(name, value): (&str, usize)| (name.to_owned(), AttributeValue::Text(format!("{name} {value}")));
    let attributes = Attributes::parse(pairs.map(text))?;
    Ok(LogRecord::UserPut { timestamp, user: User { user_id: id.clone(), attributes } })
}
