//! SIGINT and SIGTERM: the first asks the process to end, a second one ends it at once.

use std::thread::Builder;

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// What to wait for: the first signal. The thread that listens lasts as long as the process, so that the second signal is
/// heard whatever the process is busy with by then.
///
/// # Errors
/// The system gives no thread, or no signals.
pub(crate) fn listen() -> std::io::Result<impl Future<Output = ()>> {
    let (told, stop) = oneshot::channel();
    let listening = runtime::Builder::new_current_thread().enable_all().build()?;
    let [mut terminate, mut interrupt] = {
        let _inside = listening.enter();
        [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?]
    };
    let listen = move || {
        listening.block_on(async {
            let mut next = async || {
                tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                }
            };
            let signal = next().await;
            tracing::info!(signal, "stopping: answering what is in flight; a second signal stops at once");
            let _ = told.send(());
            let signal = next().await;
            tracing::warn!(signal, "a second signal: ended at once");
            std::process::exit(1);
        });
    };
    Builder::new().name("signals".to_owned()).spawn(listen)?;
    // Without the thread nobody asks the process to end.
    Ok(async move { drop(stop.await) })
}
