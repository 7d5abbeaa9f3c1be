//! A default-size marketplace has something to learn, and a service can tell when it learned it.
//!
//! `cargo nextest run -p shortlist-simulator --no-capture` prints the measured numbers.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test of its own crate, where clippy cannot tell")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;
use std::time::Instant;

use shortlist_simulator::{LOG_DAYS, MarketConfig, Marketplace};
use shortlist_types::{Event, ItemId, LogRecord, Timestamp, UserId};

static CONFIG: LazyLock<MarketConfig> =
    LazyLock::new(|| MarketConfig::new(42, Timestamp::parse("2026-06-01T00:00:00Z").unwrap()));
static MARKET: LazyLock<Marketplace> = LazyLock::new(|| {
    let start = Instant::now();
    let market = Marketplace::generate(&CONFIG).unwrap();
    println!("generated {} records in {:?}", market.records.len(), start.elapsed());
    market
});

fn events() -> impl Iterator<Item = &'static Event> {
    MARKET.records.iter().filter_map(|record| match record {
        LogRecord::Event(event) => Some(event),
        _ => None,
    })
}

/// The last ten days are held out.
fn cut() -> Timestamp {
    CONFIG.end.plus_seconds(-10 * 86_400)
}

/// Clicks per item in the days before the cut.
fn popularity() -> HashMap<&'static ItemId, f64> {
    let mut clicks = HashMap::new();
    for event in events().filter(|event| event.event_type == "click" && event.timestamp < cut()) {
        *clicks.entry(&event.item_id).or_insert(0.0) += 1.0;
    }
    clicks
}

/// A number from 0 to 1 that follows from an id and nothing else.
fn luck(id: &str) -> f64 {
    let hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

#[test]
fn counts_per_type_are_plausible() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    events().for_each(|event| *counts.entry(&event.event_type).or_default() += 1);
    println!("{counts:?}");
    assert_eq!(counts.values().sum::<usize>(), CONFIG.events);
    let rate = |a: &str, b: &str| counts[a] as f64 / counts[b] as f64;
    assert!((0.05..0.20).contains(&rate("click", "impression")), "{counts:?}");
    assert!((0.02..0.20).contains(&rate("purchase", "click")), "{counts:?}");
    assert!((0.05..0.35).contains(&rate("like", "click")), "{counts:?}");
    assert!((0.05..0.20).contains(&rate("rating", "click")), "{counts:?}");
    assert!((0.001..0.02).contains(&rate("hide", "impression")), "{counts:?}");
    assert!((0.2..1.2).contains(&rate("view", "click")), "{counts:?}");
}

#[test]
fn truth_beats_popularity_and_popularity_beats_chance_on_held_out_impressions() {
    let clicks: HashSet<_> = events()
        .filter(|event| event.event_type == "click")
        .map(|event| (event.request_id.as_ref(), &event.item_id))
        .collect();
    let mut shown: BTreeMap<&UserId, Vec<&Event>> = BTreeMap::new();
    for event in events().filter(|event| event.event_type == "impression" && event.timestamp >= cut()) {
        shown.entry(&event.user_id).or_default().push(event);
    }
    let popularity = popularity();
    let truth = |event: &Event| MARKET.truth.preference(&event.user_id, &event.item_id, event.timestamp).unwrap();
    let popular = |event: &Event| popularity.get(&event.item_id).copied().unwrap_or(0.0);
    let chance = |event: &Event| luck(event.event_id.as_ref().unwrap().as_str());
    // The click rate of the fifth of each user's impressions that an order puts first.
    let rate = |score: &dyn Fn(&Event) -> f64| {
        let (mut clicked, mut all) = (0, 0);
        for impressions in shown.values().filter(|impressions| impressions.len() >= 20) {
            let mut ranked: Vec<_> = impressions.iter().map(|event| (score(event), event)).collect();
            ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
            ranked.truncate(impressions.len() / 5);
            all += ranked.len();
            clicked += ranked.iter().filter(|(_, e)| clicks.contains(&(e.request_id.as_ref(), &e.item_id))).count();
        }
        clicked as f64 / all as f64
    };
    let (truth, popular, chance) = (rate(&truth), rate(&popular), rate(&chance));
    println!("click rates: truth {truth:.3}, popularity {popular:.3}, chance {chance:.3}");
    assert!(truth > 1.3 * popular && popular > 1.15 * chance, "{truth} {popular} {chance}");
}

#[test]
fn over_the_whole_catalogue_the_best_beat_the_popular_and_the_popular_beat_the_average() {
    let at = cut();
    let popularity = popularity();
    let mut popular: Vec<_> = popularity.iter().map(|(item, clicks)| (*clicks, *item)).collect();
    popular.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let (mut best, mut top, mut average, mut users) = (0.0, 0.0, 0.0, 0.0);
    for n in (1..=CONFIG.users).step_by(20) {
        let user = UserId::parse(&format!("user-{n}")).unwrap();
        let all = MARKET.truth.best(&user, usize::MAX, at, &|_| true);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let values: Vec<f64> = all.iter().map(|(_, p)| *p).collect();
        let popular: Vec<f64> =
            popular.iter().filter_map(|(_, item)| MARKET.truth.preference(&user, item, at)).take(10).collect();
        best += mean(&values[..10]);
        top += mean(&popular);
        average += mean(&values);
        users += 1.0;
    }
    let (best, top, average) = (best / users, top / users, average / users);
    println!("mean preference: best {best:.3}, popular {top:.3}, average {average:.3}");
    assert!(best > 1.5 * top && top > 1.3 * average, "{best} {top} {average}");
}

#[test]
fn users_rarely_consume_an_item_twice_and_pages_are_clicked_less_further_down() {
    let clicks: Vec<&Event> = events().filter(|event| event.event_type == "click").collect();
    let pairs: HashSet<_> = clicks.iter().map(|event| (&event.user_id, &event.item_id)).collect();
    assert!(pairs.len() as f64 > 0.99 * clicks.len() as f64, "{} of {}", pairs.len(), clicks.len());
    let at = |position| clicks.iter().filter(|event| event.position == Some(position)).count() as f64;
    assert!(at(0) > 1.4 * at(4) && at(4) > 1.1 * at(9), "{} {} {}", at(0), at(4), at(9));
}

#[test]
fn the_log_is_spread_over_users_items_and_days() {
    let mut per_user: HashMap<&UserId, usize> = HashMap::new();
    let mut per_item: HashMap<&ItemId, usize> = HashMap::new();
    let mut days = HashSet::new();
    for event in events() {
        *per_user.entry(&event.user_id).or_default() += 1;
        *per_item.entry(&event.item_id).or_default() += usize::from(event.event_type == "impression");
        days.insert(event.timestamp.as_micros().div_euclid(86_400_000_000));
    }
    let busiest_item = per_item.values().max().unwrap();
    let busiest_user = per_user.values().max().unwrap();
    println!("{} users, busiest {busiest_user}; {} items, most shown {busiest_item}", per_user.len(), per_item.len());
    let (users, items) = (shortlist_simulator::USERS_DEFAULT, shortlist_simulator::ITEMS_DEFAULT);
    assert!(per_user.len() > users * 8 / 10 && per_item.len() > items * 93 / 100);
    assert_eq!(days.len(), LOG_DAYS as usize);
    // At most 2 % of all events for one item, 3 % for one user.
    assert!(busiest_item * 50 < events().count() && busiest_user * 33 < events().count());
}
