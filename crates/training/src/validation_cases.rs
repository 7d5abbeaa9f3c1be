use std::collections::HashSet;

use shortlist_features::FeatureState;
use shortlist_store::LogReader;
use shortlist_types::{ItemIdx, LogSeq};

use crate::decision::Decision;
use crate::replay::replay_to_stops;
use crate::retrieval::Case;
use crate::{Progress, TrainingError};

/// Decisions on which models are compared: enough to tell them apart.
pub(crate) const COMPARED_ON_MAX: usize = 2_000;

/// What each decision's user had done, could have been shown and wanted next; without those who wanted
/// nothing that could have been shown. Leaves `state` at `until`.
pub(crate) fn validation_cases(
    log: &LogReader,
    state: &mut FeatureState,
    until: LogSeq,
    decisions: &[Decision],
    progress: &mut dyn Progress,
) -> Result<Vec<Case>, TrainingError> {
    progress.begin("gathering users to compare models on", Some(decisions.len() as u64));
    let stops: Vec<_> = decisions.iter().map(|decision| decision.before).collect();
    let mut cases = Vec::with_capacity(decisions.len());
    replay_to_stops(log, state, until, &stops, &mut |_, _| (), &mut |moment, stop| {
        cases.extend(case(moment.state, &decisions[stop]));
        progress.at(stop as u64 + 1);
        Ok(())
    })?;
    progress.end(&format!("{} users", cases.len()));
    Ok(cases)
}

fn case(state: &FeatureState, decision: &Decision) -> Option<Case> {
    let user = state.user_id(decision.user).and_then(|id| state.user(id.as_str()))?;
    let wanted = eligible_wanted(state, decision);
    let mut allowed = state.catalog().recommendable().clone();
    for item in user.seen(decision.now) {
        allowed.remove(item.0);
    }
    allowed.optimize();
    let events = user.interests().iter().map(|entry| (entry.item, entry.interest)).collect();
    (!wanted.is_empty()).then_some(Case { events, allowed, wanted })
}

/// What the user wanted later and could have been shown at the decision.
pub(crate) fn eligible_wanted(state: &FeatureState, decision: &Decision) -> HashSet<ItemIdx> {
    let user = state.user_id(decision.user).and_then(|id| state.user(id.as_str()));
    let eligible = |item: &ItemIdx| {
        state.catalog().is_recommendable(*item) && !user.is_some_and(|user| user.has_seen(*item, decision.now))
    };
    decision.wanted_later.iter().copied().filter(eligible).collect()
}
