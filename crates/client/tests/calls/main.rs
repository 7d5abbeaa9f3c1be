//! The client against a server that answers as a script says, over real sockets; `tests/client.rs` at the root drives
//! the real service.

#![allow(clippy::unwrap_used, clippy::panic)] // the allowance of clippy.toml covers only functions marked as tests

mod errors;
mod retries;
mod scripted_server;
