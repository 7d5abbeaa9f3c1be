use std::collections::HashSet;
use std::sync::Arc;

use roaring::RoaringBitmap;
use shortlist_features::FeatureState;
use shortlist_retrieval::{Allowed, Found, SearchParams};
use shortlist_types::limits::EXCLUDE_MAX;
use shortlist_types::{Budget, Embedding, InvalidInput, ItemId, ItemIdx};

use crate::given_space::GivenSpace;
use crate::request::check_k;
use crate::{Degraded, Expression, RecommendError, Scratch, Similar, SimilarItem};

/// How hard the search tries: about 99 in 100 of a hundred neighbours are found.
const EF_SEARCH: usize = 3_200;

/// A checked question: which items' embeddings are nearest to this vector?
#[derive(Debug, Clone, PartialEq)]
pub struct VectorQuery {
    /// Of the dimensions of the items' embeddings.
    pub vector: Embedding,
    /// How many items, 1 to [`shortlist_types::limits::K_MAX`].
    pub k: usize,
    /// What the items must be.
    pub filter: Option<Arc<Expression>>,
    /// Items that must not be in the answer.
    pub exclude: Vec<ItemId>,
}

/// The items that may be recommended whose own embeddings point most nearly where the vector does, by cosine; ties by
/// number. Items without an embedding are not found.
///
/// **Cost**: one search; with a filter one look per item that the search meets.
///
/// # Errors
/// A bad k, a list that is too long, or a vector of other dimensions.
pub(crate) fn search(
    state: &FeatureState,
    space: &GivenSpace,
    query: &VectorQuery,
    budget: &dyn Budget,
    scratch: &mut Scratch,
) -> Result<Similar, RecommendError> {
    check_k(query.k)?;
    if query.exclude.len() > EXCLUDE_MAX {
        let reason = format!("must have at most {EXCLUDE_MAX} entries, got {}", query.exclude.len());
        return Err(InvalidInput::new("exclude", reason).into());
    }
    let catalog = state.catalog();
    let vector = query.vector.as_slice();
    if let Some(expected) = catalog.embedding_dimensions().filter(|dimensions| *dimensions != vector.len()) {
        let reason = format!("must have {expected} dimensions, as the items' embeddings, got {}", vector.len());
        return Err(InvalidInput::new("vector", reason).into());
    }
    let excluded: HashSet<ItemIdx> = query.exclude.iter().filter_map(|id| catalog.find(id.as_str())).collect();
    let set = query.filter.as_ref().and_then(|filter| filter.allow_set(catalog)).filter(|set| set.exact);
    let set = set.map(|set| {
        let excluded: RoaringBitmap = excluded.iter().map(|item| item.0).collect();
        set.items - excluded
    });
    let is_allowed = |item: ItemIdx| {
        let holds = |filter: &Arc<Expression>| catalog.get(item).is_some_and(|entry| filter.holds(entry));
        catalog.is_recommendable(item) && !excluded.contains(&item) && query.filter.as_ref().is_none_or(holds)
    };
    let allowed = set.as_ref().map_or(Allowed::Predicate(&is_allowed), Allowed::Set);
    let params = SearchParams::new(query.k, EF_SEARCH);
    let found = space.search(vector, params, allowed, budget, &mut scratch.search);
    let (found, degraded) = match found {
        Ok(found) if found.complete => (found, Vec::new()),
        Ok(found) => (found, vec![Degraded::SourceTimeout]),
        // State and index are read one after the other: the embeddings may just have become others.
        Err(error) => {
            tracing::warn!(%error, "the search for embeddings refused a vector");
            (Found::default(), vec![Degraded::AnnFailed])
        }
    };
    let items = found.neighbors.iter().filter_map(|neighbor| {
        Some(SimilarItem { item_id: catalog.get(neighbor.item)?.id.clone(), score: neighbor.score })
    });
    Ok(Similar { items: items.collect(), bundle: None, log_seq: state.log_seq(), degraded })
}
