//! The gateway over real sockets: a temporary store, both protocols on one port.

mod bundle;
mod catalog;
mod errors;
mod events;
mod grpc;
mod openapi;
mod operations;
mod overload;
mod questions;
mod test_server;
