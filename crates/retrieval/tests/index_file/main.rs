//! The index file: the same bytes for the same input, and no other bytes taken.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the lints spare test functions, not the functions that they share"
)]

mod content;
mod damage;
mod disk;
mod extremes;
mod graph;
mod headers;
mod items;
mod noise;
mod queries;
mod round_trip;
mod sample;
