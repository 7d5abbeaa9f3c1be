use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::config::{LOG_DAYS, MICROS_PER_DAY};
use crate::cumulative_table::CumulativeTable;
use crate::logging_policy::LoggingPolicy;
use crate::outcome::{EventKind, answer};
use crate::population::SimUser;
use crate::words::CATEGORIES;
use crate::{MarketConfig, Truth};

/// Places on a page.
const PAGE: usize = 10;
/// Chance that a session goes on to another page, up to this many.
const NEXT_PAGE_CHANCE: f64 = 0.4;
const PAGES_MAX: usize = 4;
/// Draws that a place is worth before it stays empty, and draws that avoid what the user consumed.
const DRAWS_PER_PLACE: usize = 24;
const DRAWS_AVOIDING_CONSUMED: usize = 20;
/// How long after he joined a user first comes.
const FIRST_VISIT_DELAY_MICROS: i64 = 60 * 1_000_000;
/// Events that a session is thought to bring before any was seen.
const SESSION_EVENTS_GUESS: f64 = 20.0;

/// An event before it gets its texts: small, so that sorting them is cheap.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draft {
    pub(crate) micros: i64,
    pub(crate) user: u32,
    pub(crate) item: u32,
    pub(crate) kind: EventKind,
    pub(crate) stars: Option<f32>,
    pub(crate) request: u32,
    pub(crate) position: u32,
    pub(crate) device: usize,
}

/// What the marketplace remembers of one user.
#[derive(Debug, Clone, Default)]
struct Memory {
    /// Ascending.
    consumed: Vec<u32>,
    clicks: [u16; CATEGORIES.len()],
}

/// Plays sixty days of sessions.
pub(crate) struct Simulation<'a> {
    truth: &'a Truth,
    policy: LoggingPolicy,
    memories: Vec<Memory>,
    random: ChaCha8Rng,
    drafts: Vec<Draft>,
    events: usize,
    sessions: usize,
    requests: u32,
    end_micros: i64,
}

impl<'a> Simulation<'a> {
    /// Exactly `config.events` events in order of time.
    ///
    /// **Cost**: O(events log events + days x items log items).
    pub(crate) fn run(truth: &'a Truth, config: &MarketConfig) -> Vec<Draft> {
        let mut simulation = Self::new(truth, config);
        for day in 0..LOG_DAYS {
            simulation.day(day);
        }
        // Stable: what happened in the same microsecond stays in the order of its causes.
        simulation.drafts.sort_by_key(|draft| draft.micros);
        simulation.drafts
    }

    fn new(truth: &'a Truth, config: &MarketConfig) -> Self {
        // The truth takes the streams from 0 to 2.
        let mut random = ChaCha8Rng::seed_from_u64(config.seed);
        random.set_stream(3);
        Self {
            truth,
            policy: LoggingPolicy::new(config.items),
            memories: vec![Memory::default(); config.users],
            random,
            drafts: Vec::with_capacity(config.events),
            events: config.events,
            sessions: 0,
            requests: 0,
            end_micros: config.end.as_micros(),
        }
    }

    /// Plays sessions until the day has its share of the events.
    fn day(&mut self, day: u32) {
        let users = self.truth.users();
        let first = f64::from(day);
        self.policy.refresh(self.truth.items(), first);
        let weight = |user: &SimUser| if user.joined <= first { user.activity } else { 0.0 };
        let visitors = CumulativeTable::new(users.iter().map(weight));
        let joins = |user: &usize| first < users[*user].joined && users[*user].joined < first + 1.0;
        let mut newcomers: Vec<usize> = (0..users.len()).filter(joins).collect();
        let target = (self.events as f64 * (first + 1.0) / f64::from(LOG_DAYS)).round() as usize;
        while self.drafts.len() < target {
            let per_session = (self.drafts.len() as f64 + SESSION_EVENTS_GUESS) / (self.sessions as f64 + 1.0);
            let count = ((target - self.drafts.len()) as f64 / per_session).ceil() as usize;
            for (micros, user) in self.starts(day, count, &visitors, &mut newcomers) {
                self.session(user, micros);
            }
        }
    }

