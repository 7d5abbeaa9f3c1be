use shortlist_features::FeatureState;
use shortlist_retrieval::{Allowed, SearchParams};
use shortlist_store::BundleId;
use shortlist_types::{Budget, ItemIdx, LogSeq, Score, dot};

use crate::request::check_k;
use crate::{Degraded, Models, RecommendError, Scratch, SimilarItem};

/// Neighbours fetched per neighbour returned: by inner product the popular items come first, so the
/// nearest by angle are found among many.
const OVER_FETCH: usize = 20;
/// How hard the search for them tries.
const EF_SEARCH: usize = 3_200;
/// Fewest neighbours fetched.
const FETCH_MIN: usize = 500;

/// The answer to "what is similar to this item?".
#[derive(Debug, Clone, PartialEq)]
pub struct Similar {
    /// Items, most similar first; empty when the bundle has no vector for the item.
    pub items: Vec<SimilarItem>,
    /// The bundle that served, if there was one.
    pub bundle: Option<BundleId>,
    /// The state that served.
    pub log_seq: LogSeq,
    /// What was less than asked, and why.
    pub degraded: Vec<Degraded>,
}

/// The items whose embeddings point most nearly the same way, by cosine; ties by number.
///
/// **Cost**: one search for twenty times k neighbours and a re-scoring of each.
///
/// # Errors
/// A bad k, or an item that is not in the catalogue.
pub(crate) fn similar(
    state: &FeatureState,
    models: Option<&Models>,
    item_id: &str,
    k: usize,
    budget: &dyn Budget,
    scratch: &mut Scratch,
) -> Result<Similar, RecommendError> {
    check_k(k)?;
    let unknown = || RecommendError::UnknownItem { item_id: item_id.to_owned() };
    let item = state.catalog().find(item_id).ok_or_else(unknown)?;
    if state.catalog().get(item).is_none_or(|entry| entry.deleted) {
        return Err(unknown());
    }
    let answer = |items, degraded| Similar { items, bundle: None, log_seq: state.log_seq(), degraded };
    let Some(models) = models else { return Ok(answer(Vec::new(), vec![Degraded::NoBundle])) };
    let space = models.space.as_ref();
    let Some((space, vector)) = space.and_then(|space| Some((space, space.vector(item)?))) else {
        return Ok(answer(Vec::new(), vec![Degraded::ItemNotInBundle]));
    };
    let fetch = (k * OVER_FETCH).max(FETCH_MIN);
    let other = |other: ItemIdx| other != item && state.catalog().is_recommendable(other);
    let params = SearchParams::new(fetch, EF_SEARCH);
    let found = match space.search(&vector, params, Allowed::Predicate(&other), budget, &mut scratch.search) {
        Ok(found) => found,
        // The bundle was checked when it was loaded: its own vectors fit its index.
        Err(error) => {
            tracing::error!(%error, "neighbour search refused an item's vector");
            return Ok(answer(Vec::new(), vec![Degraded::AnnFailed]));
        }
    };
    let length = |vector: &[f32]| dot(vector, vector).sqrt().max(f32::MIN_POSITIVE);
    let own_length = length(&vector);
    let mut scored: Vec<_> = found
        .neighbors
        .iter()
        .filter_map(|neighbor| {
            let other = space.vector(neighbor.item)?;
            let cosine = dot(&vector, &other) / (own_length * length(&other));
            Some((Score::parse(cosine).ok()?, neighbor.item))
        })
        .collect();
    scored.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let named = scored
        .into_iter()
        .take(k)
        .filter_map(|(score, other)| Some(SimilarItem { item_id: state.catalog().get(other)?.id.clone(), score }));
    let degraded = if found.complete { Vec::new() } else { vec![Degraded::SourceTimeout] };
    Ok(answer(named.collect(), degraded))
}
