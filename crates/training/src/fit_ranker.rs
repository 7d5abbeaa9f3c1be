use std::cmp::Ordering;
use std::collections::HashSet;

use shortlist_evaluation::ndcg_at_k;
use shortlist_ranking::{
    Fit, LogisticRegression, ModelKind, Platt, RankingError, RankingModel, Row, Standardization, TrainingRows,
};
use shortlist_recommender::{CategoryEncoders, FittedRanker, NetworkRanker, Outcome, RankerModel};

use crate::ranker_config::RankerConfig;
use crate::rows::K;
use crate::{Progress, TrainingError};

/// Of so many requests one judges a network's epochs, and is never learned from.
const HELD_EVERY: usize = 8;

/// Steps that a pass over the rows has at least, and rows of a step then: what batch normalisation knows of the
/// rows after a handful of steps is not yet what it was trained with.
const STEPS_MIN: usize = 32;
const BATCH_ROWS_MIN: usize = 64;

/// Fits the second stage to its rows, not calibrated: logistic regression to all of them, once per outcome; a network to seven requests of
/// eight, until the eighth is told no better: by order, or by log-loss where the loss is of that kind.
///
/// # Errors
/// Rows of one outcome; what the fit says.
pub(crate) fn fit_ranker(
    rows: &TrainingRows,
    categories: CategoryEncoders,
    config: &RankerConfig,
    seed: u64,
    progress: &mut dyn Progress,
) -> Result<FittedRanker, TrainingError> {
    progress.begin("fitting the ranker", None);
    let (model, how) = if config.kind == ModelKind::LogisticRegression {
        let mut tell = |iteration: shortlist_ranking::Iteration| progress.at(iteration.number as u64);
        let fitted = (0..rows.heads())
            .map(|head| LogisticRegression::fit(&rows.of_head(head), &config.logistic, &mut tell))
            .collect::<Result<_, _>>()?;
        (RankerModel::Logistic(fitted), String::new())
    } else {
        fit_network(rows, categories, config, seed, progress)?
    };
    progress.end(&format!("{} on {} rows{how}", config.kind, rows.len()));
    let outcomes = config.heads().into_iter().map(|name| Outcome { name, calibration: None }).collect();
    Ok(FittedRanker { outcomes, model })
}

fn fit_network(
    rows: &TrainingRows,
    categories: CategoryEncoders,
    config: &RankerConfig,
    seed: u64,
    progress: &mut dyn Progress,
) -> Result<(RankerModel, String), TrainingError> {
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
    let log_odds = if config.loss.gives_log_odds() { None } else { Some(log_odds(&held, &fit.score(&held))?) };
    let precision = config.precision;
    let model = RankingModel::of(&mut fit, precision);
    let (passes, what) = (best.1, if config.loss.gives_log_odds() { "log-loss" } else { "NDCG@10" });
    let how = format!(", best after {passes} passes: {what} {:.4} on the requests held apart", best.0.abs());
    Ok((RankerModel::Network(Box::new(NetworkRanker { model, precision, numbers, categories, log_odds })), how))
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
            let ids: Vec<&[u32]> = (0..rows.schema().categories.len()).map(|place| rows.ids(place, row)).collect();
            to.push(Row { numbers: &told, ids: &ids }, rows.labels_of(row), rows.weights()[row])?;
        }
    }
    Ok((learned, held))
}

/// Mean NDCG@10 of the requests that have something to find, in the order of the first outcome.
fn mean_ndcg(rows: &TrainingRows, scores: &[f32]) -> f64 {
    let scores: Vec<f32> = scores.iter().step_by(rows.heads()).copied().collect();
    let mut order: Vec<usize> = Vec::new();
    let judged = rows.groups().filter_map(|group| {
        let truth: HashSet<usize> = group.clone().filter(|row| rows.labels_of(*row)[0]).collect();
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

/// Mean log-loss of the log-odds of all outcomes, each row by its weight.
fn mean_loss(rows: &TrainingRows, scores: &[f32]) -> f64 {
    let of_row = |((score, label), weight): ((&f32, &bool), &f32)| {
        let against = f64::from(if *label { -*score } else { *score });
        // ln(1 + e^x), which does not overflow.
        let loss = against.max(0.0) + (-against.abs()).exp().ln_1p();
        (f64::from(*weight) * loss, f64::from(*weight))
    };
    let weights = rows.weights().iter().flat_map(|weight| std::iter::repeat_n(weight, rows.heads()));
    let rows = scores.iter().zip(rows.labels()).zip(weights).map(of_row);
    let (sum, weight) = rows.fold((0.0, 0.0), |(sum, all), (loss, weight)| (sum + loss, all + weight));
    sum / weight.max(f64::MIN_POSITIVE)
}

/// Per outcome, log-odds for scores that only order. Negatives are a sample, and each row's weight is the inverse
/// of its share: what the sample adds to the log-odds is taken off again. An outcome that the rows do not tell
/// apart keeps its scores.
fn log_odds(rows: &TrainingRows, scores: &[f32]) -> Result<Vec<Platt>, RankingError> {
    let heads = rows.heads();
    let of_head = |head: usize| {
        let rows = rows.of_head(head);
        let scores: Vec<f32> = scores.iter().skip(head).step_by(heads).copied().collect();
        let platt = match Platt::fit(&scores, rows.labels()) {
            Err(RankingError::OneClass { .. }) => Platt { slope: 1.0, intercept: 0.0 },
            platt => platt?,
        };
        let negatives = rows.labels().iter().zip(rows.weights()).filter(|(label, _)| !**label);
        let (weight, count) =
            negatives.fold((0.0, 0.0), |(sum, count), (_, weight)| (sum + f64::from(*weight), count + 1.0));
        Ok(Platt { intercept: platt.intercept - (weight / f64::max(count, 1.0)).max(1.0).ln(), ..platt })
    };
    (0..heads).map(of_head).collect()
}