    /// Time and user of `count` sessions of a day, in order of time. Who joins today comes at once.
    fn starts(
        &mut self,
        day: u32,
        count: usize,
        visitors: &CumulativeTable,
        newcomers: &mut Vec<usize>,
    ) -> Vec<(i64, usize)> {
        let users = self.truth.users();
        let day_micros = self.truth.start().as_micros() + i64::from(day) * MICROS_PER_DAY;
        let mut start = || {
            if let Some(user) = newcomers.pop() {
                let since_start = (users[user].joined * MICROS_PER_DAY as f64) as i64;
                return (self.truth.start().as_micros() + since_start + FIRST_VISIT_DELAY_MICROS, user);
            }
            let user = visitors.draw(&mut self.random).unwrap_or(0);
            let hour_micros = (users[user].draw_hour(&mut self.random) * 3.6e9) as i64;
            // The log's days need not begin at midnight: this is when the hour next comes.
            (day_micros + (hour_micros - day_micros).rem_euclid(MICROS_PER_DAY), user)
        };
        let mut starts: Vec<(i64, usize)> = (0..count).map(|_| start()).collect();
        starts.sort_unstable();
        starts
    }

    /// One visit: a page, and more while he likes to go on.
    fn session(&mut self, user: usize, start_micros: i64) {
        self.sessions += 1;
        let device = self.truth.users()[user].draw_device(&mut self.random);
        let mut micros = start_micros;
        for _ in 0..PAGES_MAX {
            micros = self.page(user, device, micros) + seconds(self.random.random_range(3.0..20.0));
            if !self.random.random_bool(NEXT_PAGE_CHANCE) {
                return;
            }
        }
    }

    /// Shows a page and records what the user does with it; returns when he is through.
    fn page(&mut self, user: usize, device: usize, start_micros: i64) -> i64 {
        let request = self.requests;
        self.requests += 1;
        let shown = self.compose(user, self.day_at(start_micros));
        let draft = |position: usize, item, kind, stars, micros| {
            let (user, position) = (user as u32, position as u32);
            Draft { micros, user, item, kind, stars, request, position, device }
        };
        for (position, &item) in shown.iter().enumerate() {
            self.record(draft(position, item, EventKind::Impression, None, start_micros));
        }
        let mut micros = start_micros;
        for (position, &item) in shown.iter().enumerate() {
            let preference = self.truth.chance(user, item as usize, self.day_at(micros));
            for action in answer(preference, position, &mut self.random) {
                micros += seconds(action.delay_seconds);
                self.record(draft(position, item, action.kind, action.stars, micros));
            }
        }
        micros
    }

    /// The items of a page, in order of position: none twice, and none that the user consumed
    /// unless nothing else comes up.
    fn compose(&mut self, user: usize, day: f64) -> Vec<u32> {
        let memory = &self.memories[user];
        let most = memory.clicks.iter().copied().max().filter(|&clicks| clicks > 0);
        let favourite = most.and_then(|most| memory.clicks.iter().position(|&clicks| clicks == most));
        let mut shown = Vec::with_capacity(PAGE);
        for _ in 0..PAGE {
            for attempt in 0..DRAWS_PER_PLACE {
                let Some(item) = self.policy.draw(favourite, &mut self.random) else { continue };
                let fits = attempt >= DRAWS_AVOIDING_CONSUMED || memory.consumed.binary_search(&item).is_err();
                if fits && !shown.contains(&item) && self.truth.items()[item as usize].on_sale(day) {
                    shown.push(item);
                    break;
                }
            }
        }
        shown
    }

    /// Takes an event into the log, unless the log is full or over, or the item has left.
    fn record(&mut self, draft: Draft) {
        let item = &self.truth.items()[draft.item as usize];
        let is_over = self.drafts.len() == self.events || draft.micros >= self.end_micros;
        if is_over || !item.on_sale(self.day_at(draft.micros)) {
            return;
        }
        let memory = &mut self.memories[draft.user as usize];
        if draft.kind == EventKind::Click {
            self.policy.record_click(draft.item);
            memory.clicks[item.category] = memory.clicks[item.category].saturating_add(1);
        }
        if draft.kind.consumes()
            && let Err(place) = memory.consumed.binary_search(&draft.item)
        {
            memory.consumed.insert(place, draft.item);
        }
        self.drafts.push(draft);
    }

