//! A score and a number in one integer: the smaller it is, the better the score, and the lower the
//! number among equal scores. Sorting such integers needs no comparator.

use shortlist_types::Score;

/// Packs a score with a number.
#[inline]
pub(crate) fn pack(score: Score, number: u32) -> u64 {
    u64::from(!ascending(score.get())) << 32 | u64::from(number)
}

/// The score of a packed pair.
#[inline]
pub(crate) fn packed_score(packed: u64) -> Score {
    let bits = !((packed >> 32) as u32);
    let bits = if bits & SIGN == 0 { !bits } else { bits & !SIGN };
    Score::parse(f32::from_bits(bits)).unwrap_or(Score::ZERO)
}

/// The number of a packed pair.
#[inline]
pub(crate) fn packed_number(packed: u64) -> u32 {
    packed as u32
}

/// The same score with another number.
#[inline]
pub(crate) fn with_number(packed: u64, number: u32) -> u64 {
    packed >> 32 << 32 | u64::from(number)
}

/// Keeps the k smallest, in order.
pub(crate) fn smallest(k: usize, packed: &mut Vec<u64>) {
    if packed.len() > k && k > 0 {
        packed.select_nth_unstable(k - 1);
    }
    packed.truncate(k);
    packed.sort_unstable();
}

const SIGN: u32 = 1 << 31;

/// Bits that ascend with the number, as `f32::total_cmp` orders it.
#[inline]
pub(crate) fn ascending(x: f32) -> u32 {
    let bits = x.to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn order_and_content_survive(a in -1e9_f32..1e9, b in -1e9_f32..1e9, i: u32, j: u32) {
            let (x, y) = (Score::parse(a).unwrap(), Score::parse(b).unwrap());
            let (packed, other) = (pack(x, i), pack(y, j));
            prop_assert_eq!((packed_score(packed), packed_number(packed)), (x, i));
            prop_assert_eq!(packed.cmp(&other), y.cmp(&x).then(i.cmp(&j)));
        }
    }
}
