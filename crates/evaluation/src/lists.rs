use std::collections::BTreeMap;

/// Share of the user's own distribution that is mixed into the list's, so that a value that the list lacks is far off
/// and not infinitely far.
const MIXED: f64 = 0.01;

/// How unlike the items of a list are: 1 less the mean likeness of its pairs. A list of one item has no pairs: `None`.
///
/// **Shapes**: `likeness` of the items at two places, 0 to 1 and symmetric.
/// **Cost**: one likeness per pair.
/// **Source**: Ziegler et al. 2005, intra-list similarity.
///
/// ```
/// use shortlist_evaluation::intra_list_diversity;
/// // Two alike, a third like neither.
/// let diversity = intra_list_diversity(3, |a, b| if a + b == 1 { 1.0 } else { 0.0 });
/// assert!((diversity.unwrap() - 2.0 / 3.0).abs() < 1e-12);
/// ```
pub fn intra_list_diversity(items: usize, mut likeness: impl FnMut(usize, usize) -> f64) -> Option<f64> {
    let mut sum = 0.0;
    for a in 1..items {
        for b in 0..a {
            sum += likeness(a, b);
        }
    }
    let pairs = items * items.saturating_sub(1) / 2;
    (pairs > 0).then(|| 1.0 - sum / pairs as f64)
}

/// How far a list's values of an attribute are from those of what the user took before: the Kullback-Leibler
/// divergence of the two distributions, in nats. 0 where the list has every value as often as his history; the greatest,
/// 4.6, where they share none.
///
/// Each item spreads a weight of 1 over its values; an item without any counts for nothing. A history or a list without
/// any value says nothing: `None`.
///
/// **Shapes**: the values of each item of the history, and of each item of the list.
/// **Source**: Steck 2018, calibrated recommendations, with a mix of 0.01.
///
/// ```
/// use shortlist_evaluation::miscalibration;
/// let (drama, crime) = (vec!["drama"], vec!["crime"]);
/// let even = [drama.clone(), crime.clone()];
/// assert!(miscalibration(&even, &even).unwrap() < 1e-12);
/// assert!(miscalibration(&even, &[drama]).unwrap() > 1.0);
/// ```
pub fn miscalibration<T: Ord + Clone>(history: &[Vec<T>], list: &[Vec<T>]) -> Option<f64> {
    let (history, list) = (distribution(history)?, distribution(list)?);
    let term = |(value, p): (&T, &f64)| {
        let q = list.get(value).copied().unwrap_or(0.0);
        p * (p / ((1.0 - MIXED) * q + MIXED * p)).ln()
    };
    // Below 0 by rounding alone.
    Some(history.iter().map(term).sum::<f64>().max(0.0))
}

fn distribution<T: Ord + Clone>(items: &[Vec<T>]) -> Option<BTreeMap<T, f64>> {
    let known = items.iter().filter(|values| !values.is_empty()).count() as f64;
    let mut shares = BTreeMap::new();
    for values in items {
        for value in values {
            *shares.entry(value.clone()).or_default() += 1.0 / (values.len() as f64 * known);
        }
    }
    (!shares.is_empty()).then_some(shares)
}

/// Mean of those values that are known; none if none is.
pub fn mean_of_known(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_usize);
    for value in values.into_iter().flatten() {
        (sum, count) = (sum + value, count + 1);
    }
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_to_compare_is_no_number() {
        assert_eq!(intra_list_diversity(1, |_, _| 1.0), None);
        assert_eq!(miscalibration::<u8>(&[vec![]], &[vec![1]]), None);
        assert_eq!(miscalibration(&[vec![1]], &[vec![]]), None);
        assert_eq!(mean_of_known([None, None]), None);
        assert_eq!(mean_of_known([None, Some(1.0), Some(2.0)]), Some(1.5));
    }

    proptest! {
        #[test]
        fn a_list_like_the_history_is_the_best_calibrated(
            history in prop::collection::vec(prop::collection::vec(0_u8..6, 0..3), 1..20),
            list in prop::collection::vec(prop::collection::vec(0_u8..6, 0..3), 1..10),
        ) {
            let own = miscalibration(&history, &history);
            let other = miscalibration(&history, &list);
            prop_assert!(own.is_none_or(|own| own < 1e-9));
            prop_assert!(other.is_none_or(|far| (0.0..=-MIXED.ln() + 1e-9).contains(&far)));
        }
    }
}
