use std::process::Command;
use std::thread::available_parallelism;

/// Keeps this process on the first core, and with it what it starts, until this is dropped.
pub(crate) struct Pinned {
    cores: usize,
}

impl Pinned {
    /// None where there is only one core, or no `taskset`.
    pub(crate) fn to_first_core() -> Option<Self> {
        let cores = available_parallelism().map_or(1, usize::from);
        (cores > 1 && allow("0")).then_some(Self { cores })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        allow(&format!("0-{}", self.cores - 1));
    }
}

/// Allows all threads of this process these cores.
fn allow(cores: &str) -> bool {
    let pid = std::process::id().to_string();
    Command::new("taskset").args(["-a", "-p", "-c", cores, &pid]).output().is_ok_and(|output| output.status.success())
}
