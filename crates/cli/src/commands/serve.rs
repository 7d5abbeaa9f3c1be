use std::pin::pin;
use std::sync::Arc;

use anyhow::Context;
use shortlist_gateway::Loaded;
use shortlist_store::Store;

use crate::args::ServeArgs;
use crate::config::Config;
use crate::doors::Doors;
use crate::scheduled_training::ScheduledTraining;
use crate::serving::Serving;

/// `shortlist serve`.
pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let config = Config::of(&args.store)?;
    let doors = Doors::open(&args.doors(), &config)?;
    let store = Store::open_or_create(&args.store.store)?;
    let training = args.train_every.map(|every| ScheduledTraining { store: args.store.clone(), every });
    serve(doors, store, &config, training)
}

/// Serves a store until SIGINT or SIGTERM; then answers what is in flight and syncs the log.
pub(crate) fn serve(
    doors: Doors,
    store: Store,
    config: &Config,
    training: Option<ScheduledTraining>,
) -> anyhow::Result<()> {
    // The lock comes first: nobody else appends between the replay and the first event.
    let appender = store.lock_log()?;
    let metrics = shortlist_gateway::install_metrics()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let mut stop = pin!(stop_signal());
        let doors = doors.into_listening()?;
        let address = doors.api.local_addr()?;
        tracing::info!(listening = %address, "loading; /readyz says when it is done");
        let so_far = Loaded::default();
        let loading = Serving::load(appender, store, config.clone(), so_far.clone())?;
        let (doors, serving) = tokio::select! {
            () = &mut stop => {
                tracing::info!("stopped before it was loaded");
                return Ok(None);
            }
            loaded = shortlist_gateway::while_loading(doors, metrics.clone(), so_far, loading) => loaded?,
        };
        let serving = serving.context("the thread that loads is gone")??.with(training)?;
        tracing::info!(%address, "serving REST and gRPC");
        let outcome = shortlist_gateway::serve(doors, Arc::clone(&serving.service), metrics, stop).await;
        Ok::<_, anyhow::Error>(Some((serving, outcome)))
    });
    // What still loads must not hold the end up.
    runtime.shutdown_background();
    let Some((serving, outcome)) = served? else { return Ok(()) };
    serving.end()?;
    tracing::info!("stopped; every acknowledged event is on disk");
    Ok(outcome?)
}

/// Ends at the first SIGINT or SIGTERM; a second one ends the process at once.
async fn stop_signal() {
    let first = one_signal().await;
    tracing::info!(signal = first, "stopping: answering what is in flight; a second signal stops at once");
    tokio::spawn(async {
        one_signal().await;
        std::process::exit(1);
    });
}

async fn one_signal() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = tokio::signal::ctrl_c() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        },
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
            "SIGINT"
        }
    }
}
