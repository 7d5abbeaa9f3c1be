use serde::Serialize;
use shortlist_embedding::{BlendConfig, Interactions};

use super::blend_weights::{blend_weights, half_way};
use super::candidate_scores::CandidateScores;
use super::fitted_part::{FittedPart, PartConfig, blend_of};
use super::spaces::{configured, space};
use super::{Case, RetrievalConfig, Studies};
use crate::tuning::{Objective, Study, StudyConfig};
use crate::{Progress, TrainingError};

/// What a choice is made on.
#[derive(Debug, Clone, Copy)]
pub struct Validation<'a> {
    /// What the models are fitted on.
    pub interactions: &'a Interactions,
    /// What they are compared on; nothing of it is in the interactions.
    pub cases: &'a [Case],
    /// Length of the lists that are compared.
    pub k: usize,
    /// Whether they were drawn as those will be who are served or judged; else weights are kept near the
    /// usual ones.
    pub is_like_the_test: bool,
    /// Says which data this is, so that kept trials of other data are not taken over.
    pub data: &'a str,
}

/// The models that were chosen, and what was seen on the way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// What to fit.
    pub blend: BlendConfig,
    /// NDCG at k on validation, flattered by the choice.
    pub ndcg: f64,
    /// Every trial of every model, model by model, best first.
    pub trials: Vec<TriedModel>,
}

/// One trial of one model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TriedModel {
    /// Which model.
    pub model: &'static str,
    /// `defaults`, or which trial.
    pub trial: String,
    /// Its hyper-parameters.
    pub parameters: String,
    /// NDCG at k on validation; none if it failed.
    pub ndcg: Option<f64>,
    /// `best`, `ok`, or why it failed.
    pub status: String,
    /// How long it took; 0 without a clock.
    pub seconds: f64,
    /// Its weight in the blend, if it is the best of its model.
    pub weight: Option<f32>,
}

/// Tries hyper-parameters of every model that the config names, then weighs the best of each.
///
/// **Cost**: per trial one fit and a scoring of all cases.
///
/// # Errors
/// A bad configuration, or a model of which no trial could be fitted.
pub fn choose(
    validation: Validation<'_>,
    config: &RetrievalConfig,
    seed: u64,
    studies: &mut dyn Studies,
    progress: &mut dyn Progress,
) -> Result<Choice, TrainingError> {
    config.check()?;
    if validation.cases.is_empty() {
        // Nothing to compare on: what most data is served well by.
        return Ok(Choice { blend: config.start(validation.interactions), ndcg: 0.0, trials: Vec::new() });
    }
    let mut chosen: Vec<(PartConfig, FittedPart)> = Vec::new();
    let mut trials = Vec::new();
    let mut best_rows = Vec::new();
    for start in config.parts(validation.interactions) {
        let (part, fitted, rows) = best_of_kind(validation, &start, config.trials, seed, studies, progress)?;
        best_rows.push(trials.len());
        trials.extend(rows);
        chosen.push((part, fitted));
    }
    progress.begin("weighing the models", None);
    let (configs, fitted): (Vec<PartConfig>, Vec<FittedPart>) = chosen.into_iter().unzip();
    let scores = CandidateScores::of(validation.cases, &fitted);
    let usual: Vec<f32> = configs.iter().map(PartConfig::usual_weight).collect();
    let (found, ndcg) = blend_weights(&scores, &usual, validation.k);
    let (weights, ndcg) = if validation.is_like_the_test {
        (found, ndcg)
    } else {
        let weights = half_way(&found, &usual);
        let values = scores.ndcg(&weights, validation.k);
        (weights, values.iter().sum::<f64>() / values.len() as f64)
    };
    for (row, weight) in best_rows.into_iter().zip(&weights) {
        trials[row].weight = Some(*weight);
    }
    let blend = blend_of(configs, &weights);
    progress.end(&format!("{}: NDCG@{} {ndcg:.4}", blend.name(), validation.k));
    Ok(Choice { blend, ndcg, trials })
}

/// Tells apart what trials depend on beside the searched hyper-parameters: those that are not, and what
/// models are compared on (FNV-1a).
fn fingerprint(start: &PartConfig, cases: &[Case]) -> u64 {
    let fixed = format!("{start:?}").into_bytes().into_iter().map(u64::from);
    let of_case = |case: &Case| {
        let mut wanted: Vec<u64> = case.wanted.iter().map(|item| u64::from(item.0)).collect();
        wanted.sort_unstable();
        let events = case.events.iter().map(|event| u64::from(event.0.0)).collect::<Vec<_>>();
        [vec![case.allowed.len()], wanted, events].concat()
    };
    let all = fixed.chain(cases.iter().flat_map(of_case));
    all.fold(0xcbf2_9ce4_8422_2325, |hash, value| (hash ^ value).wrapping_mul(0x0100_0000_01b3))
}

/// The best trial of one kind of model, fitted, and the rows of all of them.
fn best_of_kind(
    validation: Validation<'_>,
    start: &PartConfig,
    trials_max: usize,
    seed: u64,
    studies: &mut dyn Studies,
    progress: &mut dyn Progress,
) -> Result<(PartConfig, FittedPart, Vec<TriedModel>), TrainingError> {
    let Validation { interactions, cases, k, data, .. } = validation;
    let name = start.name();
    let config = StudyConfig {
        trials_max,
        seconds_max: None,
        seed,
        metric: format!("ndcg_at_{k}"),
        data_fingerprint: format!("{name} {:016x}, {data}", fingerprint(start, cases)),
    };
    let mut study = Study::new(space(start)?, config)?;
    // The best so far stays fitted: it is needed again for the weights.
    let mut kept: Option<(f64, String, FittedPart)> = None;
    let mut evaluate = |trial: &crate::tuning::Trial| {
        let part = configured(start, trial)?;
        let fitted = part.fit(interactions, seed).map_err(|error| error.to_string())?;
        let scores = CandidateScores::of(cases, std::slice::from_ref(&fitted));
        let values = scores.ndcg(&[1.0], k);
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        if kept.as_ref().is_none_or(|(best, ..)| mean > *best) {
            kept = Some((mean, trial.canonical(), fitted));
        }
        Objective::of_users(values).map_err(|error| error.to_string())
    };
    let best = studies.run(name, &mut study, &mut evaluate, progress)?;
    let part = configured(start, &best.trial).map_err(|reason| shortlist_types::InvalidInput::new(name, reason))?;
    let fitted = match kept {
        Some((_, trial, fitted)) if trial == best.trial.canonical() => fitted,
        // Its trial was taken over from a journal.
        _ => part.fit(interactions, seed)?,
    };
    let rows = study.table().into_iter().map(|row| TriedModel {
        model: name,
        trial: row.name,
        parameters: row.trial.to_string(),
        ndcg: row.measurement.map(|measurement| measurement.mean),
        status: row.status,
        seconds: row.seconds,
        weight: None,
    });
    Ok((part, fitted, rows.collect()))
}
