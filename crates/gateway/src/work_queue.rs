use std::collections::VecDeque;
use std::time::Instant;

use crate::limits::LOW_TURN_AFTER;
use crate::priority::Priority;

/// What waits for a thread, in two lines: that of high priority first, each in the order of the calls.
///
/// Work of low priority that has waited for [`LOW_TURN_AFTER`] goes before the others, so that it is done, or dropped if
/// nobody waits for it any more: it does not hold its place for as long as there is other work. Hardly any gets there,
/// since none is admitted while it would have to wait.
pub(crate) struct WorkQueue<T> {
    high: VecDeque<T>,
    /// With the moment at which each came.
    low: VecDeque<(Instant, T)>,
}

impl<T> Default for WorkQueue<T> {
    fn default() -> Self {
        Self { high: VecDeque::new(), low: VecDeque::new() }
    }
}

impl<T> WorkQueue<T> {
    pub(crate) fn push(&mut self, priority: Priority, work: T, now: Instant) {
        match priority {
            Priority::High => self.high.push_back(work),
            Priority::Low => self.low.push_back((now, work)),
        }
    }

    pub(crate) fn pop(&mut self, now: Instant) -> Option<T> {
        let is_due = |(since, _): &(Instant, T)| now.saturating_duration_since(*since) >= LOW_TURN_AFTER;
        if !self.low.front().is_some_and(is_due)
            && let Some(work) = self.high.pop_front()
        {
            return Some(work);
        }
        self.low.pop_front().map(|(_, work)| work)
    }

    /// Work that stands before what would come now.
    pub(crate) fn ahead_of(&self, priority: Priority) -> usize {
        match priority {
            Priority::High => self.high.len(),
            Priority::Low => self.len(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.high.len() + self.low.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use Priority::{High, Low};

    fn filled(at: Instant) -> WorkQueue<&'static str> {
        let mut queue = WorkQueue::default();
        for (priority, work) in [(Low, "low 1"), (High, "high 1"), (Low, "low 2"), (High, "high 2")] {
            queue.push(priority, work, at);
        }
        queue
    }

    #[test]
    fn high_goes_before_low_and_each_in_the_order_of_the_calls() {
        let now = Instant::now();
        let mut queue = filled(now);
        assert_eq!((queue.ahead_of(High), queue.ahead_of(Low), queue.len()), (2, 4, 4));
        let order: Vec<_> = std::iter::from_fn(|| queue.pop(now)).collect();
        assert_eq!(order, ["high 1", "high 2", "low 1", "low 2"]);
    }

    #[test]
    fn low_that_has_waited_for_long_has_its_turn() {
        let now = Instant::now();
        let mut queue = filled(now);
        queue.push(Low, "low 3", now + Duration::from_millis(1));
        let due = now + LOW_TURN_AFTER;
        assert_eq!(queue.pop(due - Duration::from_millis(1)), Some("high 1"));
        let order: Vec<_> = std::iter::from_fn(|| queue.pop(due)).collect();
        assert_eq!(order, ["low 1", "low 2", "high 2", "low 3"]);
    }
}
