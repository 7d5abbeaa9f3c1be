use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::SparseRows;

/// Most targets that a hand holds: the pooling of a user's row is shared by that many pairs.
const HAND_TARGETS_MAX: usize = 16;

/// Some items of one user that are targets in the same batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hand {
    /// The user's row.
    pub(crate) user: usize,
    start: usize,
    len: usize,
}

/// The order in which an epoch meets the pairs.
///
/// Every pair of a user with two items or more is a target once per epoch. A user's pairs are dealt at
/// random into hands of at most [`HAND_TARGETS_MAX`], and the hands are shuffled, so that a long row is
/// pooled once per hand and not once per pair, and yet no user fills a batch.
pub(crate) struct Deal {
    places: Vec<u32>,
    hands: Vec<Hand>,
}

impl Deal {
    /// Deals all rows. **Cost**: about 20 nanoseconds per pair.
    pub(crate) fn new(rows: &SparseRows, rng: &mut ChaCha8Rng) -> Self {
        let mut places: Vec<u32> = Vec::with_capacity(rows.len());
        let mut hands = Vec::new();
        for user in 0..rows.rows() {
            let len = rows.row(user).len();
            // A single item leaves nothing to predict it from.
            if len < 2 {
                continue;
            }
            let first = places.len();
            places.extend(0..len as u32);
            places[first..].shuffle(rng);
            for start in (first..first + len).step_by(HAND_TARGETS_MAX) {
                hands.push(Hand { user, start, len: HAND_TARGETS_MAX.min(first + len - start) });
            }
        }
        hands.shuffle(rng);
        Self { places, hands }
    }

    /// Where in the user's row the targets of a hand stand.
    pub(crate) fn targets(&self, hand: &Hand) -> &[u32] {
        &self.places[hand.start..hand.start + hand.len]
    }

    /// The sum of the weights of the targets of some hands.
    pub(crate) fn weight(&self, hands: &[Hand], rows: &SparseRows) -> f64 {
        let mut row = Vec::new();
        let mut sum = 0.0;
        for hand in hands {
            row.clear();
            row.extend(rows.row(hand.user).map(|entry| f64::from(entry.1)));
            sum += self.targets(hand).iter().map(|&place| row[place as usize]).sum::<f64>();
        }
        sum
    }

    /// All hands in their order.
    pub(crate) fn hands(&self) -> &[Hand] {
        &self.hands
    }
}

/// Cuts hands into runs that hold at least `pairs` pairs each, but for the last one.
pub(crate) fn runs_of_pairs(hands: &[Hand], pairs: usize) -> impl Iterator<Item = &[Hand]> {
    let mut rest = hands;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut held = 0;
        let enough = rest.iter().position(|hand| {
            held += hand.len;
            held >= pairs
        });
        let (run, after) = rest.split_at(enough.map_or(rest.len(), |last| last + 1));
        rest = after;
        Some(run)
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn rows(lengths: &[u32]) -> SparseRows {
        let entries =
            lengths.iter().enumerate().flat_map(|(user, &len)| (0..len).map(move |item| (user as u32, item, 1.0)));
        SparseRows::from_sorted(lengths.len(), 100, entries)
    }

    #[test]
    fn every_pair_of_a_user_with_two_items_is_a_target_once() {
        let rows = rows(&[40, 1, 2, 16, 17]);
        let deal = Deal::new(&rows, &mut ChaCha8Rng::seed_from_u64(1));
        let mut pairs: Vec<(usize, u32)> =
            deal.hands().iter().flat_map(|hand| deal.targets(hand).iter().map(|&place| (hand.user, place))).collect();
        pairs.sort_unstable();
        let expected: Vec<(usize, u32)> =
            [(0, 40), (2, 2), (3, 16), (4, 17)].into_iter().flat_map(|(u, n)| (0..n).map(move |p| (u, p))).collect();
        assert_eq!(pairs, expected);
    }

    #[test]
    fn runs_cover_all_hands_in_order() {
        let deal = Deal::new(&rows(&[40, 5, 2, 16, 17, 30]), &mut ChaCha8Rng::seed_from_u64(1));
        let runs: Vec<&[Hand]> = runs_of_pairs(deal.hands(), 20).collect();
        assert_eq!(runs.concat(), deal.hands());
        for run in &runs[..runs.len() - 1] {
            let pairs: usize = run.iter().map(|hand| hand.len).sum();
            assert!((20..20 + HAND_TARGETS_MAX).contains(&pairs), "{pairs}");
        }
    }
}
