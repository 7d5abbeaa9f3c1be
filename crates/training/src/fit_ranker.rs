use std::cmp::Ordering;
use std::collections::HashSet;

use shortlist_evaluation::ndcg_at_k;
use shortlist_ranking::{
    Fit, LogisticRegression, ModelKind, Platt, Precision, RankingError, RankingModel, Row, TrainingRows,
};
use shortlist_recommender::{FittedRanker, NetworkRanker};

use crate::ranker_config::RankerConfig;
use crate::rows::K;
use crate::{Progress, TrainingError};

/// Of so many requests one judges a network's epochs, and is never learned from.
const HELD_EVERY: usize = 8;

/// Fits the second stage to its rows: logistic regression to all of them; a network to seven requests of
/// eight, until the order of the eighth gets no better.
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
    let (learned, held) = held_apart(rows)?;
    let mut best = (f64::MIN, 0);
    let mut fit = Fit::run(&learned, &config.network(), &config.fit(), seed, &mut |fit, epoch| {
        progress.at(epoch.number as u64);
        let quality = mean_ndcg(&held, &fit.score(&held));
        if quality > best.0 {
            best = (quality, epoch.number);
        }
        quality
    })?;
    let calibration = if config.loss.gives_log_odds() { None } else { Some(calibrated(&held, &fit.score(&held))?) };
    let model = RankingModel::of(&mut fit, Precision::F32);
    let how = format!(", best after {} passes: NDCG@10 {:.4} on the requests held apart", best.1, best.0);
    Ok((FittedRanker::Network(Box::new(NetworkRanker { model, calibration })), how))
}

/// The rows that a network learns from, and those that judge it: whole requests.
fn held_apart(rows: &TrainingRows) -> Result<(TrainingRows, TrainingRows), RankingError> {
    let empty = || TrainingRows::new(rows.schema().clone());
    let (mut learned, mut held) = (empty()?, empty()?);
    let width = rows.schema().numbers.len();
    for (number, group) in rows.groups().enumerate() {
        let to = if number % HELD_EVERY == HELD_EVERY - 1 { &mut held } else { &mut learned };
        to.begin_group();
        for row in group {
            let numbers = &rows.numbers()[row * width..(row + 1) * width];
            to.push(Row { numbers, ids: &[] }, &rows.labels()[row..=row], rows.weights()[row])?;
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
