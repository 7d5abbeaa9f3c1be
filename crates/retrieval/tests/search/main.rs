//! The index against exact search, on data of the kinds that models make.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the lints spare test functions, not the functions that they share"
)]

mod data;
mod filters;
mod limits;
mod live;
mod recall;
mod small;
