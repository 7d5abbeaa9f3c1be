use std::cmp::Ordering;
use std::collections::HashSet;

use shortlist_evaluation::ndcg_at_k;
use shortlist_ranking::{
    Fit, LogisticRegression, ModelKind, Platt, Precision, RankingError, RankingModel, Row, Standardization,
    TrainingRows,
};
use shortlist_recommender::{FittedRanker, NetworkRanker};

use crate::ranker_config::RankerConfig;
use crate::rows::K;
use crate::{Progress, TrainingError};

/// Of so many requests one judges a network's epochs, and is never learned from.
const HELD_EVERY: usize = 8;

/// Steps that a pass over the rows has at least, and rows of a step then: what batch normalisation knows of the
/// rows after a handful of steps is not yet what it was trained with.
const STEPS_MIN: usize = 32;
const BATCH_ROWS_MIN: usize = 64;

/// Fits the second stage to its rows: logistic regression to all of them; a network to seven requests of
/// eight, until the eighth is told no better: by order, or by log-loss where the loss is of that kind.
///
/// # Errors
/// Rows of one outcome; what the fit says.
pub(crate) fn fit_ranker(
    rows: &TrainingRows,
    config: &RankerConfig,
    seed: u64,
    progress: &mut dyn Progress,
) -> Result<FittedRanker, TrainingError> {
    progress.begin("fitting the ranker", None);
    let (ranker, how) = if config.kind == ModelKind::LogisticRegression {
        let mut tell = |iteration: shortlist_ranking::Iteration| progress.at(iteration.number as u64);
        let fitted = LogisticRegression::fit(rows, &config.logistic, &mut tell)?;
        (FittedRanker::Logistic(fitted), String::new())
    } else {
        fit_network(rows, config, seed, progress)?
    };
    progress.end(&format!("{} on {} rows{how}", config.kind, rows.len()));
    Ok(ranker)
}

fn fit_network(
    rows: &TrainingRows,
    config: &RankerConfig,
    seed: u64,
    progress: &mut dyn Progress,
) -> Result<(FittedRanker, String), TrainingError> {
    let numbers = Standardization::of(rows);
    let (learned, held) = held_apart(rows, &numbers)?;
    let mut best = (f64::MIN, 0);
    let mut how_to_fit = config.fit();
    how_to_fit.batch_rows = how_to_fit.batch_rows.min((learned.len() / STEPS_MIN).max(BATCH_ROWS_MIN));
    let mut fit = Fit::run(&learned, &config.network(), &how_to_fit, seed, &mut |fit, epoch| {
        progress.at(epoch.number as u64);
        let scores = fit.score(&held);
        // What says how likely an outcome is is judged by that: the order of a few requests is noise beside it.
        let quality = if config.loss.gives_log_odds() { -mean_loss(&held, &scores) } else { mean_ndcg(&held, &scores) };
        if quality > best.0 {
            best = (quality, epoch.number);
        }
        quality
    })?;
    let calibration = if config.loss.gives_log_odds() { None } else { Some(calibrated(&held, &fit.score(&held))?) };
    let model = RankingModel::of(&mut fit, Precision::F32);
    let (passes, what) = (best.1, if config.loss.gives_log_odds() { "log-loss" } else { "NDCG@10" });
    let how = format!(", best after {passes} passes: {what} {:.4} on the requests held apart", best.0.abs());
    Ok((FittedRanker::Network(Box::new(NetworkRanker { model, numbers, calibration })), how))
}

/// The rows that a network learns from, and those that judge it: whole requests, their numbers standardised.
fn held_apart(rows: &TrainingRows, numbers: &Standardization) -> Result<(TrainingRows, TrainingRows), RankingError> {
    let empty = || TrainingRows::new(rows.schema().clone());
    let (mut learned, mut held) = (empty()?, empty()?);
    let width = rows.schema().numbers.len();
    let mut told = vec![0.0; width];
    for (number, group) in rows.groups().enumerate() {
        let to = if number % HELD_EVERY == HELD_EVERY - 1 { &mut held } else { &mut learned };
        to.begin_group();
        for row in group {
            numbers.apply(&rows.numbers()[row * width..(row + 1) * width], &mut told);
            to.push(Row { numbers: &told, ids: &[] }, &rows.labels()[row..=row], rows.weights()[row])?;
        }
    }
    Ok((learned, held))
}

/// Mean NDCG@10 of the requests that have something to find.
fn mean_ndcg(rows: &TrainingRows, scores: &[f32]) -> f64 {
    let mut order: Vec<usize> = Vec::new();
    let judged = rows.groups().filter_map(|group| {
        let truth: HashSet<usize> = group.clone().filter(|row| rows.labels()[*row]).collect();
        order.clear();
        order.extend(group);
        // Bad scores last; of equal ones the earlier row, whatever its label.
        let key = |row: &usize| if scores[*row].is_nan() { f32::MIN } else { scores[*row] };
        order.sort_by(|a, b| key(b).partial_cmp(&key(a)).unwrap_or(Ordering::Equal));
        ndcg_at_k(&order, &truth, K)
    });
    let (sum, count) = judged.fold((0.0, 0.0), |(sum, count), ndcg| (sum + ndcg, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

/// Mean log-loss of log-odds, each row by its weight.
fn mean_loss(rows: &TrainingRows, scores: &[f32]) -> f64 {
    let of_row = |((score, label), weight): ((&f32, &bool), &f32)| {
        let against = f64::from(if *label { -*score } else { *score });
        // ln(1 + e^x), which does not overflow.
        let loss = against.max(0.0) + (-against.abs()).exp().ln_1p();
        (f64::from(*weight) * loss, f64::from(*weight))
    };
    let rows = scores.iter().zip(rows.labels()).zip(rows.weights()).map(of_row);
    let (sum, weight) = rows.fold((0.0, 0.0), |(sum, all), (loss, weight)| (sum + loss, all + weight));
    sum / weight.max(f64::MIN_POSITIVE)
}

/// Probabilities for scores that only order. Negatives are a sample, and each row's weight is the inverse of
/// its share: what the sample adds to the log-odds is taken off again.
fn calibrated(rows: &TrainingRows, scores: &[f32]) -> Result<Platt, RankingError> {
    let labels: Vec<bool> = rows.labels().to_vec();
    let platt = Platt::fit(scores, &labels)?;
    let negatives = labels.iter().zip(rows.weights()).filter(|(label, _)| !**label);
    let (weight, count) =
        negatives.fold((0.0, 0.0), |(sum, count), (_, weight)| (sum + f64::from(*weight), count + 1.0));
    Ok(Platt { intercept: platt.intercept - (weight / count).ln(), ..platt })
}
