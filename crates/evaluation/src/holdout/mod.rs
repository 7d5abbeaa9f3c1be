//! Cuts a validation slice from training pairs, so that hyper-parameters are chosen without the test.
//!
//! The slice should be cut the way the test was: a slice that is easier than the test prefers other
//! models. All three cuts share these conventions:
//!
//! - Pairs may come in any order; a repeated pair counts once. Both parts come sorted.
//! - Items of a user are ordered by number. Where numbers follow the ids of a data set (see
//!   `shortlist_import::Benchmark`), this is id order.
//! - A user with too few items is left whole: fewer than [`SHARE_ITEMS_MIN`] where a share is held
//!   out, fewer than 2 where one item is. Every user keeps at least one item to train on.
//! - What is held out of a user depends on the seed, his number and how many items he has, not on
//!   other users.

mod split;
#[cfg(test)]
mod tests;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::EvaluationError;
pub use split::Split;

/// Fewest items of a user of which a share is held out: with fewer, one item is far more than the
/// usual share.
pub const SHARE_ITEMS_MIN: usize = 5;

/// Holds out one block of neighbouring items of each user, `share` of his items, at a random start.
///
/// Fits tests that are not drawn at random but take a stretch of each user's ids: items with near
/// ids often belong together, and a random slice would be too easy. The block does not wrap around
/// the end, so first and last items are held out less often than those between.
///
/// **Shapes**: `pairs` of (user, item). Of n items `share x n` are held out, rounded half up, and at
/// most n - 1.
/// **Cost**: a copy of the pairs, sorted; a random draw per user.
/// **Errors**: a share outside 0 to 1, both exclusive.
///
/// ```
/// use shortlist_evaluation::holdout;
/// let pairs: Vec<(u32, u32)> = (0..10).map(|item| (7, item)).collect();
/// let split = holdout::contiguous(&pairs, 0.2, 1).unwrap();
/// let [(_, first), (_, second)] = split.held_out[..] else { unreachable!() };
/// assert_eq!((second - first, split.train.len()), (1, 8));
/// ```
pub fn contiguous(pairs: &[(u32, u32)], share: f64, seed: u64) -> Result<Split, EvaluationError> {
    check(share)?;
    Ok(cut(pairs, seed, |random, held| {
        let size = size_of_share(held.len(), share);
        let start = random.random_range(0..=held.len() - size);
        held.iter_mut().skip(start).take(size).for_each(|held| *held = true);
    }))
}

/// Holds out `share` of each user's items at random.
///
/// **Shapes**, **Cost**, **Errors**: as [`contiguous`], with a random draw per item held out.
pub fn random(pairs: &[(u32, u32)], share: f64, seed: u64) -> Result<Split, EvaluationError> {
    check(share)?;
    Ok(cut(pairs, seed, |random, held| {
        let size = size_of_share(held.len(), share);
        for place in rand::seq::index::sample(random, held.len(), size) {
            held[place] = true;
        }
    }))
}

/// Holds out one random item of each user.
///
/// **Shapes**: `pairs` of (user, item).
/// **Cost**: as [`contiguous`].
pub fn leave_one_out(pairs: &[(u32, u32)], seed: u64) -> Split {
    cut(pairs, seed, |random, held| {
        if held.len() >= 2 {
            let place = random.random_range(0..held.len());
            held[place] = true;
        }
    })
}

/// # Errors
/// Not a share that leaves something on both sides; NaN is none either.
fn check(share: f64) -> Result<(), EvaluationError> {
    if share > 0.0 && share < 1.0 { Ok(()) } else { Err(EvaluationError::ShareOutOfRange { got: share }) }
}

/// How many of `items` are held out.
fn size_of_share(items: usize, share: f64) -> usize {
    if items < SHARE_ITEMS_MIN { 0 } else { ((items as f64 * share).round() as usize).min(items - 1) }
}

/// Sorts the pairs and lets `choose` mark, for each user, which of his items are held out.
fn cut(pairs: &[(u32, u32)], seed: u64, choose: impl Fn(&mut ChaCha8Rng, &mut [bool])) -> Split {
    let mut sorted = pairs.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let whole = ChaCha8Rng::seed_from_u64(seed);
    let mut split = Split::default();
    let mut held = Vec::new();
    for of_user in sorted.chunk_by(|a, b| a.0 == b.0) {
        let mut random = whole.clone();
        random.set_stream(u64::from(of_user[0].0));
        held.clear();
        held.resize(of_user.len(), false);
        choose(&mut random, &mut held);
        for (&pair, &held) in of_user.iter().zip(&held) {
            if held { split.held_out.push(pair) } else { split.train.push(pair) }
        }
    }
    split
}
