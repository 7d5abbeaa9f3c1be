use std::collections::HashSet;
use std::hash::Hash;

use crate::EvaluationError;

/// Share of a catalogue of `universe` items that appears in any of the `lists`, from 0 to 1.
///
/// Lists are taken whole: cut them to their first `k` to get the coverage at k. An item counts once,
/// however often it appears. Lists that are all empty cover nothing: 0. With few users it is bounded
/// by users x k, so compare models on the same users only.
///
/// **Shapes**: one list of items for each user, of any length; `universe` counts what could have
/// been recommended.
/// **Cost**: one look-up per place; memory for the distinct items.
/// **Errors**: no lists, an empty catalogue, more distinct items than it holds.
/// **Source**: Ge et al. 2010, catalog coverage.
///
/// ```
/// use shortlist_evaluation::coverage;
/// assert_eq!(coverage([["a", "b"], ["b", "c"]], 4), Ok(0.75));
/// ```
pub fn coverage<T, L>(lists: impl IntoIterator<Item = L>, universe: usize) -> Result<f64, EvaluationError>
where
    T: Eq + Hash,
    L: IntoIterator<Item = T>,
{
    let mut lists = lists.into_iter().peekable();
    if lists.peek().is_none() || universe == 0 {
        return Err(EvaluationError::Empty);
    }
    let distinct = lists.flatten().collect::<HashSet<T>>().len();
    if distinct > universe {
        return Err(EvaluationError::OutOfRange { parameter: "distinct items", got: distinct, max: universe });
    }
    Ok(distinct as f64 / universe as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_item_counts_once_whoever_gets_it() {
        assert_eq!(coverage([vec![1, 1, 2], vec![2], vec![]], 8), Ok(0.25));
        assert_eq!(coverage([vec![1, 2], vec![3, 4]], 4), Ok(1.0));
        assert_eq!(coverage([Vec::<u32>::new()], 4), Ok(0.0));
    }

    #[test]
    fn what_cannot_be_a_share_is_refused() {
        assert_eq!(coverage(Vec::<Vec<u32>>::new(), 4), Err(EvaluationError::Empty));
        assert_eq!(coverage([[1]], 0), Err(EvaluationError::Empty));
        let error = coverage([[1, 2, 3]], 2).unwrap_err();
        assert_eq!(error.to_string(), "distinct items: expected 1 to 2, got 3");
    }

    proptest! {
        #[test]
        fn coverage_is_a_share_that_more_lists_never_lower(
            lists in prop::collection::vec(prop::collection::vec(0_u8..30, 0..10), 1..10),
        ) {
            let mut before = 0.0;
            for n in 1..=lists.len() {
                let now = coverage(&lists[..n], 30).unwrap();
                prop_assert!((before..=1.0).contains(&now));
                before = now;
            }
            let appears = |item: &u8| lists.iter().any(|list| list.contains(item));
            let expected = (0_u8..30).filter(appears).count() as f64 / 30.0;
            prop_assert!((before - expected).abs() < 1e-12);
        }
    }
}
