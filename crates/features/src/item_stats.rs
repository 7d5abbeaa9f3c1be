use serde::{Deserialize, Serialize};
use shortlist_types::Timestamp;

use crate::{HalfLife, Tally};

/// The half-life that orders the popularity board: long enough that a quiet week changes little, short enough
/// that last year's favourites give way.
pub(crate) const BOARD_HALF_LIFE: HalfLife = HalfLife::Quarter;

/// The half-life that orders what is trending.
pub(crate) const TRENDING_HALF_LIFE: HalfLife = HalfLife::Week;

/// What users did with one item, summed up. 136 bytes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ItemStats {
    /// Distinct users who wanted it.
    pub wanted: Tally,
    /// Distinct users who did not want it.
    pub unwanted: Tally,
    /// Times it was shown.
    pub shown: Tally,
    /// Latest time somebody wanted it.
    pub last_wanted: Option<Timestamp>,
}

impl ItemStats {
    /// Counts a user who wants the item for the first time.
    pub(crate) fn add_wanted(&mut self, time: Timestamp) {
        self.wanted.add(time);
        self.last_wanted = self.last_wanted.max(Some(time));
    }

    /// Users who wanted the item as the popularity board counts them: decayed by the quarter, as worth at `now`.
    pub fn popularity(&self, now: Timestamp) -> f64 {
        self.wanted.recent(BOARD_HALF_LIFE, now)
    }
}
