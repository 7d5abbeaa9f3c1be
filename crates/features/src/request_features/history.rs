use std::collections::HashMap;

use foldhash::fast::FixedState;
use shortlist_types::{ItemIdx, Timestamp};

use super::days_between;
use crate::portable_math::{exp2, ln};
use crate::user_state::Opinion;
use crate::{FeatureState, HalfLife, LabelIdx, UserState};

/// The user's latest items, wanted and unwanted each, that are looked at.
const ITEMS: usize = 200;
/// Items of everybody's taste that a user's starts with: one event is no certainty.
const PRIOR_ITEMS: f64 = 10.0;
/// The same for what he judged.
const PRIOR_JUDGED: f64 = 5.0;

/// What a user did last, by attribute text and number: the user's share of a request's features.
///
/// **Cost**: some 20 microseconds for 50 items, in proportion to the attribute texts of his latest 400 items.
#[derive(Debug, Default)]
pub(super) struct History {
    texts: HashMap<LabelIdx, TextHistory, FixedState>,
    /// Weight of all wanted items: each counts 1, then decayed at each half-life.
    weights: Weights,
    wanted: f64,
    unwanted: f64,
    /// Per numeric attribute: sum and count over wanted items, in standard deviations of the catalogue.
    numbers: Vec<(f64, f64)>,
    /// Means over wanted items of ln(1 + users who ever wanted it) and ln(1 + days since it appeared).
    means: Option<(f64, f64)>,
}

/// Undecayed, then at each half-life.
type Weights = [f64; 5];

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct TextHistory {
    wanted: Weights,
    judged_wanted: f64,
    judged_unwanted: f64,
}

/// Which of [`Weights`].
fn slot(half_life: Option<HalfLife>) -> usize {
    half_life.map_or(0, |half_life| half_life as usize + 1)
}

impl History {
    pub(super) fn of(state: &FeatureState, user: &UserState, now: Timestamp) -> Self {
        let wanted = user.latest_of(Opinion::Wanted, ITEMS);
        let texts = HashMap::with_capacity_and_hasher(wanted.len() * 4, FixedState::default());
        let mut history = Self { texts, ..Self::default() };
        let (mut popularity, mut age) = (0.0, 0.0);
        for entry in wanted {
            let Some((item, stats)) = state.catalog().get(entry.item).zip(state.item_stats(entry.item)) else {
                continue;
            };
            let days = days_between(entry.time, now);
            let mut weights = [1.0; 5];
            for (weight, half_life) in weights[1..].iter_mut().zip(HalfLife::DAYS) {
                *weight = exp2(-days / f64::from(half_life));
            }
            let add = |sums: &mut Weights| sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
            for label in &item.labels {
                let text = history.texts.entry(*label).or_default();
                add(&mut text.wanted);
                text.judged_wanted += 1.0;
            }
            add(&mut history.weights);
            history.wanted += 1.0;
            for number in &item.numbers {
                let slot = usize::from(number.0);
                if history.numbers.len() <= slot {
                    history.numbers.resize(slot + 1, (0.0, 0.0));
                }
                history.numbers[slot].0 += state.catalog().standardised(*number);
                history.numbers[slot].1 += 1.0;
            }
            popularity += ln(1.0 + f64::from(stats.wanted.ever()));
            age += ln(1.0 + days_between(item.first_seen, now));
        }
        history.means = (history.wanted > 0.0).then(|| (popularity / history.wanted, age / history.wanted));
        for entry in user.latest_of(Opinion::Unwanted, ITEMS) {
            for label in state.catalog().get(entry.item).map_or(&[][..], |item| &item.labels) {
                history.texts.entry(*label).or_default().judged_unwanted += 1.0;
            }
            history.unwanted += 1.0;
        }
        history
    }

    /// What he did last with items that carry `text`.
    pub(super) fn text(&self, text: LabelIdx) -> TextHistory {
        self.texts.get(&text).copied().unwrap_or_default()
    }

    /// His share of a text / everybody's.
    pub(super) fn affinity(&self, text: &TextHistory, everybody: f64, half_life: Option<HalfLife>) -> f64 {
        let slot = slot(half_life);
        (text.wanted[slot] / everybody + PRIOR_ITEMS) / (self.weights[slot] + PRIOR_ITEMS)
    }

    /// The share that he wanted of what he judged with a text / of all that he judged; `everybody` is that
    /// share for all users.
    pub(super) fn liking(&self, text: &TextHistory, everybody: f64) -> f64 {
        let judged = self.wanted + self.unwanted;
        let usual = (self.wanted + PRIOR_JUDGED * everybody) / (judged + PRIOR_JUDGED);
        let here = text.judged_wanted + text.judged_unwanted;
        (text.judged_wanted / usual + PRIOR_JUDGED) / (here + PRIOR_JUDGED)
    }

    /// Mean over his wanted items of a numeric attribute, in standard deviations.
    pub(super) fn mean_number(&self, attribute: u16) -> Option<f64> {
        self.numbers.get(usize::from(attribute)).filter(|(_, n)| *n > 0.0).map(|(sum, n)| sum / n)
    }

    /// Means over his wanted items of ln(1 + users who ever wanted it) and ln(1 + days since it appeared).
    pub(super) fn means(&self) -> Option<(f64, f64)> {
        self.means
    }
}

/// How often each item stands among the user's latest impressions.
pub(super) fn times_shown(user: &UserState) -> HashMap<ItemIdx, u32, FixedState> {
    let mut times = HashMap::default();
    user.shown().for_each(|item| *times.entry(item).or_default() += 1);
    times
}
