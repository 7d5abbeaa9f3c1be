use shortlist_types::Budget;

/// Work between two questions to the budget, in vector components read: 64 expansions of 32
/// neighbours at 64 dimensions, or a scan of 2,048 such rows. About 50 microseconds.
const WORK_BETWEEN_QUESTIONS: usize = 64 * 32 * 64;

/// The budget ended the search: what was found until then is the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BudgetExhausted;

/// Asks the budget at steady distances of work, so that neither a question per candidate nor a long
/// silence on large vectors happens.
pub(crate) struct Pacer<'a> {
    budget: &'a dyn Budget,
    work: usize,
}

impl<'a> Pacer<'a> {
    /// Starts such that the first unit of work asks: nothing is done for a caller who has left.
    pub(crate) fn new(budget: &'a dyn Budget) -> Self {
        Self { budget, work: WORK_BETWEEN_QUESTIONS }
    }

    /// Accounts for work about to be done, unless it is to stop instead.
    #[inline]
    pub(crate) fn spend(&mut self, work: usize) -> Result<(), BudgetExhausted> {
        self.work = self.work.saturating_add(work);
        if self.work < WORK_BETWEEN_QUESTIONS {
            return Ok(());
        }
        self.work = 0;
        if self.budget.exhausted() { Err(BudgetExhausted) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct Counting(AtomicUsize);
    impl Budget for Counting {
        fn exhausted(&self) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed) >= 2
        }
    }

    #[test]
    fn the_budget_is_asked_at_once_and_then_at_steady_distances() {
        let budget = Counting(AtomicUsize::new(0));
        let mut pacer = Pacer::new(&budget);
        let stops: Vec<bool> = (0..5).map(|_| pacer.spend(WORK_BETWEEN_QUESTIONS / 2).is_err()).collect();
        assert_eq!(stops, [false, false, false, false, true]);
        assert_eq!(budget.0.load(Ordering::Relaxed), 3);
    }
}
