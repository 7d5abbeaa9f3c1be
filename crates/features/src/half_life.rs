use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

/// After how long an event counts half in a decayed count. The fold keeps every count at each of them, so that
/// a schema may choose without the log being folded anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub enum HalfLife {
    /// 1 day.
    Day,
    /// 7 days.
    Week,
    /// 30 days.
    Month,
    /// 90 days.
    Quarter,
}

impl HalfLife {
    /// All of them, in the order in which counts keep them.
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Quarter];
    pub(crate) const DAYS: [u32; 4] = [1, 7, 30, 90];

    /// Days.
    pub fn days(self) -> u32 {
        Self::DAYS[self as usize]
    }
}

impl TryFrom<u32> for HalfLife {
    type Error = InvalidInput;
    fn try_from(days: u32) -> Result<Self, InvalidInput> {
        let known = Self::ALL.into_iter().find(|half_life| half_life.days() == days);
        known.ok_or_else(|| InvalidInput::new("half_life_days", format!("must be 1, 7, 30 or 90, got {days}")))
    }
}

impl From<HalfLife> for u32 {
    fn from(half_life: HalfLife) -> u32 {
        half_life.days()
    }
}
