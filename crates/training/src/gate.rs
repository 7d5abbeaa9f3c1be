use shortlist_features::FeatureState;
use shortlist_recommender::{Models, Pipeline, Request, Scratch};
use shortlist_types::{Timestamp, Unlimited, UserId};

use crate::rows::K;
use crate::{Metrics, Report};

/// Whether a new bundle may serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateDecision {
    /// It may.
    Passed,
    /// It may not, and why.
    Refused {
        /// What was expected and what was got.
        reason: String,
    },
}

/// Known users asked before promotion, besides an unknown one.
const GOLDEN_USERS: usize = 20;

/// The minimal gate: all reported numbers finite, golden requests answered in full, and an NDCG@10
/// that is not below popularity's. That vectors and weights are finite holds by their types.
pub(crate) fn gate(
    state: &FeatureState,
    pipeline: &Pipeline,
    models: &Models,
    report: &Report,
    now: Timestamp,
) -> GateDecision {
    let Metrics { candidate_recall, auc, log_loss, ndcg_at_10: ndcg, .. } = report.metrics;
    let numbers = [candidate_recall, auc, log_loss, ndcg.two_stage, ndcg.retrieval_order, ndcg.popularity];
    if let Some(number) = numbers.iter().find(|number| !number.is_finite()) {
        return GateDecision::Refused { reason: format!("the report holds {number}") };
    }
    if ndcg.two_stage < ndcg.popularity {
        let reason = format!(
            "NDCG@10 is {:.4}, popularity alone has {:.4}: more events, or another training config, may help",
            ndcg.two_stage, ndcg.popularity
        );
        return GateDecision::Refused { reason };
    }
    match golden_requests(state, pipeline, models, now) {
        Ok(()) => GateDecision::Passed,
        Err(reason) => GateDecision::Refused { reason },
    }
}

/// Asks for known users, evenly spread, and for an unknown one.
fn golden_requests(state: &FeatureState, pipeline: &Pipeline, models: &Models, now: Timestamp) -> Result<(), String> {
    let step = (state.users().len() / GOLDEN_USERS).max(1);
    let known = state.users().step_by(step).filter_map(|(user, _)| state.user_id(user).cloned());
    let unknown = UserId::parse("an unknown user of the gate").ok();
    let mut scratch = Scratch::default();
    for user in known.map(Some).chain([unknown]) {
        let request = Request::of(user.clone(), K);
        let answer = pipeline.recommend(state, Some(models), &request, now, &Unlimited, &mut scratch);
        let answer = answer.map_err(|error| format!("a golden request was refused: {error}"))?;
        // Few items may be left for a user of a small catalogue, but then all of them come.
        let seen = user.as_ref().and_then(|user| state.user(user.as_str()));
        let left = state.catalog().iter().filter(|(item, _)| {
            state.catalog().is_recommendable(*item) && !seen.is_some_and(|user| user.has_seen(*item, now))
        });
        if answer.items.len() < left.take(K).count() || !answer.degraded.is_empty() {
            let user = user.map_or_else(|| "nobody".to_owned(), |user| user.to_string());
            let (items, degraded) = (answer.items.len(), &answer.degraded);
            return Err(format!("the golden request of {user} got {items} items, degraded {degraded:?}"));
        }
    }
    Ok(())
}
