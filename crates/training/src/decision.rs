use std::collections::{BTreeMap, HashSet};

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortlist_types::{EventTypeIdx, ItemIdx, LogSeq, Timestamp, UserIdx};

use crate::timeline::{Step, StepKind};

/// Fewest events of a user in the evaluation slice before he is asked about.
const APPLIED_MIN: usize = 5;

/// One moment at which the service is asked what to show, with what the user wanted later.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decision {
    /// The decision is made just before this record is applied.
    pub(crate) before: LogSeq,
    /// At this time.
    pub(crate) now: Timestamp,
    pub(crate) user: UserIdx,
    /// Items that he took up later in the slice.
    pub(crate) wanted_later: HashSet<ItemIdx>,
    /// What else he did later with which item: events that say what their type says, so that two stars are no
    /// `rating` of a type that is positive from four on.
    pub(crate) done_later: HashSet<(ItemIdx, EventTypeIdx)>,
}

impl Decision {
    /// Of an item: whether it was wanted later, then, per event type, whether that came of it.
    pub(crate) fn labels<'a>(&'a self, item: ItemIdx, outcomes: &'a [EventTypeIdx]) -> impl Iterator<Item = bool> + 'a {
        let done = outcomes.iter().map(move |outcome| self.done_later.contains(&(item, *outcome)));
        std::iter::once(self.wanted_later.contains(&item)).chain(done)
    }
}

/// One request per user of the slice: made when half of his events in it, at least 5, have been
/// applied, at the start of his next page.
pub(crate) fn evaluation_decisions(slice: &[Step]) -> Vec<Decision> {
    let decisions = by_user(slice).into_values().filter_map(|steps| {
        let events = steps.iter().filter(|step| step.kind != StepKind::Impression).count();
        let half = (events / 2).max(APPLIED_MIN);
        let mut applied = 0;
        let at = steps.iter().position(|step| {
            let here = applied >= half && step.page_start;
            applied += usize::from(step.kind != StepKind::Impression);
            here
        })?;
        decision_at(&steps, at, None)
    });
    in_log_order(decisions.collect(), usize::MAX)
}

/// Which decisions are drawn from a slice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draw {
    pub(crate) per_user: usize,
    /// In all.
    pub(crate) max: usize,
    /// Days within which a wish counts.
    pub(crate) label_days: Option<u32>,
    pub(crate) seed: u64,
}

/// Up to so many page starts of each user of the slice.
pub(crate) fn training_decisions(slice: &[Step], draw: Draw) -> Vec<Decision> {
    let Draw { per_user, max, label_days, seed } = draw;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut decisions = Vec::new();
    for steps in by_user(slice).into_values() {
        let starts: Vec<usize> = (0..steps.len()).filter(|at| steps[*at].page_start).collect();
        // One from each of equal stretches, so that decisions with little and with much history occur.
        for stretch in 0..per_user.min(starts.len()) {
            let from = stretch * starts.len() / per_user.min(starts.len());
            let to = ((stretch + 1) * starts.len() / per_user.min(starts.len())).max(from + 1);
            decisions.extend(decision_at(&steps, starts[random.random_range(from..to)], label_days));
        }
    }
    decisions.shuffle(&mut random);
    in_log_order(decisions, max)
}

/// The decision before step `at` of one user; none if he wanted nothing from then on, within the label's days.
fn decision_at(steps: &[&Step], at: usize, label_days: Option<u32>) -> Option<Decision> {
    let step = steps.get(at)?;
    let end = label_days.map(|days| step.time.plus_seconds(i64::from(days) * 86_400));
    let later = || steps[at..].iter().filter(|later| end.is_none_or(|end| later.time < end));
    let wanted = later().filter(|step| step.kind == StepKind::Positive);
    let wanted_later: HashSet<_> = wanted.map(|step| step.item).collect();
    let done_later = later().filter_map(|step| step.done()).collect();
    let decision = Decision { before: step.log_seq, now: step.time, user: step.user, wanted_later, done_later };
    (!decision.wanted_later.is_empty()).then_some(decision)
}

