//! What is promised of the log (D), of swaps (H), of overload and slowness (O), of poisoned input (P) and of security (S), each as one function that panics when the promise is
//! broken and says what it showed when it holds. The short form runs with all tests, the full one by
//! `just reliability`.

mod both;
pub mod d1_care;
pub mod d1_kill;
pub mod d2_power_loss;
pub mod d3_torn_tail;
pub mod d4_damage;
pub mod d5_disk_full;
pub mod d6_failed_sync;
pub mod d7_retries;
pub mod d8_clock;
mod driven;
mod events;
mod faulty_ranker;
mod gateway;
pub mod h1_swaps;
pub mod h3_pairs;
pub mod o10_soak;
pub mod o11_drain;
pub mod o1_overload;
pub mod o2_priorities;
pub mod o3_retries;
pub mod o4_slow_ranker;
pub mod o6_deadlines;
pub mod o7_hang_ups;
pub mod o8_brownout;
pub mod o9_slow_clients;
mod oracle;
pub mod p1_poison;
pub mod p5_bodies;
pub mod p6_not_finite;
pub mod p7_same_answers;
pub mod parity;
pub mod s1_doors;
pub mod s2_names;
pub mod s4_silence;
pub mod skew;
mod soak_picture;
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
