//! Metrics over one user's ranked list. All of them share these conventions:
//!
//! - Relevance is binary: an item is in `truth` or not.
//! - The list is already ordered; whoever made it broke its ties.
//! - An empty truth, or `k = 0`, has no metric: `None`. Averages leave such users out.
//! - A list shorter than `k` is taken as it is: the missing places are misses.
//! - An item that the list repeats counts at its first place only, so no metric exceeds 1.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash};

/// Share of the relevant items that are among the first `k`, from 0 to 1.
///
/// Divided by all of `truth`, not by `min(k, |truth|)`: with more relevant items than places the
/// best list stays below 1.
///
/// **Shapes**: `ranked` in order, best first; any length.
/// **Cost**: one look-up per place.
///
/// ```
/// use shortlist_evaluation::recall_at_k;
/// let truth = ["a", "b", "c", "d"].into();
/// assert_eq!(recall_at_k(&["a", "x", "c"], &truth, 2), Some(0.25));
/// ```
pub fn recall_at_k<T: Eq + Hash, S: BuildHasher>(ranked: &[T], truth: &HashSet<T, S>, k: usize) -> Option<f64> {
    judged(truth, k).then(|| hits(ranked, truth, k).count() as f64 / truth.len() as f64)
}

/// Share of the first `k` places that hold a relevant item, from 0 to 1.
///
/// Divided by `k` even when the list is shorter: an empty place helped nobody.
///
/// **Shapes**, **Cost**: as [`recall_at_k`].
pub fn precision_at_k<T: Eq + Hash, S: BuildHasher>(ranked: &[T], truth: &HashSet<T, S>, k: usize) -> Option<f64> {
    judged(truth, k).then(|| hits(ranked, truth, k).count() as f64 / k as f64)
}

/// 1 if any of the first `k` items is relevant, else 0. Its mean over users is the hit rate.
///
/// **Shapes**, **Cost**: as [`recall_at_k`]; stops at the first hit.
pub fn hit_at_k<T: Eq + Hash, S: BuildHasher>(ranked: &[T], truth: &HashSet<T, S>, k: usize) -> Option<f64> {
    judged(truth, k).then(|| if hits(ranked, truth, k).next().is_some() { 1.0 } else { 0.0 })
}

/// Normalised discounted cumulative gain of the first `k` places, from 0 to 1.
///
/// The gain of a relevant item is 1, its discount at place `i` (from 0) is `1 / log2(i + 2)`; the
/// sum is divided by that of the best possible list, which holds `min(k, |truth|)` relevant items.
///
/// **Shapes**: as [`recall_at_k`]. **Cost**: a look-up per place, a logarithm per relevant item.
/// **Source**: Järvelin and Kekäläinen 2002, with binary gains and the ideal truncated at `k`.
///
/// ```
/// use shortlist_evaluation::ndcg_at_k;
/// let truth = ["a"].into();
/// assert_eq!(ndcg_at_k(&["x", "y", "a"], &truth, 10), Some(0.5));
/// ```
pub fn ndcg_at_k<T: Eq + Hash, S: BuildHasher>(ranked: &[T], truth: &HashSet<T, S>, k: usize) -> Option<f64> {
    judged(truth, k).then(|| {
        let gain: f64 = hits(ranked, truth, k).map(discount).sum();
        let ideal: f64 = (0..k.min(truth.len())).map(discount).sum();
        gain / ideal
    })
}

