use std::time::{Duration, Instant};

use shortlist_types::Budget;

/// A point on the monotonic clock after which nobody waits for the answer.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline `after` from now.
    pub fn after(after: Duration) -> Self {
        Self(Instant::now() + after)
    }

    /// Time left; zero when it has passed.
    pub fn remaining(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The share of the remaining time that one stage may use.
    #[must_use]
    pub fn part(&self, share: f64) -> Self {
        Self::after(self.remaining().mul_f64(share.clamp(0.0, 1.0)))
    }
}

impl Budget for Deadline {
    fn exhausted(&self) -> bool {
        Instant::now() >= self.0
    }
}
