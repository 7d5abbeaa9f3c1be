use shortlist_types::{AttributeValue, Attributes, Event, EventId, Item, LogRecord, RequestId, Timestamp};

use crate::catalogue::SimItem;
use crate::population::DEVICES;
use crate::simulation::{Draft, Simulation};
use crate::{MarketConfig, Result, Truth};

/// A log, and the truth behind it.
///
/// ```
/// use shortlist_simulator::{MarketConfig, Marketplace};
/// use shortlist_types::{LogRecord, Timestamp};
/// let end = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
/// let config = MarketConfig { users: 50, items: 100, events: 2_000, ..MarketConfig::new(7, end) };
/// let market = Marketplace::generate(&config).unwrap();
/// let events = market.records.iter().filter(|record| matches!(record, LogRecord::Event(_)));
/// assert_eq!(events.count(), 2_000);
/// ```
#[derive(Debug)]
pub struct Marketplace {
    /// Catalogue changes and events in order of time; at the same time the catalogue comes first.
    /// Times lie from [`MarketConfig::start`] to before [`MarketConfig::end`].
    pub records: Vec<LogRecord>,
    /// What every user truly prefers.
    pub truth: Truth,
}

impl Marketplace {
    /// Simulates a marketplace: the same config gives the same records.
    ///
    /// Event types carry their default names (impression, view, click, like, purchase, rating,
    /// hide). Every event names the request that showed the item and the item's position on that
    /// page, and its `event_id` is unique to the seed.
    ///
    /// **Cost**: one to two microseconds and a kilobyte per event, on one thread.
    ///
    /// # Errors
    /// As [`MarketConfig::check`].
    pub fn generate(config: &MarketConfig) -> Result<Self> {
        let truth = Truth::generate(config)?;
        let drafts = Simulation::run(&truth, config);
        let mut records = catalogue_records(&truth)?;
        let devices = device_contexts()?;
        let requests = request_ids(config.seed, &drafts)?;
        records.reserve(drafts.len());
        for (number, draft) in drafts.iter().enumerate() {
            records.push(LogRecord::Event(Event {
                // The seed keeps two simulated logs in one store apart.
                event_id: Some(EventId::parse(&format!("event-{}-{}", config.seed, number + 1))?),
                user_id: truth.users()[draft.user as usize].entry.user_id.clone(),
                item_id: truth.items()[draft.item as usize].entry.item_id.clone(),
                event_type: draft.kind.name().to_owned(),
                value: draft.stars,
                timestamp: Timestamp::from_micros(draft.micros)?,
                request_id: Some(requests[draft.request as usize].clone()),
                position: Some(draft.position),
                context: devices[draft.device].clone(),
            }));
        }
        // Stable, and two runs that are in order already: a merge.
        records.sort_by_key(LogRecord::timestamp);
        Ok(Self { records, truth })
    }
}

/// What happens to items and users, in order of time: put at the start or when they appear, put
/// again or deleted when they leave.
fn catalogue_records(truth: &Truth) -> Result<Vec<LogRecord>> {
    let mut records = Vec::with_capacity(truth.items().len() + truth.users().len());
    for item in truth.items() {
        let timestamp = truth.time(item.birth.max(0.0))?;
        records.push(LogRecord::ItemPut { timestamp, item: item.entry.clone() });
        records.extend(departure(truth, item)?);
    }
    for user in truth.users() {
        records.push(LogRecord::UserPut { timestamp: truth.time(user.joined)?, user: user.entry.clone() });
    }
    records.sort_by_key(LogRecord::timestamp);
    Ok(records)
}

fn departure(truth: &Truth, item: &SimItem) -> Result<Option<LogRecord>> {
    let Some(departure) = item.departure else { return Ok(None) };
    let timestamp = truth.time(departure.at)?;
    Ok(Some(if departure.deleted {
        LogRecord::ItemDelete { timestamp, item_id: item.entry.item_id.clone() }
    } else {
        LogRecord::ItemPut { timestamp, item: Item { available: false, ..item.entry.clone() } }
    }))
}

/// The context of an event, per device.
fn device_contexts() -> Result<Vec<Attributes>> {
    let context = |device: &&str| {
        let pair = ("device".to_owned(), AttributeValue::Text((*device).to_owned()));
        Ok(Attributes::parse([pair])?)
    };
    DEVICES.iter().map(context).collect()
}

