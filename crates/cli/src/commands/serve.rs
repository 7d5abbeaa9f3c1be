use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use shortlist_features::FeatureState;
use shortlist_gateway::{Parts, Service};
use shortlist_recommender::{Bundle, DurableState, Recommender};
use shortlist_store::{BundleId, LogWriter, ServedLog, Store};
use shortlist_training::Progress;
use tokio::net::TcpListener;

use crate::args::ServeArgs;
use crate::config::Config;
use crate::doors::Doors;
use crate::maintenance::Maintenance;
use crate::progress_bars::ProgressBars;
use crate::scheduled_training::ScheduledTraining;

/// Records that may wait for the log; beyond it events are refused with 429.
const WRITE_QUEUE_MAX: usize = 65_536;
/// How often the server looks for another promoted bundle.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A bundle that was refused is tried again after so many looks: it may have been published anew.
const RETRY_AFTER_LOOKS: u32 = 30;

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
    let served = served_log(&store, config).map(Arc::new);
    let recommender = Recommender::new(fold_log(&store, config)?, &config.surfaces)?;
    let recommender = Arc::new(recommender.with_experiments(&config.experiments)?);
    let spared: BTreeSet<_> = config.experiments.bundles().cloned().collect();
    for id in &spared {
        let bundle = load(&store, id).with_context(|| format!("an experiment serves from bundle {id}"))?;
        recommender.hold(Arc::new(bundle));
    }
    match load_current(&store) {
        Ok(bundle) => recommender.swap(bundle),
        // Events are still to be taken, and popular items to be shown, while somebody mends it.
        Err(error) => tracing::error!(error = format!("{error:#}"), "serving without a bundle"),
    }
    let applied_to = Arc::clone(&recommender);
    let apply = move |records: &[_]| {
        if let Err(error) = applied_to.apply(records) {
            // The state misses a durable record: nothing more must be acknowledged until a restart
            // replays the log. The writer stops for good when this thread panics.
            #[allow(clippy::panic)]
            {
                panic!("a durable record did not fit the state: {error}");
            }
        }
    };
    let writer = LogWriter::start(appender, WRITE_QUEUE_MAX, Box::new(apply))?;
    let writer = Arc::new(writer);
    let durable = DurableState::new(store.clone(), Arc::clone(&config.events));
    let parts =
        Parts { recommender: Arc::clone(&recommender), writer: Arc::clone(&writer), state: durable.clone(), served };
    let service = Arc::new(Service::new(parts, &config.gateway)?.with_telemetry(&config.telemetry));
    let stopping = Arc::new(AtomicBool::new(false));
    let maintenance = Maintenance {
        store: store.clone(),
        state: durable,
        writer: Arc::clone(&writer),
        config: config.store.clone(),
        spared,
    }
    .start(Arc::clone(&stopping))?;
    let watcher = watch_registry(store, recommender, Arc::clone(&stopping))?;

    let training = training.map(|training| training.start(Arc::clone(&stopping))).transpose()?;

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        doors.tell()?;
        let Doors { api, admin, access } = doors;
        let (api, admin) = (TcpListener::from_std(api)?, admin.map(TcpListener::from_std).transpose()?);
        tracing::info!(address = %api.local_addr()?, "serving REST and gRPC");
        let doors = shortlist_gateway::Doors { api, admin, access };
        shortlist_gateway::serve(doors, service, metrics, stop_signal()).await?;
        Ok::<_, anyhow::Error>(())
    });
    drop(runtime);
    stopping.store(true, Ordering::Relaxed);
    let _ = watcher.join();
    let _ = maintenance.join();
    let _ = training.map(std::thread::JoinHandle::join);
    if let Some(writer) = Arc::into_inner(writer) {
        writer.close()?;
    }
    tracing::info!("stopped; every acknowledged event is on disk");
    served
}

/// The served log, if it is to be kept and can be: it must not keep anybody from being served.
fn served_log(store: &Store, config: &Config) -> Option<ServedLog> {
    if config.store.served_share <= 0.0 && config.experiments.is_empty() {
        return None;
    }
    let opened = ServedLog::start(store, &config.store);
    opened.inspect_err(|error| tracing::error!(%error, "requests are not kept in the served log")).ok()
}

/// The state after the whole log: its newest checkpoint, and the records after it.
pub(crate) fn fold_log(store: &Store, config: &Config) -> anyhow::Result<FeatureState> {
    let head = store.reader()?.head()?.log_seq;
    let durable = DurableState::new(store.clone(), Arc::clone(&config.events));
    let mut progress = ProgressBars::default();
    progress.begin("replaying the log", Some(head.0));
    let mut replayed = 0_u64;
    let state = durable.restore(&mut |log_seq| {
        replayed += 1;
        progress.at(log_seq.0);
    })?;
    progress.end(&format!("{} records, {replayed} of them after the checkpoint", state.log_seq().0));
    if state.unknown_events() > 0 {
        let skipped = state.unknown_events();
        tracing::warn!(skipped, "events of types that the configuration does not name were passed over");
    }
    Ok(state)
}

/// The promoted bundle, checked in full; none if nothing was promoted yet.
pub(crate) fn load_current(store: &Store) -> anyhow::Result<Option<Arc<Bundle>>> {
    let registry = store.registry();
    let Some(id) = registry.current()? else { return Ok(None) };
    Ok(Some(Arc::new(load(store, &id)?)))
}

fn load(store: &Store, id: &BundleId) -> anyhow::Result<Bundle> {
    Bundle::load(&store.registry(), &store.reader()?, id).with_context(|| format!("bundle {id} cannot serve"))
}

/// Looks every second for another promoted bundle and swaps to it. One that cannot serve is said and
/// tried again every half minute, and the current one stays.
fn watch_registry(
    store: Store,
    recommender: Arc<Recommender>,
    stopping: Arc<AtomicBool>,
) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let watch = move || {
        let mut refused = None;
        let mut looks: u32 = 0;
        while !stopping.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK_EVERY);
            looks = looks.wrapping_add(1);
            if looks.is_multiple_of(RETRY_AFTER_LOOKS) {
                refused = None;
            }
            let current = match store.registry().current() {
                Ok(current) => current,
                Err(error) => {
                    tracing::warn!(%error, "cannot read the registry; the bundle in service stays");
                    continue;
                }
            };
            recommender.keep_fast();
            let snapshot = recommender.snapshot();
            let serving = snapshot.bundle.as_ref().map(|bundle| bundle.id.clone());
            if current == serving || current == refused {
                continue;
            }
            match load_current(&store) {
                Ok(bundle) => {
                    let id = bundle.as_ref().map(|bundle| bundle.id.to_string());
                    recommender.swap(bundle);
                    tracing::info!(bundle = id, "swapped");
                }
                Err(error) => {
                    tracing::error!(
                        error = format!("{error:#}"),
                        "the promoted bundle cannot serve; the one in service stays"
                    );
                    refused = current;
                }
            }
        }
    };
    Ok(std::thread::Builder::new().name("registry-watch".to_owned()).spawn(watch)?)
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
