use rayon::{ThreadPoolBuildError, ThreadPoolBuilder};

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

/// Does some work on a thread that stands back, and waits for it. What the work spreads over threads stays on that one: to
/// load a bundle multiplies matrices on those that the whole process shares, which stand before nobody.
///
/// # Errors
/// The thread cannot be started. A panic in the work is the caller's.
pub fn behind<R: Send>(work: impl FnOnce() -> R + Send) -> Result<R, ThreadPoolBuildError> {
    let name = |_| "behind".to_owned();
    let pool = ThreadPoolBuilder::new().num_threads(1).thread_name(name).start_handler(|_| stand_back()).build()?;
    Ok(pool.install(work))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rayon::prelude::*;

    use super::*;

    #[test]
    fn what_is_done_behind_stands_back_with_all_that_it_spreads() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let ours = nice();
        let theirs: Vec<i32> = behind(|| (0..1_000).into_par_iter().map(|_| nice()).collect()).unwrap();
        assert!(theirs.iter().all(|theirs| *theirs == NICENESS.max(ours)), "{theirs:?}");
        assert_eq!(nice(), ours);
    }
}
