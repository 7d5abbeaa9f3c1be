//! One feature of all candidates at a time.

use shortlist_types::{AttributeValue, Attributes, Timestamp};

use super::candidate_texts::CandidateText;
use super::{Gathered, Known, RequestFeatures, days_between};
use crate::attribute_key::AttributeKey;
use crate::audience::lift_of_item;
use crate::catalog::compress;
use crate::portable_math::ln;
use crate::schema::{FeatureKind, Take, TimePart, Weekday};
use crate::tally::age;
use crate::text_stats::{TextStats, day_part, hour, share, weekday};
use crate::{HalfLife, Tally};

/// Users whose opinion a rate starts with before anybody spoke: keeps one event from looking like certainty.
const PRIOR_USERS: f64 = 10.0;
/// Farthest distance between two numbers, in standard deviations.
const DISTANCE_MAX: f64 = 10.0;

impl RequestFeatures<'_> {
    /// Writes to `column` what `kind`, which is about items and no cross, says of each candidate; not yet
    /// relative.
    pub(super) fn fill(&self, kind: &FeatureKind, gathered: &Gathered<'_>, column: &mut [f64]) {
        use FeatureKind as Kind;
        let (state, now) = (self.state, self.now);
        let signals = gathered.candidates.all;
        let totals = state.totals();
        match kind {
            Kind::RetrievalScore {} => write(column, signals, |candidate| f64::from(candidate.score)),
            Kind::RetrievalRank {} => {
                write(column, signals, |candidate| 1.0 + f64::from(candidate.rank));
                gathered.logarithms.take(column);
            }
            Kind::RetrievalKnown {} => write(column, signals, |candidate| f64::from(u8::from(candidate.known))),
            Kind::Similarity { last, take } => {
                let count = usize::from(*last).min(gathered.candidates.similar_to);
                write(column, signals, |candidate| similarity(&candidate.cosines[..count], *take));
            }
            Kind::Wanted { half_life_days: None } => {
                write_ln(column, gathered, |known| 1.0 + f64::from(known.stats.wanted.ever()));
            }
            Kind::Wanted { half_life_days: Some(half_life) } => {
                let age = age(*half_life, now);
                write(column, gathered.known, |known| {
                    known.as_ref().map_or(f64::NEG_INFINITY, |known| known.stats.wanted.log2_recent(*half_life, age))
                });
                gathered.logarithms.take_of_powers(0.1, column);
            }
            Kind::Trend { half_life_days } => {
                write_ln(column, gathered, |known| {
                    let wanted = &known.stats.wanted;
                    (1.0 + wanted.recent(*half_life_days, now)) / (5.0 + f64::from(wanted.ever()))
                });
            }
            Kind::WantedRate { half_life_days } => {
                let mean = totals.all.share_wanted();
                write_ln(column, gathered, |known| {
                    let wanted = self.count(&known.stats.wanted, *half_life_days) + PRIOR_USERS * mean;
                    let unwanted = self.count(&known.stats.unwanted, *half_life_days) + PRIOR_USERS * (1.0 - mean);
                    (wanted / mean) / (unwanted / (1.0 - mean).max(1e-6)).max(1e-6)
                });
            }
            // Where no impressions are logged, there is no such rate.
            Kind::TakeRate { .. } if totals.shown.ever() == 0 => {}
            Kind::TakeRate { half_life_days } => {
                let mean = share(totals.all.wanted.ever(), f64::from(totals.shown.ever())).min(1.0);
                let prior = PRIOR_USERS / mean;
                write_ln(column, gathered, |known| {
                    let wanted = self.count(&known.stats.wanted, *half_life_days) + PRIOR_USERS;
                    wanted / mean / (self.count(&known.stats.shown, *half_life_days) + prior)
                });
            }
            Kind::ItemAge {} => {
                write_ln(column, gathered, |known| 1.0 + self.days_since(known.item.first_seen));
            }
            Kind::ItemIdle {} => {
                let since = |known: &Known<'_>| known.stats.last_wanted.unwrap_or(known.item.first_seen);
                write_ln(column, gathered, |known| 1.0 + self.days_since(since(known)));
            }
            Kind::TextTrend { attribute, half_life_days } => {
                let lately = totals.all.wanted.recent(*half_life_days, now);
                self.texts(attribute.as_deref(), gathered, column, |text| {
                    (text.stats.wanted.recent(*half_life_days, now) / text.share + PRIOR_USERS) / (lately + PRIOR_USERS)
                });
            }
            Kind::TextTime { attribute, part } => {
                let usual = share(self.now_count(&totals.all, *part), f64::from(totals.all.wanted.ever()));
                self.texts(attribute.as_deref(), gathered, column, |text| {
                    let here = f64::from(self.now_count(text.stats, *part));
                    (here / usual + PRIOR_USERS) / (f64::from(text.stats.wanted.ever()) + PRIOR_USERS)
                });
            }
            Kind::Affinity { attribute, half_life_days } => {
                self.texts(attribute.as_deref(), gathered, column, |text| {
                    self.history.affinity(&text.history, text.share, *half_life_days)
                });
            }
            Kind::Liking { attribute } => {
                let mean = totals.all.share_wanted();
                self.texts(attribute.as_deref(), gathered, column, |text| self.history.liking(&text.history, mean));
            }
            Kind::NumberDistance { attribute } => self.number_distance(attribute.as_deref(), gathered, column),
            Kind::Audience { attribute } => {
                let kinds = state.audience().kinds(&self.user.labels, attribute.as_deref());
                let all = f64::from(totals.all.wanted.ever());
                let counts = gathered.audiences.iter().zip(gathered.known);
                for (slot, (counts, known)) in column.iter_mut().zip(counts) {
                    let share = known.as_ref().map_or(0.0, |known| share(known.stats.wanted.ever(), all));
                    *slot = lift_of_item(counts, share, &kinds);
                }
                gathered.logarithms.take(column);
                mean_over(column, kinds.len());
            }
            Kind::TextAudience { attribute, half_life_days } => {
                let audience = state.audience();
                let kinds = audience.kinds(&self.user.labels, attribute.as_deref());
                self.texts(None, gathered, column, |text| match half_life_days {
                    None => audience.lift_of_text(text.label, text.share, &kinds),
                    Some(half_life) => audience.late_lift_of_text(text.label, *half_life, now, &kinds),
                });
                mean_over(column, kinds.len());
            }
            Kind::TimesShown {} => {
                write(column, signals, |candidate| {
                    1.0 + self.times_shown.get(&candidate.item).map_or(0.0, |times| f64::from(*times))
                });
                gathered.logarithms.take(column);
            }
            Kind::WantedGap {} => {
                let Some((mean, _)) = self.history.means() else { return };
                write_gap(column, gathered, mean, |known| 1.0 + f64::from(known.stats.wanted.ever()));
            }
            Kind::AgeGap {} => {
                let Some((_, mean)) = self.history.means() else { return };
                write_gap(column, gathered, mean, |known| 1.0 + self.days_since(known.item.first_seen));
            }
            Kind::ItemNumber { attribute } => {
                let Some(wanted) = state.catalog().number_attribute(attribute) else { return };
                write_known(column, gathered, |known| {
                    let number = known.item.numbers.iter().find(|(attribute, _)| *attribute == wanted);
                    number
                        .map_or(0.0, |number| state.catalog().standardised(*number).clamp(-DISTANCE_MAX, DISTANCE_MAX))
                });
            }
            Kind::ItemHas { attribute, value } => {
                let Some(label) = state.catalog().find_label(attribute, value) else { return };
                write_known(column, gathered, |known| {
                    f64::from(u8::from(known.item.labels.binary_search(&label).is_ok()))
                });
            }
            // About the request, or made of other columns.
            Kind::UserNumber { .. }
            | Kind::UserHas { .. }
            | Kind::ContextNumber { .. }
            | Kind::ContextHas { .. }
            | Kind::UserWanted { .. }
            | Kind::UserUnwanted { .. }
            | Kind::UserIdle {}
            | Kind::Hours { .. }
            | Kind::Weekdays { .. }
            | Kind::Cross { .. } => {}
        }
    }

    /// What a feature says that is about the request.
    pub(super) fn of_request(&self, kind: &FeatureKind) -> f64 {
        use FeatureKind as Kind;
        let yes = |yes: bool| f64::from(u8::from(yes));
        let user = self.user.attributes();
        match kind {
            Kind::UserNumber { attribute } => number(user, attribute),
            Kind::UserHas { attribute, value } => yes(has(user, attribute, value)),
            Kind::ContextNumber { attribute } => number(self.context, attribute),
            Kind::ContextHas { attribute, value } => yes(has(self.context, attribute, value)),
            Kind::UserWanted { half_life_days } => ln(1.0 + self.count(self.user.wanted_tally(), *half_life_days)),
            Kind::UserUnwanted { half_life_days } => ln(1.0 + self.count(self.user.unwanted_tally(), *half_life_days)),
            Kind::UserIdle {} => self.user.latest().map_or(0.0, |latest| ln(1.0 + self.days_since(latest))),
            Kind::Hours { from, to } => {
                let hour = hour(self.now);
                yes(if from < to { (*from..*to).contains(&hour) } else { hour >= *from || hour < *to })
            }
            Kind::Weekdays { days } => yes(days.contains(&Weekday::ALL[usize::from(weekday(self.now))])),
            _ => 0.0,
        }
    }

    fn number_distance(&self, attribute: Option<&str>, gathered: &Gathered<'_>, column: &mut [f64]) {
        let catalog = self.state.catalog();
        let only = attribute.map(|name| catalog.number_attribute(name));
        write_known(column, gathered, |known| {
            let (mut sum, mut count) = (0.0, 0.0);
            for number in known.item.numbers.iter().filter(|(of, _)| only.is_none_or(|only| only == Some(*of))) {
                let Some(mean) = self.history.mean_number(number.0) else { continue };
                sum += (catalog.standardised(*number) - mean).abs().min(DISTANCE_MAX);
                count += 1.0;
            }
            sum / f64::max(count, 1.0)
        });
    }

    /// Writes the mean of the logarithms of `value` over each candidate's texts of `attribute`; 0 where nobody
    /// has the attribute.
    fn texts<'g>(
        &self,
        attribute: Option<&str>,
        gathered: &Gathered<'g>,
        column: &mut [f64],
        value: impl Fn(&CandidateText<'g>) -> f64,
    ) {
        let number = attribute.map(|name| self.state.catalog().text_attribute(name));
        if number != Some(None) {
            gathered.texts.mean_ln(number.flatten(), gathered.logarithms, column, value);
        }
    }

    fn count(&self, tally: &Tally, half_life: Option<HalfLife>) -> f64 {
        half_life.map_or(f64::from(tally.ever()), |half_life| tally.recent(half_life, self.now))
    }

    /// Wishes at this part of the day or week.
    fn now_count(&self, stats: &TextStats, part: TimePart) -> u32 {
        match part {
            TimePart::Day => stats.by_day_part[day_part(self.now)],
            TimePart::Week => stats.by_weekday[usize::from(weekday(self.now))],
        }
    }

    fn days_since(&self, time: Timestamp) -> f64 {
        days_between(time, self.now)
    }
}

