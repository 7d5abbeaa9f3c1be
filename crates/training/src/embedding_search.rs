use std::collections::HashSet;

use shortlist_embedding::{FoldInScratch, IalsConfig, IalsModel, Interactions};
use shortlist_evaluation::ndcg_at_k;
use shortlist_features::FeatureState;
use shortlist_retrieval::{Allowed, Metric, exact};
use shortlist_store::LogReader;
use shortlist_types::{ItemIdx, LogSeq, Unlimited};

use crate::decision::Decision;
use crate::replay::replay_to_stops;
use crate::{Progress, TrainingError};

/// Decisions on which the combinations are compared: enough to tell them apart.
pub(crate) const COMPARED_ON_MAX: usize = 500;

/// Fits every combination on what the users of `state` showed interest in.
pub(crate) fn fit(
    state: &FeatureState,
    combinations: &[IalsConfig],
    seed: u64,
    progress: &mut dyn Progress,
) -> Result<Vec<IalsModel>, TrainingError> {
    let interests = state
        .users()
        .flat_map(|(user, known)| known.interests().into_iter().map(move |entry| (user, entry.item, entry.interest)));
    let interactions = Interactions::parse(interests.collect())?;
    let epochs: usize = combinations.iter().map(|combination| combination.epochs).sum();
    progress.begin("fitting item embeddings", Some(epochs as u64));
    let mut models = Vec::with_capacity(combinations.len());
    let mut done = 0;
    for combination in combinations {
        models.push(IalsModel::fit(&interactions, combination, seed, &mut |epoch| progress.at((done + epoch) as u64))?);
        done += combination.epochs;
    }
    let (users, items) = (interactions.users().len(), interactions.items().len());
    progress.end(&format!("{users} users, {items} items, {} combinations", models.len()));
    Ok(models)
}

/// The combination whose own order, by inner product over all items that the user has not seen, has
/// the best mean NDCG@10 at `decisions`; the first of equals. Leaves `state` at `until`.
pub(crate) fn best(
    log: &LogReader,
    state: &mut FeatureState,
    until: LogSeq,
    decisions: &[Decision],
    models: &[IalsModel],
    progress: &mut dyn Progress,
) -> Result<IalsConfig, TrainingError> {
    progress.begin("comparing item embeddings", Some(decisions.len() as u64));
    let stops: Vec<_> = decisions.iter().map(|decision| decision.before).collect();
    let mut sums = vec![0.0; models.len()];
    let mut scratch = FoldInScratch::default();
    replay_to_stops(log, state, until, &stops, &mut |state, stop| {
        for (sum, model) in sums.iter_mut().zip(models) {
            *sum += own_ndcg(state, model, &decisions[stop], &mut scratch)?;
        }
        progress.at(stop as u64 + 1);
        Ok(())
    })?;
    let best = (0..models.len()).rev().max_by(|a, b| sums[*a].total_cmp(&sums[*b])).unwrap_or(0);
    let chosen = *models[best].config();
    let mean = sums[best] / decisions.len().max(1) as f64;
    progress.end(&format!(
        "unobserved_weight {}, regularization {}: NDCG@10 {mean:.4}",
        chosen.unobserved_weight, chosen.regularization
    ));
    Ok(chosen)
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
    let allowed = |item: ItemIdx| state.catalog().is_recommendable(item) && !user.has_seen(item, decision.now);
    let found = exact(model.table(), Metric::Ip, vector.as_slice(), 10, Allowed::Predicate(&allowed), &Unlimited)?;
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
