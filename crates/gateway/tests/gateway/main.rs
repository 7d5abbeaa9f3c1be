//! The gateway over real sockets: a temporary store, both protocols on one port.

#![allow(clippy::unwrap_used, clippy::panic)] // the allowance of clippy.toml covers only functions marked as tests

mod access;
mod bundle;
mod catalog;
mod connections;
mod docs;
mod errors;
mod events;
mod grpc;
mod lifecycle;
mod limits;
mod metrics;
mod openapi;
mod operations;
mod overload;
mod questions;
mod search_and_rank;
mod stuck_stages;
mod test_server;
