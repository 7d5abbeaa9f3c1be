use std::collections::HashSet;
use std::hash::Hash;

use crate::EvaluationError;

/// Mean self-information of the items in one user's list, in bits: `-log2 p(item)`, where `p` is the
/// share of `users` that interacted with it. 0 when everybody knows every item, at most
/// `log2(users)`.
///
/// The list is taken whole: cut it to its first `k` to get the novelty at k. An item that nobody had
/// counts as had by one user, the largest finite surprise: its true one is infinite, and leaving it
/// out would call a list of unseen items no news. An item that the list repeats counts once. An empty
/// list has no novelty: `None`. The mean over users is usual.
///
/// **Shapes**: `ranked` in any order; `users_of` tells of each item how many of the `users` training
/// users had it.
/// **Cost**: a look-up and a logarithm per place.
/// **Errors**: no users, an item had by more than all users.
/// **Source**: Zhou et al. 2010; the floor of one user is ours.
///
/// ```
/// use shortlist_evaluation::novelty;
/// let had_by = |item: &&str| if *item == "hit" { 8 } else { 2 };
/// // (-log2(8/8) - log2(2/8)) / 2
/// assert_eq!(novelty(&["hit", "niche"], had_by, 8), Ok(Some(1.0)));
/// ```
pub fn novelty<T: Eq + Hash>(
    ranked: &[T],
    users_of: impl Fn(&T) -> usize,
    users: usize,
) -> Result<Option<f64>, EvaluationError> {
    if users == 0 {
        return Err(EvaluationError::Empty);
    }
    let mut distinct = HashSet::new();
    let mut bits = 0.0;
    for item in ranked.iter().filter(|item| distinct.insert(*item)) {
        let had_by = users_of(item);
        if had_by > users {
            return Err(EvaluationError::OutOfRange { parameter: "users of an item", got: had_by, max: users });
        }
        bits += (users as f64 / had_by.max(1) as f64).log2();
    }
    Ok((!distinct.is_empty()).then(|| bits / distinct.len() as f64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Item `i` was had by `i` users.
    fn of(ranked: &[usize], users: usize) -> Result<Option<f64>, EvaluationError> {
        novelty(ranked, |item| *item, users)
    }

    #[test]
    fn novelty_agrees_with_cases_computed_by_hand() {
        // 16/16, 4/16 and 2/16: 0, 2 and 3 bits.
        assert_eq!(of(&[16, 4, 2], 16), Ok(Some(5.0 / 3.0)));
        assert_eq!(of(&[16], 16), Ok(Some(0.0)));
        assert_eq!(of(&[4, 4, 4, 16], 16), Ok(Some(1.0)));
    }

    #[test]
    fn an_unseen_item_counts_as_had_by_one_user() {
        assert_eq!(of(&[0], 16), Ok(Some(4.0)));
        assert_eq!(of(&[0], 16), of(&[1], 16));
    }

    #[test]
    fn an_empty_list_has_no_novelty_and_bad_counts_are_named() {
        assert_eq!(of(&[], 16), Ok(None));
        assert_eq!(of(&[1], 0), Err(EvaluationError::Empty));
        let error = of(&[17], 16).unwrap_err();
        assert_eq!(error.to_string(), "users of an item: expected 1 to 16, got 17");
    }

    proptest! {
        #[test]
        fn novelty_lies_between_0_and_log2_of_users_and_falls_with_popularity(
            ranked in prop::collection::vec(0_usize..50, 1..20), more in 1_usize..50,
        ) {
            let got = of(&ranked, 100).unwrap().unwrap();
            prop_assert!((0.0..=100_f64.log2() + 1e-12).contains(&got));
            let better_known = novelty(&ranked, |item| item + more, 100).unwrap().unwrap();
            prop_assert!(better_known <= got);
        }
    }
}
