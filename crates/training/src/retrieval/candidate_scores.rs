use std::cmp::Reverse;

use rayon::prelude::*;
use shortlist_types::{ItemIdx, Score};

use super::Case;
use super::fitted_part::FittedPart;

/// Items per case and model that any blend is compared on: beyond them no sensible weight reaches the
/// first places.
const TOP: usize = 200;
/// Cases that are scored together.
const CASES_TOGETHER: usize = 16;

/// What several models say of the items that at least one of them puts high, case by case.
pub(crate) struct CandidateScores<'a> {
    cases: &'a [Case],
    /// Per case its candidates, and per candidate one score for each model.
    candidates: Vec<Candidates>,
    models: usize,
}

struct Candidates {
    items: Vec<ItemIdx>,
    /// The standard deviation of each model's scores over all items.
    deviations: Vec<f64>,
    /// Candidates x models, row-major.
    scores: Vec<f32>,
}

impl<'a> CandidateScores<'a> {
    /// Scores every case by every model. All models were fitted on the same interactions.
    ///
    /// **Cost**: per case and model that of [`FittedPart::scores`]; memory cases * models^2 * 200 floats.
    pub(crate) fn of(cases: &'a [Case], models: &[FittedPart]) -> Self {
        let items = models.first().map_or(&[][..], FittedPart::items);
        let together = cases.par_chunks(CASES_TOGETHER).flat_map_iter(|cases| {
            let scores: Vec<Vec<f32>> = models.iter().map(|model| model.scores(cases)).collect();
            let of_case = |(place, case): (usize, &Case)| {
                let own: Vec<&[f32]> =
                    scores.iter().map(|scores| &scores[place * items.len()..(place + 1) * items.len()]).collect();
                candidates(items, case, &own)
            };
            cases.iter().enumerate().map(of_case).collect::<Vec<_>>()
        });
        let mut all = Self { cases, candidates: together.collect(), models: models.len() };
        all.standardise();
        all
    }

    /// Divides each model's scores by their deviation in the case in the middle, as a blend does.
    fn standardise(&mut self) {
        for model in 0..self.models {
            let deviations = self.candidates.iter().map(|candidates| candidates.deviations[model]);
            let mut deviations: Vec<f64> = deviations.filter(|deviation| deviation.is_normal()).collect();
            deviations.sort_unstable_by(f64::total_cmp);
            let middle = deviations.get(deviations.len() / 2).copied().unwrap_or(1.0);
            for candidates in &mut self.candidates {
                candidates.scores.iter_mut().skip(model).step_by(self.models).for_each(|score| {
                    *score = (f64::from(*score) / middle) as f32;
                });
            }
        }
    }

    /// Mean NDCG at `k` of the blend with these weights, and that of every case.
    pub(crate) fn ndcg(&self, weights: &[f32], k: usize) -> Vec<f64> {
        let both = self.cases.par_iter().zip(&self.candidates);
        both.map(|(case, candidates)| {
            let blended = candidates.scores.chunks_exact(self.models).map(|scores| {
                let score: f32 = scores.iter().zip(weights).map(|(score, weight)| score * weight).sum();
                Score::parse(score).unwrap_or(Score::ZERO)
            });
            let mut order: Vec<_> = blended.map(Reverse).zip(candidates.items.iter().copied()).collect();
            if order.len() > k {
                order.select_nth_unstable(k);
                order.truncate(k);
            }
            order.sort_unstable();
            let order: Vec<ItemIdx> = order.into_iter().map(|(_, item)| item).collect();
            case.ndcg(&order, k)
        })
        .collect()
    }
}

/// The allowed items that any model puts among its first, with all models' scores.
fn candidates(items: &[ItemIdx], case: &Case, scores: &[&[f32]]) -> Candidates {
    let allowed: Vec<u32> = allowed_rows(items, case);
    let mut rows = Vec::with_capacity(scores.len() * TOP);
    let mut order = Vec::with_capacity(allowed.len());
    for scores in scores {
        order.clear();
        order.extend(allowed.iter().map(|row| (Reverse(ordered(scores[*row as usize])), *row)));
        if order.len() > TOP {
            order.select_nth_unstable(TOP);
            order.truncate(TOP);
        }
        rows.extend(order.iter().map(|(_, row)| *row));
    }
    rows.sort_unstable();
    rows.dedup();
    Candidates {
        deviations: scores.iter().map(|scores| standard_deviation(scores)).collect(),
        items: rows.iter().map(|row| items[*row as usize]).collect(),
        scores: rows.iter().flat_map(|row| scores.iter().map(|scores| scores[*row as usize])).collect(),
    }
}

/// Rows of the items that could have been shown.
fn allowed_rows(items: &[ItemIdx], case: &Case) -> Vec<u32> {
    let mut allowed = case.allowed.iter().peekable();
    (0..)
        .zip(items)
        .filter(|(_, item)| {
            while allowed.next_if(|allowed| *allowed < item.0).is_some() {}
            allowed.peek() == Some(&item.0)
        })
        .map(|(row, _)| row)
        .collect()
}

fn ordered(score: f32) -> Score {
    Score::parse(score).unwrap_or(Score::ZERO)
}

fn standard_deviation(scores: &[f32]) -> f64 {
    let n = scores.len().max(1) as f64;
    let mean = scores.iter().map(|score| f64::from(*score)).sum::<f64>() / n;
    (scores.iter().map(|score| (f64::from(*score) - mean).powi(2)).sum::<f64>() / n).sqrt()
}
