use shortlist_types::{ItemIdx, Timestamp};

use crate::feature::FEATURES;
use crate::state::{DAY_PARTS, day_part};
use crate::{CatalogItem, FeatureState, LabelIdx, UserState};

/// Users whose opinion a rate starts with before anybody spoke: keeps one event from looking like certainty.
const PRIOR_USERS: f64 = 10.0;
/// The same for attribute texts in a user's history.
const PRIOR_ITEMS: f64 = 10.0;
/// The user's latest items that affinities look at.
const AFFINITY_ITEMS: usize = 200;
/// Added to a feature's standard deviation: one that is the same for all candidates becomes 0.
const SPREAD_MIN: f64 = 1e-3;
/// Relative spread below which a feature is the same for all candidates.
const ROUNDING: f64 = 1e-6;
/// Farthest that a feature may lie from the request's mean, in standard deviations: one odd candidate
/// must not decide a list by a feature that hardly varied when the ranker was trained.
const RELATIVE_MAX: f64 = 8.0;
const DAY_SECONDS: f64 = 86_400.0;

/// What the first stage says about one candidate.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RetrievalSignals {
    /// Inner product of the user's vector with the item's; 0 without vectors.
    pub score: f32,
    /// Rank by that score among the candidates, from 0.
    pub rank: u32,
    /// Whether the model has a vector for the item.
    pub known: bool,
    /// Cosine with the item wanted last.
    pub similarity_latest: f32,
    /// Mean cosine with the items wanted last.
    pub similarity_mean: f32,
    /// Greatest cosine with the items wanted last.
    pub similarity_max: f32,
}

/// Features of one request: the user's share is computed once, then one row per candidate.
///
/// Rows are raw first; [`RequestFeatures::standardise`] then tells every feature relative to the
/// request's candidates, which is what a ranker reads: a popular item among popular ones is nothing
/// special, and what is the same for all candidates of a request cannot order them.
///
/// **Cost**: 20 microseconds or so to start, in proportion to the attribute texts of the user's latest
/// 200 items; about a microsecond per candidate with five attributes, similarities included (`cargo bench --bench ranking`).
#[derive(Debug)]
pub struct RequestFeatures<'a> {
    state: &'a FeatureState,
    user: &'a UserState,
    now: Timestamp,
    day_part: usize,
    /// Per label of his items, ascending: ln(user's share / everybody's share).
    affinity: Vec<(LabelIdx, f64)>,
    /// The same for every other label.
    affinity_elsewhere: f64,
    /// Per numeric attribute: sum and count over the user's items, standardised.
    numbers: Vec<(f64, f64)>,
}

impl<'a> RequestFeatures<'a> {
    /// Prepares the features of `user` at `now`.
    pub fn new(state: &'a FeatureState, user: &'a UserState, now: Timestamp) -> Self {
        let (affinity, numbers) = (Vec::new(), Vec::new());
        let mut features =
            Self { state, user, now, day_part: day_part(now), affinity, affinity_elsewhere: 0.0, numbers };
        features.read_history();
        features
    }

    fn read_history(&mut self) {
        let wanted = self.user.wanted();
        let latest: Vec<&CatalogItem> =
            wanted.iter().take(AFFINITY_ITEMS).filter_map(|entry| self.state.catalog().get(entry.item)).collect();
        let mut labels: Vec<LabelIdx> = latest.iter().flat_map(|item| item.labels.iter().copied()).collect();
        labels.sort_unstable();
        let total = self.state.totals().positives as f64;
        let items = latest.len() as f64;
        self.affinity = labels
            .chunk_by(|a, b| a == b)
            .map(|same| {
                let everybody = share(self.state.label_users(same[0]), total);
                let user = (same.len() as f64 + PRIOR_ITEMS * everybody) / (items + PRIOR_ITEMS);
                (same[0], libm::log(user / everybody))
            })
            .collect();
        // What the prior alone leaves of everybody's share: the same for every text he has no item of.
        self.affinity_elsewhere = libm::log(PRIOR_ITEMS / (items + PRIOR_ITEMS));
        for number in latest.iter().flat_map(|item| &item.numbers) {
            let slot = number.0 as usize;
            if self.numbers.len() <= slot {
                self.numbers.resize(slot + 1, (0.0, 0.0));
            }
            self.numbers[slot].0 += self.state.catalog().standardised(*number);
            self.numbers[slot].1 += 1.0;
        }
    }

