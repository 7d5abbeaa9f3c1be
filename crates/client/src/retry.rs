//! What is sent again, when, and how often.

use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Code;
use tower::retry::backoff::{Backoff, ExponentialBackoff, ExponentialBackoffMaker, MakeBackoff};
use tower::retry::budget::{Budget, TpsBudget};
use tower::util::rng::HasherRng;

use crate::Error;
use crate::limits::{BACKOFF_MAX, BACKOFF_MIN, BUDGET_PER_SECOND, BUDGET_SHARE, BUDGET_WINDOW};

/// What may be sent twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// A question, or a write that the service recognises: doing it twice is doing it once.
    Safe,
    /// Any other write: only when the service says that it kept nothing of the first one.
    WhenNothingWasKept,
}

/// What all calls of a client share.
#[derive(Debug)]
pub(crate) struct Retries {
    budget: TpsBudget,
}

impl Retries {
    pub(crate) fn new() -> Self {
        Self { budget: TpsBudget::new(BUDGET_WINDOW, BUDGET_PER_SECOND, BUDGET_SHARE) }
    }

    /// The attempts of one call, which ends at `ends`.
    pub(crate) fn attempts(&self, repeat: Repeat, most: u32, ends: Instant) -> Attempts<'_> {
        self.budget.deposit();
        let maker = ExponentialBackoffMaker::new(BACKOFF_MIN, BACKOFF_MAX, 1.0, HasherRng::default());
        // The limits are in order, so that there always is one.
        let backoff = maker.unwrap_or_default().make_backoff();
        Attempts { budget: &self.budget, backoff, repeat, left: most, ends }
    }
}

pub(crate) struct Attempts<'a> {
    budget: &'a TpsBudget,
    backoff: ExponentialBackoff,
    repeat: Repeat,
    left: u32,
    ends: Instant,
}

impl Attempts<'_> {
    /// Waits until the call is to be sent again; gives the error back where it is not.
    pub(crate) async fn again(&mut self, error: Error) -> Result<(), Error> {
        let Some(least) = self.wait_asked(&error).filter(|_| self.left > 0) else { return Err(error) };
        let backoff: Sleep = self.backoff.next_backoff();
        let at = backoff.deadline().max(Instant::now() + least);
        // An answer that would come too late is not waited for.
        if at >= self.ends || !self.budget.withdraw() {
            return Err(error);
        }
        self.left -= 1;
        sleep_until(at).await;
        Ok(())
    }

    /// How long the service wants to be left alone, if the call may be repeated after this error at all.
    fn wait_asked(&self, error: &Error) -> Option<Duration> {
        let is_safe = self.repeat == Repeat::Safe;
        match error {
            Error::Unreachable { .. } | Error::Broken { .. } => is_safe.then_some(Duration::ZERO),
            Error::Refused(refusal) if refusal.never_again => None,
            Error::Refused(refusal) => {
                let may = error.is_overload() || (is_safe && refusal.status == Code::Unavailable);
                may.then(|| refusal.retry_after.unwrap_or_default())
            }
            Error::DeadlineExceeded { .. } | Error::Invalid { .. } => None,
        }
    }
}
