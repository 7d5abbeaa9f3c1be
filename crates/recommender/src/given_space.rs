use std::sync::Arc;

use arc_swap::ArcSwapOption;
use shortlist_features::FeatureState;
use shortlist_retrieval::{
    Allowed, Found, FrozenIndex, IndexConfig, LiveIndex, Metric, RetrievalError, SearchParams, SearchScratch,
};
use shortlist_types::{Budget, EmbeddingTable, InvalidInput, ItemIdx, LogRecord};

/// Where owners placed their items by embeddings of their own, searched by cosine. It never meets a model's vectors.
///
/// A cache of what the catalogue holds, kept in step with it.
#[derive(Debug, Default)]
pub(crate) struct GivenSpace(ArcSwapOption<Space>);

#[derive(Debug)]
struct Space {
    dimensions: usize,
    index: LiveIndex,
}

/// Why an embedding has no place.
#[derive(Debug, thiserror::Error)]
enum PlaceError {
    #[error(transparent)]
    Dimensions(#[from] InvalidInput),
    #[error(transparent)]
    Index(#[from] RetrievalError),
}

impl GivenSpace {
    /// The embeddings of a catalogue.
    ///
    /// **Cost**: that of building an index of them.
    pub(crate) fn of(state: &FeatureState) -> Self {
        let space = Self::default();
        for (number, _) in state.catalog().iter() {
            space.place(state, number);
            space.keep_fast();
        }
        space
    }

    /// Keeps the items' places: to be called with every record that `state` has taken in.
    pub(crate) fn follow(&self, state: &FeatureState, record: &LogRecord) {
        let item_id = match record {
            LogRecord::ItemPut { item, .. } => &item.item_id,
            LogRecord::ItemDelete { item_id, .. } => item_id,
            _ => return,
        };
        if let Some(number) = state.catalog().find(item_id.as_str()) {
            self.place(state, number);
        }
    }

    fn place(&self, state: &FeatureState, number: ItemIdx) {
        let space = self.0.load_full();
        let Some(embedding) = state.catalog().get(number).and_then(|entry| entry.embedding.as_ref()) else {
            if let Some(space) = space {
                space.index.remove(number);
            }
            return;
        };
        let dimensions = embedding.as_slice().len();
        let space = space.filter(|space| space.dimensions == dimensions);
        let space = space.map_or_else(|| self.begin(dimensions), Ok);
        let placed = space.and_then(|space| Ok(space.index.insert(number, embedding.as_slice())?));
        if let Err(error) = placed {
            tracing::warn!(item = number.0, %error, "an item's embedding could not be placed; its next put tries again");
        }
    }

    /// A space without items.
    fn begin(&self, dimensions: usize) -> Result<Arc<Space>, PlaceError> {
        let nothing = EmbeddingTable::parse(dimensions, Vec::new(), Vec::new())?;
        let config = IndexConfig::default().with_metric(Metric::Cosine);
        let index = FrozenIndex::build(&nothing, &config, 1, &mut |_| ())?;
        let space = Arc::new(Space { dimensions, index: LiveIndex::new(Arc::new(index)) });
        self.0.store(Some(Arc::clone(&space)));
        Ok(space)
    }

    /// The allowed items whose embeddings point most nearly where `query` does; nothing while no item has one.
    ///
    /// # Errors
    /// A query of other dimensions.
    pub(crate) fn search(
        &self,
        query: &[f32],
        params: SearchParams,
        allowed: Allowed<'_>,
        budget: &dyn Budget,
        scratch: &mut SearchScratch,
    ) -> Result<Found, RetrievalError> {
        match self.0.load_full() {
            Some(space) => space.index.search(query, params, allowed, budget, scratch),
            None => Ok(Found { neighbors: Vec::new(), complete: true }),
        }
    }

    /// Freezes what was placed lately, if there is enough of it.
    pub(crate) fn keep_fast(&self) {
        let Some(space) = self.0.load_full() else { return };
        let frozen = space.index.due().map_or(Ok(()), |freeze| space.index.freeze(freeze, 1));
        if let Err(error) = frozen {
            tracing::error!(%error, "embeddings of items could not be frozen into the index; they are scanned");
        }
    }
}
