//! Follows the registry: what is promoted serves within a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::Duration;

use metrics::counter;
use shortlist_gateway::{BUNDLES_REFUSED, SWAPS};
use shortlist_recommender::{Bundle, Recommender};
use shortlist_store::{BundleId, Store};

use crate::clock;
use crate::maintenance::stand_back;
use crate::serving::load_current;

/// How often it looks for another promoted bundle.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A bundle that was refused is tried again after so many looks: it may have been published anew.
const RETRY_AFTER_LOOKS: u32 = 30;

/// The thread that swaps to what was promoted. One that cannot serve is said and tried again every half minute, and the
/// current one stays.
pub(crate) struct RegistryWatch {
    pub(crate) store: Store,
    pub(crate) recommender: Arc<Recommender>,
}

impl RegistryWatch {
    /// Works until `stopping`.
    pub(crate) fn start(self, stopping: Arc<AtomicBool>) -> std::io::Result<JoinHandle<()>> {
        Builder::new().name("registry-watch".to_owned()).spawn(move || {
            let mut refused = None;
            let mut looks: u32 = 0;
            while !stopping.load(Ordering::Relaxed) {
                sleep(LOOK_EVERY);
                looks = looks.wrapping_add(1);
                if looks.is_multiple_of(RETRY_AFTER_LOOKS) {
                    refused = None;
                }
                self.recommender.keep_fast();
                refused = self.look(refused, &stopping);
            }
        })
    }

    /// Swaps to the promoted bundle, unless it serves or was refused before; the one that is refused now.
    fn look(&self, refused: Option<BundleId>, stopping: &AtomicBool) -> Option<BundleId> {
        let current = match self.store.registry().current() {
            Ok(current) => current,
            Err(error) => {
                tracing::warn!(%error, "cannot read the registry; the bundle in service stays");
                return refused;
            }
        };
        let serving = self.recommender.snapshot().bundle.as_ref().map(|bundle| bundle.id.clone());
        if current == serving || current == refused {
            return refused;
        }
        match self.load() {
            Ok(_) if stopping.load(Ordering::Relaxed) => refused,
            Ok(bundle) => {
                let id = bundle.as_ref().map(|bundle| bundle.id.to_string());
                bundle.iter().for_each(|bundle| self.recommender.warm(bundle, clock::now()));
                self.recommender.swap(bundle);
                counter!(SWAPS).increment(1);
                tracing::info!(bundle = id, "swapped");
                refused
            }
            Err(error) => {
                counter!(BUNDLES_REFUSED).increment(1);
                tracing::error!(
                    error = format!("{error:#}"),
                    "the promoted bundle cannot serve; the one in service stays"
                );
                current
            }
        }
    }

    /// Reads and checks the promoted bundle, a second's work and more, behind those who answer. To warm it and to swap
    /// takes the state, as requests do, and must not be held up.
    fn load(&self) -> anyhow::Result<Option<Arc<Bundle>>> {
        std::thread::scope(|scope| {
            let loading = scope.spawn(|| {
                stand_back();
                load_current(&self.store)
            });
            loading.join().map_err(|_| anyhow::anyhow!("the thread that loads it panicked"))?
        })
    }
}
