use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use shortlist_embedding::{ContentTower, EncoderScratch};
use shortlist_features::FeatureState;
use shortlist_retrieval::{Allowed, Found, FrozenIndex, LiveIndex, RetrievalError, SearchParams, SearchScratch};
use shortlist_types::{Attributes, Budget, ItemIdx};

/// The joined vectors of all items: learned ones in the bundle's index, and those of items that training
/// never met, guessed from their attributes the moment they are put.
#[derive(Debug)]
pub struct ItemSpace {
    learned: Arc<FrozenIndex>,
    /// The learned vectors and the guessed ones, searched together.
    live: LiveIndex,
    guessed: RwLock<HashMap<ItemIdx, Arc<[f32]>>>,
    tower: Option<ContentTower>,
    /// Entries of the catalogue that were looked at.
    met: AtomicUsize,
}

/// The joined vector of one item.
#[derive(Debug, Clone)]
pub enum ItemVector<'a> {
    /// Learned from what users did.
    Learned(&'a [f32]),
    /// Guessed from the item's attributes.
    Guessed(Arc<[f32]>),
}

impl Deref for ItemVector<'_> {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        match self {
            Self::Learned(vector) => vector,
            Self::Guessed(vector) => vector,
        }
    }
}

impl ItemSpace {
    /// The learned vectors, and nothing that places other items among them.
    pub fn new(learned: FrozenIndex) -> Self {
        let learned = Arc::new(learned);
        Self {
            live: LiveIndex::new(Arc::clone(&learned)),
            learned,
            guessed: RwLock::default(),
            tower: None,
            met: AtomicUsize::new(0),
        }
    }

    /// The same space with a tower that places other items.
    #[must_use]
    pub fn with_tower(self, tower: Option<ContentTower>) -> Self {
        Self { tower, ..self }
    }

    /// The index of the learned vectors.
    pub fn learned(&self) -> &FrozenIndex {
        &self.learned
    }

    /// What places items that training never met; none if no item has attributes.
    pub fn tower(&self) -> Option<&ContentTower> {
        self.tower.as_ref()
    }

    /// The item's vector. **Cost**: a binary search, and a look-up for an item that training never met.
    pub fn vector(&self, item: ItemIdx) -> Option<ItemVector<'_>> {
        let learned = self.learned.vector(item).map(ItemVector::Learned);
        learned.or_else(|| self.guessed.read().get(&item).cloned().map(ItemVector::Guessed))
    }

    /// The items with the greatest inner product, as [`FrozenIndex::search`] finds them.
    ///
    /// # Errors
    /// A query of other dimensions.
    pub fn search(
        &self,
        query: &[f32],
        params: SearchParams,
        allowed: Allowed<'_>,
        budget: &dyn Budget,
        scratch: &mut SearchScratch,
    ) -> Result<Found, RetrievalError> {
        self.live.search(query, params, allowed, budget, scratch)
    }

    /// Places an item that training never met by its attributes; the next search finds it. An item that
    /// was learned stays where it is, and one whose attributes say nothing has no place.
    ///
    /// **Cost**: a few microseconds, and 8 bytes per dimension.
    pub fn place(&self, item: ItemIdx, attributes: &Attributes, scratch: &mut EncoderScratch) {
        let Some(tower) = &self.tower else { return };
        if self.learned.vector(item).is_some() {
            return;
        }
        match tower.embed(attributes, scratch) {
            Some(vector) if self.guessed.read().get(&item).is_some_and(|known| **known == *vector.as_slice()) => {}
            Some(vector) => match self.live.insert(item, vector.as_slice()) {
                Ok(()) => {
                    self.guessed.write().insert(item, vector.as_slice().into());
                }
                // The other sources still know it, and its next put tries again.
                Err(error) => tracing::warn!(item = item.0, %error, "a new item could not be placed"),
            },
            None => {
                if self.guessed.write().remove(&item).is_some() {
                    self.live.remove(item);
                }
            }
        }
    }

    /// Places the items of the catalogue that were not looked at before, at most `most` of them; whether
    /// that was all.
    pub fn meet(&self, state: &FeatureState, most: usize) -> bool {
        let catalog = state.catalog();
        let from = self.met.load(Ordering::Relaxed);
        let end = catalog.len().min(from.saturating_add(most));
        let mut scratch = EncoderScratch::default();
        for item in (from..end).filter_map(|number| u32::try_from(number).ok()).map(ItemIdx) {
            if let Some(entry) = catalog.get(item) {
                self.place(item, &entry.attributes, &mut scratch);
            }
        }
        self.met.fetch_max(end, Ordering::Relaxed);
        end == catalog.len()
    }

    /// Freezes what was placed lately, if there is enough of it, so that searches stay fast. Whoever owns
    /// the threads calls this now and then; it takes one of them.
    pub fn keep_fast(&self) {
        let frozen = self.live.due().map_or(Ok(()), |freeze| self.live.freeze(freeze, 1));
        if let Err(error) = frozen {
            tracing::error!(%error, "new items could not be frozen into the index; they are scanned");
        }
    }
}