fn write<T>(column: &mut [f64], from: &[T], value: impl Fn(&T) -> f64) {
    for (slot, one) in column.iter_mut().zip(from) {
        *slot = value(one);
    }
}

/// Writes what `value` says of each candidate that the state knows; 0 for the others.
fn write_known(column: &mut [f64], gathered: &Gathered<'_>, value: impl Fn(&Known<'_>) -> f64) {
    write(column, gathered.known, |known| known.as_ref().map_or(0.0, &value));
}

/// The same in logarithms. They are taken in a loop of their own, which compiles to vector instructions.
fn write_ln(column: &mut [f64], gathered: &Gathered<'_>, value: impl Fn(&Known<'_>) -> f64) {
    write(column, gathered.known, |known| known.as_ref().map_or(1.0, &value));
    gathered.logarithms.take(column);
}

/// The distance of the logarithms from `mean`.
fn write_gap(column: &mut [f64], gathered: &Gathered<'_>, mean: f64, value: impl Fn(&Known<'_>) -> f64) {
    write_ln(column, gathered, value);
    for (slot, known) in column.iter_mut().zip(gathered.known) {
        *slot = if known.is_some() { (*slot - mean).abs() } else { 0.0 };
    }
}

/// From a sum of so many to their mean.
fn mean_over(column: &mut [f64], count: usize) {
    column.iter_mut().for_each(|sum| *sum /= count.max(1) as f64);
}

fn similarity(cosines: &[f32], take: Take) -> f64 {
    if cosines.is_empty() {
        return 0.0;
    }
    match take {
        Take::Mean => cosines.iter().copied().map(f64::from).sum::<f64>() / cosines.len() as f64,
        Take::Max => f64::from(cosines.iter().copied().fold(f32::MIN, f32::max)),
    }
}

fn number(attributes: &Attributes, name: &str) -> f64 {
    attributes.number(name).map_or(0.0, |value| f64::from(compress(value)))
}

fn has(attributes: &Attributes, name: &str, text: &str) -> bool {
    match attributes.get(name) {
        Some(AttributeValue::Bool(value)) => text == if *value { "true" } else { "false" },
        Some(value) => AttributeKey::Text(text).is_in(value),
        None => false,
    }
}
