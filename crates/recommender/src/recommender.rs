use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use shortlist_embedding::EncoderScratch;
use shortlist_features::{FeatureState, FoldError};
use shortlist_store::BundleId;
use shortlist_types::{Budget, InvalidInput, LogRecord, LogSeq, Timestamp, UserId};

use crate::models::MET_AT_ONCE;
use crate::similar::{Similar, similar};
use crate::{Answer, Bundle, Models, Pipeline, Request, Scratch};

/// Why a question got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecommendError {
    /// The request itself cannot be taken.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// The item asked about is not in the catalogue.
    #[error("item_id: no item is called {item_id:?}")]
    UnknownItem {
        /// The name that was given.
        item_id: String,
    },
}

/// What one request sees of the learned world: at most one bundle, as a whole.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The bundle that serves, if there is one.
    pub bundle: Option<Arc<Bundle>>,
}

impl Snapshot {
    fn models(&self) -> Option<&Models> {
        self.bundle.as_ref().map(|bundle| &bundle.models)
    }

    fn bundle_id(&self) -> Option<BundleId> {
        self.bundle.as_ref().map(|bundle| bundle.id.clone())
    }
}

/// The service's heart, shared by all requests: the fold's state, the current bundle, the pipeline.
pub struct Recommender {
    state: RwLock<FeatureState>,
    snapshot: ArcSwap<Snapshot>,
    pipeline: Pipeline,
    /// Buffers of requests that are done; as many as ever ran at once.
    scratch: Mutex<Vec<Scratch>>,
}

impl Recommender {
    /// A recommender over a state, without a bundle.
    pub fn new(state: FeatureState, pipeline: Pipeline) -> Self {
        Self { state: RwLock::new(state), snapshot: ArcSwap::default(), pipeline, scratch: Mutex::default() }
    }

    /// Serves from `bundle` from the next request on; running requests finish with the old one.
    ///
    /// Items that the bundle's training never met are placed by their attributes first, a few at a time,
    /// so that writers wait for no more than those.
    pub fn swap(&self, bundle: Option<Arc<Bundle>>) {
        let space = bundle.as_ref().and_then(|bundle| bundle.models.space.as_ref());
        loop {
            let state = self.state.read();
            // The last ones and the swap under one guard: an item that is put later is placed as it comes.
            if space.is_none_or(|space| space.meet(&state, MET_AT_ONCE)) {
                self.snapshot.store(Arc::new(Snapshot { bundle: bundle.clone() }));
                return;
            }
            drop(state);
            // New items by the thousand go into the index before there are too many to scan.
            if let Some(space) = space {
                space.keep_fast();
            }
        }
    }

    /// What requests see now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Applies records that are durable, in log order.
    ///
    /// # Errors
    /// A record out of sequence; the records before it are applied.
    pub fn apply(&self, records: &[(LogSeq, LogRecord)]) -> Result<(), FoldError> {
        let mut state = self.state.write();
        let snapshot = self.snapshot.load();
        let mut scratch = EncoderScratch::default();
        records.iter().try_for_each(|(log_seq, record)| {
            state.apply(*log_seq, record)?;
            // A new item has a place among the others before its put is acknowledged.
            if let Some(models) = snapshot.models() {
                models.follow(&state, record, &mut scratch);
            }
            Ok(())
        })
    }

    /// Forgets a user whose records were erased. Called on the log's writer thread, like
    /// [`Self::apply`], so that it stands in order with his later events.
    pub fn forget(&self, user_id: &UserId) {
        self.state.write().forget(user_id.as_str());
    }

    /// Reads the state under the guard that requests use: keep it short.
    pub fn read<R>(&self, read: impl FnOnce(&FeatureState) -> R) -> R {
        read(&self.state.read())
    }

    /// Which k items should this user see now?
    ///
    /// # Errors
    /// [`RecommendError::Invalid`].
    pub fn recommend(&self, request: &Request, now: Timestamp, budget: &dyn Budget) -> Result<Answer, RecommendError> {
        let snapshot = self.snapshot.load();
        self.with_scratch(|scratch| {
            let state = self.state.read();
            let answer = self.pipeline.recommend(&state, snapshot.models(), request, now, budget, scratch)?;
            Ok(Answer { bundle: snapshot.bundle_id(), ..answer })
        })
    }

    /// Which k items are most like this one?
    ///
    /// # Errors
    /// A bad k, or an item that is not in the catalogue.
    pub fn similar(&self, item_id: &str, k: usize, budget: &dyn Budget) -> Result<Similar, RecommendError> {
        let snapshot = self.snapshot.load();
        self.with_scratch(|scratch| {
            let answer = similar(&self.state.read(), snapshot.models(), item_id, k, budget, scratch)?;
            Ok(Similar { bundle: snapshot.bundle_id(), ..answer })
        })
    }

    fn with_scratch<R>(&self, work: impl FnOnce(&mut Scratch) -> R) -> R {
        let mut scratch = self.scratch.lock().pop().unwrap_or_default();
        let result = work(&mut scratch);
        self.scratch.lock().push(scratch);
        result
    }
}
