//! What RELIABILITY promises of the log, D1 to D8, each as one function that panics when the promise is
//! broken and says what it showed when it holds. The short form runs with all tests, the full one by
//! `just reliability`.

pub mod d1_care;
pub mod d1_kill;
pub mod d2_power_loss;
pub mod d3_torn_tail;
pub mod d4_damage;
pub mod d5_disk_full;
pub mod d6_failed_sync;
pub mod d7_retries;
pub mod d8_clock;
mod events;
mod gateway;
pub mod skew;
mod writers;

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A few seeds, in seconds.
    Short,
    /// As RELIABILITY asks.
    Full,
}

impl Form {
    fn pick<T>(self, short: T, full: T) -> T {
        match self {
            Self::Short => short,
            Self::Full => full,
        }
    }
}

/// Where every seed begins; a failure names its own.
const SEED: u64 = 20_261_125;
