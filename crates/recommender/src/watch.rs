use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use shortlist_store::{Assignment, BundleId};
use shortlist_types::Budget;

use crate::{Answer, Deadline, StageName};

/// A request while it is worked on, as seen by who waits for it: which stage runs, and what could be answered
/// already. So a stage that does not come back costs its own contribution, and not the answer.
#[derive(Debug, Default)]
pub struct Watch {
    /// Stages that are not to be asked.
    skipped: Vec<StageName>,
    /// Part of the usual work to do, above 0, at most 1; none: all of it.
    effort: Option<f64>,
    seen: Mutex<Seen>,
    cancelled: AtomicBool,
}

#[derive(Debug, Default)]
struct Seen {
    bundle: Option<BundleId>,
    assignment: Option<Assignment>,
    stage: Option<StageName>,
    so_far: Option<Answer>,
}

impl Watch {
    /// Of a request that leaves these stages out, and does this part of the usual work.
    pub(crate) fn new(skipped: Vec<StageName>, effort: f64) -> Self {
        Self { skipped, effort: Some(effort), ..Self::default() }
    }

    /// Nobody waits any more: the stages stop at their next look at the budget.
    ///
    /// Returns the stage that ran, and what could be answered without it.
    pub fn leave(&self) -> (Option<StageName>, Option<Answer>) {
        self.cancelled.store(true, Ordering::Relaxed);
        let mut seen = self.seen.lock();
        let (bundle, assignment) = (seen.bundle.clone(), seen.assignment.clone());
        (seen.stage, seen.so_far.take().map(|answer| Answer { bundle, assignment, ..answer }))
    }

    pub(crate) fn skipped(&self) -> &[StageName] {
        &self.skipped
    }

    /// Whether somebody stopped waiting: what comes now, nobody sees.
    pub fn was_left(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    pub(crate) fn skips(&self, stage: StageName) -> bool {
        self.skipped.contains(&stage)
    }

    pub(crate) fn effort(&self) -> f64 {
        self.effort.unwrap_or(1.0)
    }

    /// This bundle serves, as this variant of an experiment has it.
    pub(crate) fn begin(&self, bundle: Option<BundleId>, assignment: Option<Assignment>) {
        let mut seen = self.seen.lock();
        (seen.bundle, seen.assignment) = (bundle, assignment);
    }

    /// This stage runs from now on; none: none does.
    pub(crate) fn enter(&self, stage: Option<StageName>) {
        self.seen.lock().stage = stage;
    }

    /// What would be answered if the stages to come did not come back.
    pub(crate) fn publish(&self, answer: impl FnOnce() -> Answer) {
        // Without a waiting caller nobody would read it.
        if self.effort.is_some() {
            self.seen.lock().so_far = Some(answer());
        }
    }
}

/// A deadline that has passed, too, when nobody waits any more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watched<'a> {
    pub(crate) deadline: Deadline,
    pub(crate) watch: &'a Watch,
}

impl Watched<'_> {
    /// The share of what is left that one stage may use.
    pub(crate) fn part(self, share: f64) -> Self {
        Self { deadline: self.deadline.part(share), ..self }
    }
}

impl Budget for Watched<'_> {
    fn exhausted(&self) -> bool {
        self.watch.was_left() || self.deadline.exhausted()
    }
}
