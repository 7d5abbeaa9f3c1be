use serde::{Deserialize, Serialize};
use shortlist_types::Timestamp;

use crate::DecayedCounter;

/// Half-lives of the decayed popularity counters, in days.
pub(crate) const HALF_LIVES_DAYS: [f64; 3] = [7.0, 30.0, 90.0];

/// Which half-life orders the popularity board: long enough that a quiet week changes little, short
/// enough that last year's favourites give way.
pub(crate) const BOARD_HALF_LIFE: usize = 2;

/// What users did with one item, summed up. 64 bytes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ItemStats {
    /// Distinct users who wanted it.
    pub users_positive: u32,
    /// Distinct users who did not want it.
    pub users_negative: u32,
    /// Times it was shown.
    pub impressions: u32,
    /// Latest time somebody wanted it.
    pub last_positive: Option<Timestamp>,
    /// Users who wanted it, decayed at each of the half-lives.
    pub(crate) popularity: [DecayedCounter; 3],
}

impl ItemStats {
    /// Counts a user who wants the item for the first time.
    pub(crate) fn add_positive(&mut self, time: Timestamp) {
        self.users_positive = self.users_positive.saturating_add(1);
        for (counter, half_life) in self.popularity.iter_mut().zip(HALF_LIVES_DAYS) {
            counter.add(time, half_life);
        }
        self.last_positive = self.last_positive.max(Some(time));
    }

    /// Users who wanted the item, decayed with half-life number `which`, as worth at `now`.
    pub fn popularity(&self, which: usize, now: Timestamp) -> f64 {
        self.popularity[which].at(now, HALF_LIVES_DAYS[which])
    }
}
