//! Follows the registry: what is promoted is seen within a second, loaded, warmed, and serves.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant};

use metrics::counter;
use shortlist_gateway::{BUNDLES_REFUSED, SWAPS, behind};
use shortlist_recommender::{Bundle, Recommender};
use shortlist_store::{BundleId, Store};

use crate::clock;
use crate::serving::load_current;

/// How long requests may take to let go of a bundle that was swapped out.
const LET_GO_MAX: Duration = Duration::from_millis(500);
/// How often it looks for another promoted bundle.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Share of a core that a bundle is warmed with, beside requests.
const WARM_SHARE: f64 = 0.1;
/// A bundle that was refused is tried again after so many looks: it may have been published anew.
const RETRY_AFTER_LOOKS: u32 = 30;

/// What keeps the promoted bundle from serving.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    /// Nobody knows which one it is.
    Unreadable,
    /// This one cannot serve.
    Refused(BundleId),
}

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
            let mut trouble = None;
            let mut looks: u32 = 0;
            while !stopping.load(Ordering::Relaxed) {
                sleep(LOOK_EVERY);
                looks = looks.wrapping_add(1);
                if looks.is_multiple_of(RETRY_AFTER_LOOKS) {
                    trouble = None;
                }
                // A bundle that lets a stage panic must not be the last one that is looked at.
                let look = AssertUnwindSafe(|| self.look(trouble.as_ref(), &stopping));
                trouble = catch_unwind(look).unwrap_or_else(|_| {
                    tracing::error!("the look at the registry panicked; the one in service stays");
                    self.store.registry().current().ok().flatten().map(Trouble::Refused)
                });
            }
        })
    }

    /// Swaps to the promoted bundle, unless it serves or was refused before. What keeps it from serving, told once.
    fn look(&self, known: Option<&Trouble>, stopping: &AtomicBool) -> Option<Trouble> {
        self.recommender.keep_fast();
        let tell = |trouble: Trouble, error: &dyn Display, told: &str| {
            if known != Some(&trouble) {
                counter!(BUNDLES_REFUSED).increment(1);
                tracing::error!(%error, "{told}; the one in service stays");
            }
            Some(trouble)
        };
        let current = match self.store.registry().current() {
            Ok(current) => current,
            Err(error) => return tell(Trouble::Unreadable, &error, "the registry cannot be read"),
        };
        let before = self.recommender.snapshot().bundle.clone();
        if current.as_ref() == before.as_ref().map(|bundle| &bundle.id) {
            return None;
        }
        if let (Some(Trouble::Refused(refused)), Some(current)) = (known, &current)
            && refused == current
        {
            return known.cloned();
        }
        match self.load() {
            Ok(_) if stopping.load(Ordering::Relaxed) => None,
            Ok(bundle) => {
                let id = bundle.as_ref().map(|bundle| bundle.id.to_string());
                let warm = |bundle: &Arc<Bundle>| self.recommender.warm(bundle, clock::now(), WARM_SHARE);
                let lists = bundle.as_ref().map(warm);
                self.recommender.swap(bundle);
                counter!(SWAPS).increment(1);
                tracing::info!(bundle = id, warmed_by_lists = lists, "swapped");
                let_go(before);
                None
            }
            Err(error) => {
                let trouble = current.map_or(Trouble::Unreadable, Trouble::Refused);
                tell(trouble, &format!("{error:#}"), "the promoted bundle cannot serve")
            }
        }
    }

    /// Reads and checks the promoted bundle, a second's work and more, behind those who answer. To warm it and to swap
    /// takes the state, as requests do, and must not be held up.
    fn load(&self) -> anyhow::Result<Option<Arc<Bundle>>> {
        behind(|| load_current(&self.store))?
    }
}

/// Frees a bundle that was swapped out, which takes some tenths of a second at a million items, behind those who answer.
/// Else the last request that reads it would.
fn let_go(before: Option<Arc<Bundle>>) {
    let freed = behind(move || {
        let until = Instant::now() + LET_GO_MAX;
        while before.as_ref().is_some_and(|bundle| Arc::strong_count(bundle) > 1) && Instant::now() < until {
            sleep(Duration::from_millis(5));
        }
    });
    if let Err(error) = freed {
        tracing::warn!(%error, "the bundle that was swapped out is freed before those who answer");
    }
}
