//! An open loop: requests leave at times that were drawn before, whether or not earlier ones have been answered, and a
//! request's time counts from the moment at which it should have left. A server that stalls is charged for everybody
//! who came meanwhile: there is no coordinated omission.
//!
//! Floor 2. Used by `shortlist loadtest`, by the benchmarks and by the tests of overload.
//!
//! [`Schedule`] says what leaves when, [`Driver`] sends it, [`Tally`] counts what became of it.

mod connections;
mod driver;
mod error;
pub mod limits;
mod outcome;
mod rest;
mod schedule;
mod tally;
mod target;

pub use connections::{Asks, Heard, Manners};
pub use driver::{Driver, Load, Seen, Slice, Traffic};
pub use error::LoadError;
pub use outcome::Outcome;
pub use rest::RestConnection;
pub use schedule::{Kind, Planned, Protocol, Schedule};
pub use shortlist_client::Priority;
pub use tally::Tally;
pub use target::Target;