/// One id per page; the events of a page share it.
fn request_ids(seed: u64, drafts: &[Draft]) -> Result<Vec<RequestId>> {
    let count = drafts.iter().map(|draft| draft.request + 1).max().unwrap_or(0);
    (1..=count).map(|number| Ok(RequestId::parse(&format!("request-{seed}-{number}"))?)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn config(seed: u64) -> MarketConfig {
        let end = Timestamp::parse("2026-06-01T09:30:00Z").unwrap();
        MarketConfig { users: 200, items: 400, events: 10_000, ..MarketConfig::new(seed, end) }
    }

    #[test]
    fn the_same_seed_gives_the_same_records_and_another_does_not() {
        let [a, b, other] = [1, 1, 2].map(|seed| Marketplace::generate(&config(seed)).unwrap().records);
        assert_eq!(a, b);
        assert_eq!(format!("{a:?}"), format!("{b:?}"));
        assert_ne!(a, other);
    }

    #[test]
    fn records_are_in_order_of_time_inside_the_log() {
        let records = Marketplace::generate(&config(1)).unwrap().records;
        assert!(records.is_sorted_by_key(LogRecord::timestamp));
        assert_eq!(records[0].timestamp(), config(1).start());
        let last = records.last().unwrap().timestamp();
        let number = |record: &LogRecord| match record {
            LogRecord::Event(event) => event.event_id.as_ref()?.as_str().rsplit('-').next()?.parse::<usize>().ok(),
            _ => None,
        };
        assert!(records.iter().filter_map(number).eq(1..=10_000), "events are numbered in order of time");
        assert!(last < config(1).end && last > config(1).end.plus_seconds(-86_400));
    }

    #[test]
    fn every_event_meets_a_user_and_an_item_that_the_log_holds_by_then() {
        let (mut items, mut users, mut events) = (HashSet::new(), HashSet::new(), HashSet::new());
        for record in Marketplace::generate(&config(1)).unwrap().records {
            match record {
                LogRecord::ItemPut { item, .. } if item.available => assert!(items.insert(item.item_id)),
                LogRecord::ItemPut { item, .. } => assert!(items.remove(&item.item_id)),
                LogRecord::ItemDelete { item_id, .. } => assert!(items.remove(&item_id)),
                LogRecord::UserPut { user, .. } => assert!(users.insert(user.user_id)),
                LogRecord::UserDelete { .. } | LogRecord::ItemPatch { .. } | LogRecord::Erased { .. } => {
                    panic!("users stay, and items as they are")
                }
                LogRecord::Event(event) => {
                    assert!(items.contains(&event.item_id) && users.contains(&event.user_id));
                    assert!(events.insert(event.event_id.unwrap()));
                    assert!(event.request_id.is_some() && event.position.unwrap() < 10);
                    assert!(event.context.labels("device").count() == 1);
                    assert_eq!(event.value.is_some(), event.event_type == "rating");
                }
            }
        }
    }

    #[test]
    fn the_truth_of_a_marketplace_can_be_recomputed_without_its_events() {
        let market = Marketplace::generate(&config(1)).unwrap();
        let again = Truth::generate(&MarketConfig { events: 0, ..config(1) }).unwrap();
        for record in &market.records {
            if let LogRecord::Event(event) = record {
                let (user, item, at) = (&event.user_id, &event.item_id, event.timestamp);
                let preference = market.truth.preference(user, item, at).unwrap();
                assert!(preference > 0.0 && preference < 1.0);
                assert_eq!(again.preference(user, item, at), Some(preference));
            }
        }
    }

    #[test]
    fn a_config_out_of_range_is_refused() {
        let error = Marketplace::generate(&MarketConfig { users: 3, ..config(1) }).unwrap_err();
        assert_eq!(error.to_string(), "users: expected 10 to 1000000, got 3");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_size_seed_and_end_give_an_ordered_log_of_exactly_that_many_events(
            users in 10_usize..80, items in 10_usize..80, events in 0_usize..2_000, seed: u64, end in 0_i64..2_000_000_000,
        ) {
            let end = Timestamp::from_seconds(end).unwrap();
            let config = MarketConfig { users, items, events, seed, end };
            let records = Marketplace::generate(&config).unwrap().records;
            prop_assert_eq!(records.iter().filter(|record| matches!(record, LogRecord::Event(_))).count(), events);
            prop_assert!(records.is_sorted_by_key(LogRecord::timestamp));
            prop_assert!(records.iter().all(|r| config.start() <= r.timestamp() && r.timestamp() <= end));
        }
    }
}
