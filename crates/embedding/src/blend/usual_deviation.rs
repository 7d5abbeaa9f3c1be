use rayon::prelude::*;
use shortlist_types::{ItemIdx, dot};

use crate::{FoldInScratch, Interactions, ItemToItemModel, RowSums, VectorModel};

/// Users whose deviations are looked at, evenly spread.
const USERS: usize = 400;
/// Items whose scores are looked at, evenly spread.
const ITEMS: usize = 4_000;

/// Least deviation that is divided by: weights over it stay finite.
const DEVIATION_MIN: f32 = 1e-20;
/// A deviation below this share of the mean is rounding.
const ROUNDING: f64 = 1e-5;

/// The standard deviation of a vector model's scores over the items, for the user in the middle.
///
/// **Cost**: at most 1,600,000 inner products.
pub(crate) fn of_vectors(model: &dyn VectorModel, interactions: &Interactions) -> f32 {
    let table = model.table();
    let step = table.len().div_ceil(ITEMS).max(1);
    let deviation = |scratch: &mut FoldInScratch, events: Vec<(ItemIdx, f32)>| {
        let user = model.fold_in(&events, scratch)?;
        let scores = (0..table.len()).step_by(step).map(|row| f64::from(dot(user.as_slice(), table.row(row))));
        Some(standard_deviation(scores))
    };
    let deviations = sampled(interactions).map_init(FoldInScratch::default, deviation).flatten().collect();
    middle(deviations)
}

/// The standard deviation of an item-to-item model's scores over all items, for the user in the middle.
pub(crate) fn of_rows(model: &ItemToItemModel, interactions: &Interactions) -> f32 {
    let deviation = |sums: &mut RowSums, events: Vec<(ItemIdx, f32)>| {
        model.sum(events.into_iter(), sums);
        sums.standard_deviation()
    };
    middle(sampled(interactions).map_init(RowSums::default, deviation).collect())
}

fn sampled(interactions: &Interactions) -> impl ParallelIterator<Item = Vec<(ItemIdx, f32)>> {
    let users = interactions.users().len();
    let rows: Vec<usize> = (0..users).step_by(users.div_ceil(USERS).max(1)).collect();
    rows.into_par_iter()
        .map(|row| interactions.by_user().row(row).map(|(item, weight)| (interactions.items()[item], weight)).collect())
}

fn standard_deviation(scores: impl Iterator<Item = f64> + Clone) -> f64 {
    let n = scores.clone().count().max(1) as f64;
    let mean = scores.clone().sum::<f64>() / n;
    let deviation = (scores.map(|score| (score - mean).powi(2)).sum::<f64>() / n).sqrt();
    // What is left of scores that are all alike is rounding, and must not get a vote.
    if deviation > ROUNDING * mean.abs() { deviation } else { 0.0 }
}

/// The median of what is above zero; 1 where no user tells items apart.
fn middle(mut deviations: Vec<f64>) -> f32 {
    deviations.retain(|deviation| deviation.is_normal());
    deviations.sort_unstable_by(f64::total_cmp);
    deviations.get(deviations.len() / 2).map_or(1.0, |deviation| *deviation as f32).max(DEVIATION_MIN)
}
