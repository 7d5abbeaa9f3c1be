use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::StageName;

/// Requests in a row that left a stage behind before it is skipped.
const LEFT_BEHIND_MAX: u32 = 3;
/// How long it is skipped at first, and at most: twice as long after each try that failed.
const SKIP_MIN: Duration = Duration::from_secs(1);
const SKIP_MAX: Duration = Duration::from_secs(60);

/// Which stages are skipped, because they do not come back: each that was left behind by three requests in a row,
/// until one request tries it again.
#[derive(Debug, Default)]
pub(crate) struct Breakers(Mutex<BTreeMap<StageName, Breaker>>);

#[derive(Debug)]
struct Breaker {
    left_behind: u32,
    skip: Duration,
    until: Option<Instant>,
}

impl Breakers {
    /// The stages that a request at `now` leaves out. One request after the time tries a stage again; meanwhile others
    /// go on without it.
    pub(crate) fn skipped(&self, now: Instant) -> Vec<StageName> {
        let mut breakers = self.0.lock();
        let skipped = breakers.iter_mut().filter_map(|(stage, breaker)| {
            let until = breaker.until?;
            if now < until {
                return Some(*stage);
            }
            breaker.until = Some(now + breaker.skip);
            None
        });
        skipped.collect()
    }

    /// A request left this stage behind; `true` if it is skipped from now on.
    pub(crate) fn left_behind(&self, stage: StageName, now: Instant) -> bool {
        let mut breakers = self.0.lock();
        let breaker = breakers.entry(stage).or_insert(Breaker { left_behind: 0, skip: SKIP_MIN, until: None });
        breaker.left_behind += 1;
        if breaker.left_behind < LEFT_BEHIND_MAX {
            return false;
        }
        let was_skipped = breaker.until.is_some();
        if was_skipped {
            breaker.skip = (breaker.skip * 2).min(SKIP_MAX);
        }
        breaker.until = Some(now + breaker.skip);
        !was_skipped
    }

    /// A request's stages came back in time, but for those that it skipped; returns those that are asked again.
    pub(crate) fn came_back(&self, skipped: &[StageName]) -> Vec<StageName> {
        let mut breakers = self.0.lock();
        if breakers.is_empty() {
            return Vec::new();
        }
        let back: Vec<_> = breakers.keys().filter(|stage| !skipped.contains(stage)).copied().collect();
        back.into_iter().filter(|stage| breakers.remove(stage).is_some_and(|breaker| breaker.until.is_some())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_skipped_after_three_and_tried_by_one() {
        let (breakers, start) = (Breakers::default(), Instant::now());
        let ranker = StageName("ranker");
        assert!(!breakers.left_behind(ranker, start) && !breakers.left_behind(ranker, start));
        assert_eq!(breakers.skipped(start), []);
        assert!(breakers.left_behind(ranker, start));
        assert_eq!(breakers.skipped(start), [ranker]);
        // One tries, the others do not; when it fails again, the wait doubles.
        let later = start + SKIP_MIN;
        assert_eq!((breakers.skipped(later), breakers.skipped(later)), (vec![], vec![ranker]));
        assert!(!breakers.left_behind(ranker, later));
        assert_eq!(breakers.skipped(later + SKIP_MIN), [ranker]);
        // Who skipped it says nothing of it; who asked it and came back closes it.
        assert_eq!(breakers.came_back(&[ranker]), []);
        assert_eq!(breakers.skipped(later + SKIP_MIN), [ranker]);
        assert_eq!(breakers.came_back(&[]), [ranker]);
        assert_eq!(breakers.skipped(later + SKIP_MIN), []);
    }

    #[test]
    fn a_request_in_time_ends_the_row() {
        let (breakers, now) = (Breakers::default(), Instant::now());
        for _ in 0..10 {
            assert!(!breakers.left_behind(StageName("ann"), now));
            assert!(!breakers.left_behind(StageName("ann"), now));
            assert_eq!(breakers.came_back(&[]), []);
        }
    }
}
