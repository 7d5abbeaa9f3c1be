/// How far a thread stands back behind those that answer and acknowledge, as `nice` counts.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Lets whoever waits for an answer go first, before this thread and those that it will start. Only on Linux is the
/// priority the thread's own.
pub fn stand_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "a thread that was to stand back has the priority of all");
    }
}
