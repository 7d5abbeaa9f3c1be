//! The binary as a process of its own, and the core that it has to itself.

mod pinned;
mod process;

#[allow(unused_imports, reason = "not every benchmark measures by the core")]
pub(crate) use self::pinned::Pinned;
pub(crate) use self::process::Server;