/// Mean, over the relevant items, of the precision at the place where each is found; 0 for one that
/// is not among the first `k`. From 0 to 1; its mean over users is the MAP at k.
///
/// Divided by `min(k, |truth|)`, so that the best list scores 1. Others divide by `|truth|`, which
/// holds users with more than `k` relevant items below 1, or by the hits found, which rewards lists
/// for finding less: their numbers do not compare with these.
///
/// **Shapes**, **Cost**: as [`recall_at_k`].
/// **Source**: Manning, Raghavan and Schütze 2008, section 8.4, truncated at `k`.
///
/// ```
/// use shortlist_evaluation::average_precision_at_k;
/// let truth = ["a", "b"].into();
/// // Found at places 1 and 4: (1/1 + 2/4) / 2.
/// assert_eq!(average_precision_at_k(&["a", "x", "y", "b"], &truth, 4), Some(0.75));
/// ```
pub fn average_precision_at_k<T: Eq + Hash, S: BuildHasher>(
    ranked: &[T],
    truth: &HashSet<T, S>,
    k: usize,
) -> Option<f64> {
    judged(truth, k).then(|| {
        let precision = |(found, place): (usize, usize)| (found + 1) as f64 / (place + 1) as f64;
        let sum: f64 = hits(ranked, truth, k).enumerate().map(precision).sum();
        sum / k.min(truth.len()) as f64
    })
}

/// One over the rank (from 1) of the first relevant item; 0 if the list holds none.
///
/// Its mean over users is the MRR. Cut the list to get MRR at k.
///
/// **Shapes**: as [`recall_at_k`]. **Cost**: look-ups up to the first hit.
pub fn reciprocal_rank<T: Eq + Hash, S: BuildHasher>(ranked: &[T], truth: &HashSet<T, S>) -> Option<f64> {
    judged(truth, 1).then(|| hits(ranked, truth, ranked.len()).next().map_or(0.0, |place| 1.0 / (place + 1) as f64))
}

/// Whether these metrics are defined at all.
fn judged<T, S>(truth: &HashSet<T, S>, k: usize) -> bool {
    k > 0 && !truth.is_empty()
}

/// Places (from 0) below `k` at which a relevant item appears for the first time, ascending.
fn hits<'a, T: Eq + Hash, S: BuildHasher>(
    ranked: &'a [T],
    truth: &'a HashSet<T, S>,
    k: usize,
) -> impl Iterator<Item = usize> {
    let mut found = HashSet::new();
    let first = move |item: &'a T| truth.contains(item) && found.insert(item);
    ranked.iter().take(k).map(first).enumerate().filter(|(_, hit)| *hit).map(|(place, _)| place)
}