    /// Number of features in a row.
    pub fn width() -> usize {
        FEATURES.len()
    }

    /// Writes the raw features of one candidate, in the order of [`FEATURES`].
    ///
    /// **Shapes**: `row` has [`Self::width`] entries; a shorter one is filled as far as it goes. All
    /// values are finite. An item that the state does not know gets zeros but for retrieval.
    pub fn write(&self, item: ItemIdx, retrieval: &RetrievalSignals, row: &mut [f32]) {
        let state = self.state;
        let (Some(entry), Some(stats)) = (state.catalog().get(item), state.item_stats(item)) else {
            row.fill(0.0);
            return;
        };
        let days_since = |time: Timestamp| (self.now.seconds_since(time) / DAY_SECONDS).max(0.0);
        let [week, month, quarter] = [0, 1, 2].map(|which| stats.popularity(which, self.now));
        let users = f64::from(stats.users_positive);
        let all = self.state.totals().positives;
        let values: [f64; FEATURES.len()] = [
            f64::from(retrieval.score),
            libm::log1p(f64::from(retrieval.rank)),
            f64::from(u8::from(retrieval.known)),
            f64::from(retrieval.similarity_latest),
            f64::from(retrieval.similarity_mean),
            f64::from(retrieval.similarity_max),
            libm::log(0.1 + week),
            libm::log(0.1 + month),
            libm::log(0.1 + quarter),
            libm::log1p(users),
            libm::log((1.0 + month) / (5.0 + users)),
            self.positive_rate(stats.users_positive, stats.users_negative),
            self.take_rate(stats.users_positive, stats.impressions),
            libm::log1p(days_since(entry.first_seen)),
            libm::log1p(days_since(stats.last_positive.unwrap_or(entry.first_seen))),
            self.affinity(entry),
            self.number_distance(entry),
            self.state.audience().affinity(item, stats.users_positive, all, &self.user.labels),
            self.day_part_affinity(entry),
            libm::log1p(self.user.times_shown(item) as f64),
        ];
        for (slot, value) in row.iter_mut().zip(values) {
            *slot = narrow(value);
        }
    }

    /// Tells each feature of `rows` relative to the request: minus the mean of the first `candidates`
    /// rows, by their standard deviation. Rows beyond them are told on the same scale.
    ///
    /// **Shapes**: `rows` is n x [`Self::width`], row-major; sums run in order of rows, in doubles.
    pub fn standardise(rows: &mut [f32], candidates: usize) {
        let width = Self::width();
        let n = (rows.len() / width).min(candidates).max(1) as f64;
        let mut means = [0.0_f64; FEATURES.len()];
        let mut squares = [0.0_f64; FEATURES.len()];
        for row in rows.chunks_exact(width).take(candidates) {
            for (mean, value) in means.iter_mut().zip(row) {
                *mean += f64::from(*value) / n;
            }
        }
        for row in rows.chunks_exact(width).take(candidates) {
            for ((square, mean), value) in squares.iter_mut().zip(&means).zip(row) {
                *square += (f64::from(*value) - mean) * (f64::from(*value) - mean) / n;
            }
        }
        for row in rows.chunks_exact_mut(width) {
            for ((value, mean), square) in row.iter_mut().zip(&means).zip(&squares) {
                let spread = square.sqrt();
                // What is left of a constant is rounding, and a ranker would learn from it.
                let varies = spread > ROUNDING * (mean.abs() + 1.0);
                let relative = (f64::from(*value) - mean) / (spread + SPREAD_MIN);
                *value = if varies { narrow(relative.clamp(-RELATIVE_MAX, RELATIVE_MAX)) } else { 0.0 };
            }
        }
    }

