use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use shortlist_gateway::Loaded;
use shortlist_store::Store;

use crate::args::ServeArgs;
use crate::config::Config;
use crate::doors::Doors;
use crate::scheduled_training::ScheduledTraining;
use crate::serving::Serving;
use crate::stop_signal;

/// How long tasks of the runtime may take to end when all connections have.
const LET_GO_TIMEOUT: Duration = Duration::from_secs(1);

/// `shortlist serve`.
pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let config = Config::of(&args.store)?;
    config.check_beside(&args.store.store)?;
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
        let mut stop = pin!(stop_signal::listen()?);
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
            loaded = shortlist_gateway::while_loading(doors, metrics.clone(), so_far, loading) => loaded,
        };
        let serving = serving.context("the thread that loads is gone")??.with(training)?;
        tracing::info!(%address, "serving REST and gRPC");
        let outcome = shortlist_gateway::serve(doors, Arc::clone(&serving.service), metrics, stop).await;
        Ok::<_, anyhow::Error>(Some((serving, outcome)))
    });
    // What is left of cut connections lets go of the service. What still loads is not waited for.
    runtime.shutdown_timeout(LET_GO_TIMEOUT);
    let Some((serving, outcome)) = served? else { return Ok(()) };
    serving.end()?;
    tracing::info!("stopped; every acknowledged event is on disk");
    Ok(outcome?)
}