fn discount(place: usize) -> f64 {
    1.0 / (place as f64 + 2.0).log2()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(got: Option<f64>, expected: f64) {
        let got = got.unwrap();
        assert!((got - expected).abs() < 1e-12, "expected {expected}, got {got}");
    }

    #[test]
    fn metrics_agree_with_cases_computed_by_hand() {
        let ranked = [10, 20, 30, 40, 50];
        let truth = HashSet::from([20, 40, 60]);
        near(recall_at_k(&ranked, &truth, 3), 1.0 / 3.0);
        near(recall_at_k(&ranked, &truth, 5), 2.0 / 3.0);
        near(precision_at_k(&ranked, &truth, 4), 0.5);
        near(hit_at_k(&ranked, &truth, 1), 0.0);
        near(hit_at_k(&ranked, &truth, 2), 1.0);
        near(reciprocal_rank(&ranked, &truth), 0.5);
        // Gains at places 1 and 3; ideal at 0, 1 and 2.
        let gain = 1.0 / 3f64.log2() + 1.0 / 5f64.log2();
        near(ndcg_at_k(&ranked, &truth, 5), gain / (1.0 + 1.0 / 3f64.log2() + 0.5));
        // The ideal list of two places holds two relevant items, not three.
        near(ndcg_at_k(&ranked, &truth, 2), (1.0 / 3f64.log2()) / (1.0 + 1.0 / 3f64.log2()));
        // Found at ranks 2 and 4 of five, the third not; at most two could be among two.
        near(average_precision_at_k(&ranked, &truth, 5), (1.0 / 2.0 + 2.0 / 4.0) / 3.0);
        near(average_precision_at_k(&ranked, &truth, 2), (1.0 / 2.0) / 2.0);
    }

    #[test]
    fn an_empty_truth_or_no_places_has_no_metric() {
        let (ranked, none, some) = ([1, 2], HashSet::<i32>::new(), HashSet::from([1]));
        for (truth, k) in [(&none, 2), (&some, 0)] {
            assert_eq!(recall_at_k(&ranked, truth, k), None);
            assert_eq!(precision_at_k(&ranked, truth, k), None);
            assert_eq!(hit_at_k(&ranked, truth, k), None);
            assert_eq!(ndcg_at_k(&ranked, truth, k), None);
            assert_eq!(average_precision_at_k(&ranked, truth, k), None);
        }
        assert_eq!(reciprocal_rank(&ranked, &none), None);
    }

    #[test]
    fn places_that_a_short_list_leaves_empty_are_misses() {
        let truth = HashSet::from([1, 2]);
        near(precision_at_k(&[1], &truth, 4), 0.25);
        near(recall_at_k(&[1], &truth, 4), 0.5);
        near(reciprocal_rank(&[], &truth), 0.0);
        near(ndcg_at_k(&[], &truth, 4), 0.0);
        near(average_precision_at_k(&[1], &truth, 4), 0.5);
    }

    #[test]
    fn a_repeated_item_counts_once() {
        let truth = HashSet::from([1, 2]);
        near(recall_at_k(&[1, 1, 1], &truth, 3), 0.5);
        near(precision_at_k(&[1, 1], &truth, 2), 0.5);
        near(average_precision_at_k(&[1, 1, 2], &truth, 3), (1.0 + 2.0 / 3.0) / 2.0);
    }

    proptest! {
        #[test]
        fn metrics_lie_between_0_and_1_and_grow_with_hits(
            ranked in prop::collection::vec(0_u8..40, 0..30),
            truth in prop::collection::hash_set(0_u8..40, 1..10),
            k in 1_usize..40,
        ) {
            let all = [recall_at_k(&ranked, &truth, k), precision_at_k(&ranked, &truth, k),
                hit_at_k(&ranked, &truth, k), ndcg_at_k(&ranked, &truth, k), reciprocal_rank(&ranked, &truth),
                average_precision_at_k(&ranked, &truth, k)];
            for metric in all {
                let value = metric.unwrap();
                prop_assert!((0.0..=1.0 + 1e-12).contains(&value), "{value}");
            }
            prop_assert!(recall_at_k(&ranked, &truth, k + 1) >= recall_at_k(&ranked, &truth, k));
        }

        #[test]
        fn average_precision_agrees_with_its_definition_place_by_place(
            ranked in Just((0_u8..30).collect::<Vec<_>>()).prop_shuffle(),
            truth in prop::collection::hash_set(0_u8..40, 1..10),
            k in 1_usize..40,
        ) {
            let places = (0..k.min(ranked.len())).filter(|&place| truth.contains(&ranked[place]));
            let sum: f64 = places.map(|place| precision_at_k(&ranked, &truth, place + 1).unwrap()).sum();
            near(average_precision_at_k(&ranked, &truth, k), sum / k.min(truth.len()) as f64);
        }

        #[test]
        fn the_ideal_list_scores_1_and_moving_a_hit_up_never_hurts(
            truth in prop::collection::hash_set(0_u8..40, 1..10),
            misses in prop::collection::vec(40_u8..80, 0..10),
            k in 1_usize..20,
        ) {
            let mut ranked: Vec<u8> = truth.iter().copied().collect();
            ranked.extend(&misses);
            near(ndcg_at_k(&ranked, &truth, k), 1.0);
            near(average_precision_at_k(&ranked, &truth, k), 1.0);
            ranked.reverse();
            let worst = ndcg_at_k(&ranked, &truth, k).unwrap();
            if let Some(i) = (1..ranked.len()).find(|&i| truth.contains(&ranked[i])) {
                ranked.swap(i - 1, i);
                prop_assert!(ndcg_at_k(&ranked, &truth, k).unwrap() >= worst - 1e-12);
            }
        }
    }
}