    fn positive_rate(&self, positive: u32, negative: u32) -> f64 {
        let totals = self.state.totals();
        let mean = share(totals.positives, (totals.positives + totals.negatives) as f64);
        let (positive, negative) = (f64::from(positive), f64::from(negative));
        let rate = (positive + PRIOR_USERS * mean) / (positive + negative + PRIOR_USERS);
        libm::log(rate / (1.0 - rate).max(1e-6)) - libm::log(mean / (1.0 - mean).max(1e-6))
    }

    fn take_rate(&self, positive: u32, impressions: u32) -> f64 {
        let totals = self.state.totals();
        if totals.impressions == 0 {
            return 0.0;
        }
        let mean = share(totals.positives, totals.impressions as f64);
        let prior = PRIOR_USERS / mean;
        let rate = (f64::from(positive) + PRIOR_USERS) / (f64::from(impressions) + prior);
        libm::log(rate / mean)
    }

    fn affinity(&self, item: &CatalogItem) -> f64 {
        let of_label = |label: &LabelIdx| match self.affinity.binary_search_by_key(label, |(known, _)| *known) {
            Ok(position) => self.affinity[position].1,
            Err(_) => self.affinity_elsewhere,
        };
        let sum: f64 = item.labels.iter().map(of_label).sum();
        sum / item.labels.len().max(1) as f64
    }

    fn number_distance(&self, item: &CatalogItem) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for number in &item.numbers {
            let Some((total, n)) = self.numbers.get(number.0 as usize).filter(|(_, n)| *n > 0.0) else { continue };
            sum += (self.state.catalog().standardised(*number) - total / n).abs().min(10.0);
            count += 1.0;
        }
        if count > 0.0 { sum / count } else { 0.0 }
    }

    fn day_part_affinity(&self, item: &CatalogItem) -> f64 {
        if item.labels.is_empty() {
            return 0.0;
        }
        let totals = self.state.totals();
        let part_total = totals.positives_by_day_part[self.day_part] as f64;
        let mean_part = share(totals.positives_by_day_part[self.day_part], totals.positives as f64);
        let sum: f64 = item
            .labels
            .iter()
            .map(|label| {
                let counts: &[u32; DAY_PARTS] = &self.state.label_positives()[label.0 as usize];
                let all: f64 = counts.iter().map(|n| f64::from(*n)).sum();
                let here = f64::from(counts[self.day_part]);
                let rate = (here + PRIOR_USERS * mean_part) / (all + PRIOR_USERS);
                libm::log(rate / mean_part)
            })
            .sum();
        if part_total > 0.0 { sum / item.labels.len() as f64 } else { 0.0 }
    }
}

/// `part / total`, held away from 0 so that its logarithm is finite.
fn share(part: u64, total: f64) -> f64 {
    (part as f64 + 0.5) / (total + 1.0)
}

