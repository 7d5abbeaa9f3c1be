use super::{BoundedInteractions, EaseConfig, linear_filter};
use crate::Interactions;

/// Least ridge as a share of the greatest entry of the diagonal; below it the Cholesky factorisation in
/// doubles may meet a negative pivot where items repeat each other.
const RIDGE_SHARE_MIN: f64 = 1e-9;

/// What EASE needs to know of `G = R^T diag(user_weights) R` without its off-diagonal entries.
pub(super) struct WeightedGram {
    /// How much each user counts: his degree to the power of minus `user_degree_exponent`.
    pub(super) user_weights: Vec<f32>,
    /// The diagonal of G; not negative.
    pub(super) diagonal: Vec<f64>,
    /// The penalty on the squared outgoing weights of each item: `l2 mean g (g_i / mean g)^item_ridge_exponent`,
    /// raised to a billionth of the greatest g where it is less.
    pub(super) ridges: Vec<f64>,
}

impl WeightedGram {
    /// **Cost**: one pass over the interactions.
    pub(super) fn new(interactions: &Interactions, bounded: &BoundedInteractions<'_>, config: &EaseConfig) -> Self {
        let degrees = linear_filter::degrees(interactions.by_user());
        let user_weight = |degree: f64| degree.powf(-config.user_degree_exponent) as f32;
        let user_weights: Vec<f32> = degrees.into_iter().map(user_weight).collect();
        let square = |(user, weight): (usize, f32)| f64::from(weight).powi(2) * f64::from(user_weights[user]);
        let diagonal: Vec<f64> = (0..bounded.items()).map(|item| bounded.by_item.row(item).map(square).sum()).collect();
        let mean = diagonal.iter().sum::<f64>() / diagonal.len() as f64;
        let least = RIDGE_SHARE_MIN * diagonal.iter().copied().fold(0.0, f64::max);
        let ridge = |g: &f64| {
            let share = if mean > 0.0 { g / mean } else { 1.0 };
            (config.l2 * mean * share.powf(config.item_ridge_exponent)).max(least).max(f64::MIN_POSITIVE)
        };
        let ridges = diagonal.iter().map(ridge).collect();
        Self { user_weights, diagonal, ridges }
    }
}
