use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;

use crate::GatewayError;
use crate::api_error::ApiError;

/// Threads that compute answers, beside the I/O threads of the runtime.
pub(crate) struct Workers {
    pool: ThreadPool,
}

impl Workers {
    /// Starts `threads` threads, or one per core for 0.
    pub(crate) fn start(threads: usize) -> Result<Self, GatewayError> {
        let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("worker-{i}")).build()?;
        Ok(Self { pool })
    }

    /// Runs `work` when a thread is free, in the order of the calls. Work whose receiver is gone by
    /// then is skipped; a panic in it is [`ApiError::Internal`] for its caller and for nobody else.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
    ) -> oneshot::Receiver<Result<T, ApiError>> {
        let (sender, receiver) = oneshot::channel();
        let span = tracing::Span::current();
        self.pool.spawn_fifo(move || {
            if sender.is_closed() {
                return;
            }
            let result = span.in_scope(|| catch_unwind(AssertUnwindSafe(work))).unwrap_or_else(|panic| {
                let message = panic.downcast_ref::<&str>().copied().map(str::to_owned);
                let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
                span.in_scope(|| tracing::error!(message, "the work of a request panicked"));
                Err(ApiError::Internal)
            });
            // The caller may have left meanwhile; then nobody needs the answer.
            drop(sender.send(result));
        });
        receiver
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_the_callers_error_and_the_pool_goes_on() {
        let workers = Workers::start(1).unwrap();
        let broken = workers.run::<()>(|| panic!("a bad day"));
        assert_eq!(broken.blocking_recv().unwrap(), Err(ApiError::Internal));
        assert_eq!(workers.run(|| Ok(7)).blocking_recv().unwrap(), Ok(7));
    }

    #[test]
    fn work_whose_caller_left_is_skipped() {
        let workers = Workers::start(1).unwrap();
        let (release, gate) = std::sync::mpsc::channel::<()>();
        let first = workers.run(move || {
            gate.recv().unwrap();
            Ok(())
        });
        let (ran, has_run) = std::sync::mpsc::channel();
        drop(workers.run(move || {
            ran.send(()).unwrap();
            Ok(())
        }));
        release.send(()).unwrap();
        first.blocking_recv().unwrap().unwrap();
        workers.run(|| Ok(())).blocking_recv().unwrap().unwrap();
        assert!(has_run.try_recv().is_err());
    }
}