#[allow(clippy::cast_possible_truncation)] // every value is a logarithm, a share or a bounded distance
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use proptest::prelude::*;
    use shortlist_types::{Attributes, Event, EventTypes, Item, ItemId, LogRecord, LogSeq, UserId};

    fn event(user: u8, item: u8, event_type: &str, second: i64) -> LogRecord {
        LogRecord::Event(Event {
            event_id: None,
            user_id: UserId::parse(&format!("u{user}")).unwrap(),
            item_id: ItemId::parse(&format!("i{item}")).unwrap(),
            event_type: event_type.to_owned(),
            value: None,
            timestamp: Timestamp::from_seconds(second).unwrap(),
            request_id: None,
            position: None,
            context: Attributes::default(),
        })
    }

    fn item(id: u8, json: &str) -> LogRecord {
        let attributes = serde_json::from_str(json).unwrap();
        let item = Item { item_id: ItemId::parse(&format!("i{id}")).unwrap(), attributes, available: true };
        LogRecord::ItemPut { timestamp: Timestamp::EPOCH, item }
    }

    fn fold(records: &[LogRecord]) -> FeatureState {
        let mut state = FeatureState::new(Arc::new(EventTypes::default()));
        for (seq, record) in (1..).zip(records) {
            state.apply(LogSeq(seq), record).unwrap();
        }
        state
    }

    fn row(state: &FeatureState, user: &UserState, item: u32, second: i64) -> Vec<f32> {
        let mut row = vec![f32::NAN; RequestFeatures::width()];
        let now = Timestamp::from_seconds(second).unwrap();
        RequestFeatures::new(state, user, now).write(ItemIdx(item), &RetrievalSignals::default(), &mut row);
        row
    }

    fn feature(row: &[f32], name: &str) -> f32 {
        row[FEATURES.iter().position(|(known, _)| *known == name).unwrap()]
    }

    #[test]
    fn a_user_leans_to_the_texts_and_numbers_of_what_he_wants() {
        let mut records = vec![
            item(0, r#"{"genre":["western"],"price":10}"#),
            item(1, r#"{"genre":["western"],"price":12}"#),
            item(2, r#"{"genre":["romance"],"price":900}"#),
            item(3, r#"{"genre":["romance"],"price":1000}"#),
        ];
        records.extend([event(1, 0, "click", 10), event(2, 3, "click", 10)]);
        let state = fold(&records);
        let user = state.user("u1").unwrap();
        let (western, romance) = (row(&state, user, 1, 20), row(&state, user, 2, 20));
        assert!(feature(&western, "affinity") > 0.0 && feature(&romance, "affinity") < 0.0);
        assert!(feature(&western, "number_distance") < feature(&romance, "number_distance"));
    }

    #[test]
    fn an_unknown_item_gets_zeros() {
        let state = fold(&[event(1, 1, "click", 1)]);
        assert!(row(&state, &UserState::default(), 99, 5).iter().all(|x| x.to_bits() == 0));
    }

    #[test]
    fn standardised_features_have_mean_0_and_deviation_1_and_constant_ones_are_0() {
        let width = RequestFeatures::width();
        let mut rows = vec![5.0; 4 * width];
        for (row, value) in rows.chunks_exact_mut(width).zip([1.0, 2.0, 3.0, 10.0]) {
            row[0] = value;
        }
        RequestFeatures::standardise(&mut rows, 3);
        let first: Vec<f32> = rows.iter().step_by(width).copied().collect();
        assert!((first[0] + 1.2247).abs() < 0.01 && first[1].abs() < 1e-6, "{first:?}");
        assert_eq!(first[3].to_bits(), 8.0_f32.to_bits(), "one odd row is held");
        assert!(rows.iter().skip(1).step_by(width).all(|x| x.to_bits() == 0), "a constant leaves nothing");
    }

    fn any_record() -> impl Strategy<Value = LogRecord> {
        let times = prop_oneof![0..2_000_000_000_i64, Just(-62_135_596_800), Just(253_370_764_799)];
        let events = (0..6_u8, 0..9_u8, 0..7_usize, times).prop_map(|(user, id, kind, time)| {
            let kind = EventTypes::default().iter().nth(kind).unwrap().0.to_owned();
            event(user, id, &kind, time)
        });
        let numbers = any::<f64>().prop_filter("JSON has finite numbers only", |x| x.is_finite());
        let items = (0..9_u8, "[a-c]", numbers)
            .prop_map(|(id, label, number)| item(id, &format!(r#"{{"genre":["{label}"],"n":{number:?},"b":true}}"#)));
        prop_oneof![4 => events, 1 => items]
    }

    proptest! {
        #[test]
        fn features_are_finite_for_any_log(records in prop::collection::vec(any_record(), 1..60), second in 0..2_000_000_000_i64) {
            let state = fold(&records);
            let empty = UserState::default();
            for user in ["u0", "u1", "u2"].map(|id| state.user(id).unwrap_or(&empty)) {
                for item in 0..10 {
                    let row = row(&state, user, item, second);
                    prop_assert!(row.iter().all(|x| x.is_finite()), "{row:?}");
                }
            }
        }
    }
}