fn in_log_order(mut decisions: Vec<Decision>, max: usize) -> Vec<Decision> {
    decisions.truncate(max);
    decisions.sort_by_key(|decision| decision.before);
    decisions
}

/// The steps of each user, users in order of number.
fn by_user(slice: &[Step]) -> BTreeMap<UserIdx, Vec<&Step>> {
    let mut users: BTreeMap<UserIdx, Vec<&Step>> = BTreeMap::new();
    for step in slice {
        users.entry(step.user).or_default().push(step);
    }
    users
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(log_seq: u64, user: u32, item: u32, kind: StepKind, page_start: bool) -> Step {
        let time = Timestamp::from_seconds(i64::try_from(log_seq).unwrap()).unwrap();
        let event_type = EventTypeIdx(u8::from(kind == StepKind::Impression));
        Step {
            log_seq: LogSeq(log_seq),
            user: UserIdx(user),
            item: ItemIdx(item),
            time,
            kind,
            event_type,
            says_its_type: kind != StepKind::Impression,
            page_start,
        }
    }

    fn draw(per_user: usize, max: usize, seed: u64) -> Draw {
        Draw { per_user, max, label_days: None, seed }
    }

    fn positives(user: u32, n: u64) -> Vec<Step> {
        (1..=n).map(|i| step(i, user, u32::try_from(i).unwrap(), StepKind::Positive, true)).collect()
    }

    #[test]
    fn the_request_comes_after_half_of_the_events_and_at_least_five() {
        let decisions = evaluation_decisions(&positives(1, 20));
        assert_eq!(decisions[0].before, LogSeq(11));
        assert_eq!(decisions[0].wanted_later.len(), 10);
        assert_eq!(evaluation_decisions(&positives(1, 7))[0].before, LogSeq(6));
        assert!(evaluation_decisions(&positives(1, 5)).is_empty());
    }

    #[test]
    fn a_decision_never_stands_inside_a_page() {
        let mut steps = positives(1, 12);
        steps[5..9].iter_mut().for_each(|step| step.page_start = false);
        assert_eq!(evaluation_decisions(&steps)[0].before, LogSeq(10));
        for seed in 0..20 {
            let drawn = training_decisions(&steps, draw(5, 100, seed));
            assert!(drawn.iter().all(|decision| !(6..=9).contains(&decision.before.0)));
        }
    }

    #[test]
    fn only_wishes_within_the_labels_days_count() {
        let mut steps = positives(1, 9);
        for (day, step) in (0..).zip(&mut steps) {
            step.time = Timestamp::from_seconds(day * 86_400).unwrap();
        }
        let wide = training_decisions(&steps, draw(9, 100, 1));
        let narrow = training_decisions(&steps, Draw { label_days: Some(2), ..draw(9, 100, 1) });
        assert_eq!((wide[0].wanted_later.len(), narrow[0].wanted_later.len()), (9, 2));
        assert_eq!(narrow.last().unwrap().wanted_later.len(), 1);
    }

    #[test]
    fn impressions_do_not_count_as_events_of_the_user() {
        let mut steps: Vec<_> = (1..=50).map(|i| step(i, 1, 0, StepKind::Impression, true)).collect();
        steps.extend((51..=56).map(|i| step(i, 1, u32::try_from(i).unwrap(), StepKind::Positive, true)));
        assert_eq!(evaluation_decisions(&steps)[0].before, LogSeq(56));
    }

    #[test]
    fn draws_are_bounded_repeat_by_seed_and_come_in_log_order() {
        let steps: Vec<_> = (0..50).flat_map(|user| positives(user, 9)).collect();
        let drawn = training_decisions(&steps, draw(3, 40, 7));
        assert_eq!(drawn.len(), 40);
        assert!(drawn.is_sorted_by_key(|decision| decision.before));
        assert_eq!(drawn, training_decisions(&steps, draw(3, 40, 7)));
        assert_ne!(drawn, training_decisions(&steps, draw(3, 40, 8)));
    }
}
