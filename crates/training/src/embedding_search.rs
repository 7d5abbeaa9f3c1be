use std::collections::HashSet;

use shortlist_embedding::{FoldInScratch, IalsConfig, IalsModel, Interactions};
use shortlist_evaluation::ndcg_at_k;
use shortlist_features::FeatureState;
use shortlist_retrieval::exact;
use shortlist_store::LogReader;
use shortlist_types::{ItemIdx, LogSeq, Unlimited};

use crate::decision::Decision;
use crate::replay::replay_to_stops;
use crate::{Progress, TrainingConfig, TrainingError};

/// Decisions on which the combinations are compared: enough to tell them apart.
const COMPARED_ON_MAX: usize = 500;

/// Fits every combination of the search on `interactions` and keeps the one whose own order, by inner
/// product over all items that the user has not seen, has the best NDCG@10 at `decisions`.
///
/// `state` is the fold at the begin of the ranker's slice; `until` is the slice's end.
pub(crate) fn fit_best(
    log: &LogReader,
    state: &FeatureState,
    until: LogSeq,
    decisions: &[Decision],
    config: &TrainingConfig,
    seed: u64,
    progress: &mut dyn Progress,
) -> Result<IalsModel, TrainingError> {
    let triples = state
        .users()
        .flat_map(|(user, known)| known.interests().into_iter().map(move |entry| (user, entry.item, entry.interest)));
    let interactions = Interactions::parse(triples.collect())?;
    let combinations = config.embedding_search.combinations(&config.embedding);
    let mut models = fit_all(&interactions, &combinations, seed, progress)?;
    if models.len() > 1 {
        let best = compare(log, state, until, thinned(decisions), &models, progress)?;
        return Ok(models.swap_remove(best));
    }
    models.pop().ok_or(TrainingError::NoEvents)
}

fn fit_all(
    interactions: &Interactions,
    combinations: &[IalsConfig],
    seed: u64,
    progress: &mut dyn Progress,
) -> Result<Vec<IalsModel>, TrainingError> {
    let epochs: usize = combinations.iter().map(|combination| combination.epochs).sum();
    progress.begin("fitting item embeddings", Some(epochs as u64));
    let mut models = Vec::with_capacity(combinations.len());
    let mut done = 0;
    for combination in combinations {
        models.push(IalsModel::fit(interactions, combination, seed, &mut |epoch| progress.at((done + epoch) as u64))?);
        done += combination.epochs;
    }
    let (users, items) = (interactions.users().len(), interactions.items().len());
    progress.end(&format!("{users} users, {items} items, {} combinations", models.len()));
    Ok(models)
}

/// At most [`COMPARED_ON_MAX`] decisions, evenly spread.
fn thinned(decisions: &[Decision]) -> Vec<&Decision> {
    let step = decisions.len().div_ceil(COMPARED_ON_MAX).max(1);
    decisions.iter().step_by(step).collect()
}

/// The number of the model with the best mean NDCG@10; the first of equals.
fn compare(
    log: &LogReader,
    state: &FeatureState,
    until: LogSeq,
    decisions: Vec<&Decision>,
    models: &[IalsModel],
    progress: &mut dyn Progress,
) -> Result<usize, TrainingError> {
    progress.begin("comparing item embeddings", Some(decisions.len() as u64));
    let stops: Vec<_> = decisions.iter().map(|decision| decision.before).collect();
    let mut sums = vec![0.0; models.len()];
    let mut scratch = FoldInScratch::default();
    replay_to_stops(log, &mut state.clone(), until, &stops, &mut |state, stop| {
        for (sum, model) in sums.iter_mut().zip(models) {
            *sum += own_ndcg(state, model, decisions[stop], &mut scratch)?;
        }
        progress.at(stop as u64 + 1);
        Ok(())
    })?;
    let best = (0..models.len()).rev().max_by(|a, b| sums[*a].total_cmp(&sums[*b])).unwrap_or(0);
    let chosen = models[best].config();
    let mean = sums[best] / decisions.len().max(1) as f64;
    progress.end(&format!(
        "unobserved_weight {}, regularization {}: NDCG@10 {mean:.4}",
        chosen.unobserved_weight, chosen.regularization
    ));
    Ok(best)
}

/// NDCG@10 of the model's own order; 0 for a user without a vector.
fn own_ndcg(
    state: &FeatureState,
    model: &IalsModel,
    decision: &Decision,
    scratch: &mut FoldInScratch,
) -> Result<f64, TrainingError> {
    let Some(user) = state.user_id(decision.user).and_then(|id| state.user(id.as_str())) else { return Ok(0.0) };
    let interests = user.interests();
    let Some(vector) = model.fold_in(interests.iter().map(|entry| (entry.item, entry.interest)), scratch) else {
        return Ok(0.0);
    };
    let allowed = |item| state.catalog().is_recommendable(item) && !user.has_seen(item, decision.now);
    let found = exact(model.table(), vector.as_slice(), 10, &allowed, &Unlimited)?;
    let ranked: Vec<ItemIdx> = found.neighbors.iter().map(|neighbor| neighbor.item).collect();
    let truth: HashSet<ItemIdx> = eligible_wanted(state, decision);
    Ok(ndcg_at_k(&ranked, &truth, 10).unwrap_or(0.0))
}

/// What the user wanted later and could have been shown at the decision.
pub(crate) fn eligible_wanted(state: &FeatureState, decision: &Decision) -> HashSet<ItemIdx> {
    let user = state.user_id(decision.user).and_then(|id| state.user(id.as_str()));
    let eligible = |item: &ItemIdx| {
        state.catalog().is_recommendable(*item) && !user.is_some_and(|user| user.has_seen(*item, decision.now))
    };
    decision.wanted_later.iter().copied().filter(eligible).collect()
}
