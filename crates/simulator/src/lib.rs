//! A marketplace with known true preferences, by seed.
//!
//! Floor 1, pure: no I/O, no clock. The quickstart fills a store from here, and end-to-end checks
//! compare what was learned with what is true. [`Marketplace::generate`] makes the log: users,
//! items, and sessions in which an imperfect logging policy shows pages and users answer by their
//! tastes. [`Truth`] is what a service can never see: the probability that a user takes an item.
//!
//! The same config gives the same log on one platform, record for record; exponentials and cosines
//! may differ in the last bit between platforms.

mod catalogue;
mod category;
mod config;
mod cumulative_table;
mod error;
mod latent;
mod logging_policy;
mod marketplace;
mod outcome;
mod population;
mod simulation;
mod truth;
mod words;

pub use config::{
    EVENTS_DEFAULT, EVENTS_MAX, ITEMS_DEFAULT, ITEMS_MAX, ITEMS_MIN, LOG_DAYS, MarketConfig, USERS_DEFAULT, USERS_MAX,
    USERS_MIN,
};
pub use error::SimulatorError;
pub use marketplace::Marketplace;
pub use truth::Truth;

/// What functions of this crate return.
pub type Result<T> = std::result::Result<T, SimulatorError>;