    fn day_at(&self, micros: i64) -> f64 {
        (micros - self.truth.start().as_micros()) as f64 / MICROS_PER_DAY as f64
    }
}

/// Seconds as microseconds.
fn seconds(seconds: f64) -> i64 {
    (seconds * 1e6) as i64
}

#[cfg(test)]
mod tests {
    use shortlist_types::Timestamp;

    use super::*;

    fn config(users: usize, items: usize, events: usize) -> MarketConfig {
        let end = Timestamp::parse("2026-06-01T09:30:00Z").unwrap();
        MarketConfig { users, items, events, ..MarketConfig::new(11, end) }
    }

    fn run(users: usize, items: usize, events: usize) -> (Truth, Vec<Draft>) {
        let config = config(users, items, events);
        let truth = Truth::generate(&config).unwrap();
        let drafts = Simulation::run(&truth, &config);
        (truth, drafts)
    }

    #[test]
    fn the_number_of_events_is_met_exactly_at_any_size() {
        for (users, items, events) in [(10, 10, 0), (10, 10, 1), (10, 10, 20_000), (2_000, 10, 777), (100, 500, 12_345)]
        {
            assert_eq!(run(users, items, events).1.len(), events, "{users} users, {items} items");
        }
    }

    #[test]
    fn events_fill_the_whole_log_evenly() {
        let (truth, drafts) = run(500, 500, 30_000);
        let mut days = vec![0_usize; LOG_DAYS as usize];
        for draft in &drafts {
            days[((draft.micros - truth.start().as_micros()) / MICROS_PER_DAY) as usize] += 1;
        }
        assert!(days.iter().all(|&count| (300..700).contains(&count)), "{days:?}");
    }

    #[test]
    fn nobody_acts_before_he_joined_nor_on_an_item_off_sale() {
        let (truth, drafts) = run(300, 400, 30_000);
        for draft in &drafts {
            let day = (draft.micros - truth.start().as_micros()) as f64 / MICROS_PER_DAY as f64;
            assert!(truth.users()[draft.user as usize].joined <= day);
            assert!(truth.items()[draft.item as usize].on_sale(day));
        }
        let late = drafts.iter().filter(|draft| truth.users()[draft.user as usize].joined > 0.0).count();
        assert!(late > 1_000, "{late}");
    }

    #[test]
    fn what_happens_after_the_end_is_not_recorded() {
        let config = config(10, 200, 1_000);
        let truth = Truth::generate(&config).unwrap();
        let mut simulation = Simulation::new(&truth, &config);
        simulation.policy.refresh(truth.items(), 59.0);
        for _ in 0..50 {
            simulation.session(0, config.end.as_micros() - 1);
        }
        assert!(simulation.drafts.len() > 400);
        assert!(simulation.drafts.iter().all(|draft| draft.kind == EventKind::Impression));
    }

    #[test]
    fn an_item_that_left_while_the_page_was_open_takes_no_events() {
        let config = config(10, 200, 1_000);
        let truth = Truth::generate(&config).unwrap();
        let mut simulation = Simulation::new(&truth, &config);
        let item = truth.items().iter().position(|item| item.departure.is_some()).unwrap();
        let left = truth.time(truth.items()[item].departure.unwrap().at).unwrap().as_micros();
        for micros in [left - 1_000, left + 1_000] {
            let (item, kind) = (item as u32, EventKind::Click);
            simulation.record(Draft { micros, user: 0, item, kind, stars: None, request: 0, position: 0, device: 0 });
        }
        assert_eq!(simulation.drafts.len(), 1);
    }

    #[test]
    fn no_page_shows_an_item_twice() {
        let (_, drafts) = run(50, 30, 10_000);
        let mut shown: Vec<_> = drafts
            .iter()
            .filter(|draft| draft.kind == EventKind::Impression)
            .map(|draft| (draft.request, draft.item))
            .collect();
        let count = shown.len();
        shown.sort_unstable();
        shown.dedup();
        assert_eq!(shown.len(), count);
    }
}
