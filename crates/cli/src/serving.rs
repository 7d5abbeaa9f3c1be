//! What a server is made of, from the log and the promoted bundle to its threads.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::Context;
use metrics::counter;
use shortlist_features::FeatureState;
use shortlist_gateway::{BUNDLES_REFUSED, Loaded, Parts, Service};
use shortlist_recommender::{Bundle, DurableState, Recommender};
use shortlist_store::{BundleId, LogAppender, LogWriter, ServedLog, Store};
use shortlist_training::Progress;
use shortlist_types::LogSeq;
use tokio::sync::oneshot;

use crate::clock;
use crate::config::Config;
use crate::maintenance::Maintenance;
use crate::progress_bars::ProgressBars;
use crate::registry_watch::RegistryWatch;
use crate::scheduled_training::ScheduledTraining;

/// Records that may wait for the log; beyond it events are refused with 429.
const WRITE_QUEUE_MAX: usize = 65_536;
/// Share of a core that a bundle is warmed with, while nobody is served.
const WARM_SHARE: f64 = 1.0;

/// All that serves a store.
pub(crate) struct Serving {
    pub(crate) service: Arc<Service>,
    writer: Arc<LogWriter>,
    stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Serving {
    /// Loads it on a thread of its own.
    pub(crate) fn load(
        appender: LogAppender,
        store: Store,
        config: Config,
        so_far: Loaded,
    ) -> std::io::Result<oneshot::Receiver<anyhow::Result<Self>>> {
        let (loaded, serving) = oneshot::channel();
        let load = move || drop(loaded.send(Self::of(appender, store, &config, &so_far)));
        std::thread::Builder::new().name("load".to_owned()).spawn(load)?;
        Ok(serving)
    }

    fn of(appender: LogAppender, store: Store, config: &Config, so_far: &Loaded) -> anyhow::Result<Self> {
        let served = served_log(&store, config).map(Arc::new);
        let state = fold_log(&store, config, &mut ProgressBars::in_log(), &mut |log_seq| so_far.at(log_seq))?;
        let recommender = Recommender::new(state, &config.surfaces)?;
        let recommender = Arc::new(recommender.with_experiments(&config.experiments)?);
        let spared: BTreeSet<_> = config.experiments.bundles().cloned().collect();
        for id in &spared {
            match load(&store, id) {
                Ok(bundle) => {
                    recommender.warm(&bundle, clock::now(), WARM_SHARE);
                    recommender.hold(Arc::new(bundle));
                }
                Err(error) => {
                    refuse(&error, "a variant of an experiment has no bundle; its users are not in the experiment")
                }
            }
        }
        match load_current(&store) {
            Ok(bundle) => {
                if let Some(bundle) = &bundle {
                    let lists = recommender.warm(bundle, clock::now(), WARM_SHARE);
                    tracing::info!(bundle = %bundle.id, lists, "warmed");
                }
                recommender.swap(bundle);
            }
            // Events are still to be taken, and popular items to be shown, while somebody mends it.
            Err(error) => refuse(&error, "serving without a bundle"),
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
        let writer = Arc::new(LogWriter::start(appender, WRITE_QUEUE_MAX, Box::new(apply))?);
        let state = DurableState::new(store.clone(), Arc::clone(&config.events));
        let (recommender_of_watch, writer_of_maintenance) = (Arc::clone(&recommender), Arc::clone(&writer));
        let parts = Parts { recommender, writer: Arc::clone(&writer), state: state.clone(), served };
        let service = Arc::new(Service::new(parts, &config.gateway)?.with_telemetry(&config.telemetry));
        let stopping = Arc::new(AtomicBool::new(false));
        let maintenance = Maintenance {
            store: store.clone(),
            state,
            writer: writer_of_maintenance,
            config: config.store.clone(),
            spared,
        };
        let watch = RegistryWatch { store, recommender: recommender_of_watch };
        let threads = vec![maintenance.start(Arc::clone(&stopping))?, watch.start(Arc::clone(&stopping))?];
        Ok(Self { service, writer, stopping, threads })
    }

    /// The same with trainings beside, if there are to be any.
    pub(crate) fn with(mut self, training: Option<ScheduledTraining>) -> std::io::Result<Self> {
        if let Some(training) = training {
            self.threads.push(training.start(Arc::clone(&self.stopping))?);
        }
        Ok(self)
    }

    /// Ends the threads and syncs the log.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        let Self { service, writer, stopping, threads } = self;
        stopping.store(true, Ordering::Relaxed);
        for thread in threads {
            let _ = thread.join();
        }
        drop(service);
        let writer = Arc::into_inner(writer).context("a request did not end, and holds the log: it is not synced")?;
        Ok(writer.close()?)
    }
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
pub(crate) fn fold_log(
    store: &Store,
    config: &Config,
    progress: &mut ProgressBars,
    tell: &mut dyn FnMut(LogSeq),
) -> anyhow::Result<FeatureState> {
    let head = store.reader()?.head()?.log_seq;
    let durable = DurableState::new(store.clone(), Arc::clone(&config.events));
    progress.begin("replaying the log", Some(head.0));
    let mut replayed = 0_u64;
    let state = durable.restore(&mut |log_seq| {
        replayed += 1;
        progress.at(log_seq.0);
        tell(log_seq);
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

/// Says what cannot serve, and counts it.
fn refuse(error: &anyhow::Error, told: &str) {
    counter!(BUNDLES_REFUSED).increment(1);
    tracing::error!(error = format!("{error:#}"), "{told}");
}

fn load(store: &Store, id: &BundleId) -> anyhow::Result<Bundle> {
    Bundle::load(&store.registry(), &store.reader()?, id).with_context(|| format!("bundle {id} cannot serve"))
}
