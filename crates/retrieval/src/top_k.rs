use crate::Neighbor;
use crate::ranked::smallest;

/// Room beyond the kept ones, so that a cut serves many offers.
const SPARE: usize = 64;

/// The k best of the scored items offered: kept up to twice over, and cut when there are more.
#[derive(Debug, Default)]
pub(crate) struct TopK {
    k: usize,
    /// Packed by [`crate::ranked::pack`]; after a cut the k-th is the greatest of the first k.
    ranked: Vec<u64>,
    was_cut: bool,
}

impl TopK {
    /// Forgets everything and keeps `k` from now on.
    pub(crate) fn reset(&mut self, k: usize) {
        self.k = k;
        self.ranked.clear();
        self.was_cut = false;
    }

    #[inline]
    pub(crate) fn offer(&mut self, ranked: u64) {
        if self.k == 0 || self.was_cut && ranked > self.ranked[self.k - 1] {
            return;
        }
        self.ranked.push(ranked);
        if self.ranked.len() >= self.k.saturating_mul(2).saturating_add(SPARE) {
            self.ranked.select_nth_unstable(self.k - 1);
            self.ranked.truncate(self.k);
            self.was_cut = true;
        }
    }

    /// The k best, best first.
    pub(crate) fn neighbors(&mut self) -> Vec<Neighbor> {
        smallest(self.k, &mut self.ranked);
        self.ranked.iter().copied().map(Neighbor::of_packed).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shortlist_types::Score;

    use super::*;
    use crate::ranked::{pack, packed_number};

    proptest! {
        #[test]
        fn it_keeps_what_sorting_would(scores in prop::collection::vec(-4_i8..4, 0..600), k in 0..70_usize) {
            let ranked = scores.iter().zip(0..).map(|(score, i)| pack(Score::parse(f32::from(*score)).unwrap(), i));
            let mut all: Vec<u64> = ranked.collect();
            let mut top = TopK::default();
            top.reset(k);
            all.iter().for_each(|ranked| top.offer(*ranked));
            all.sort_unstable();
            all.truncate(k);
            let kept: Vec<u32> = top.neighbors().iter().map(|neighbor| neighbor.item.0).collect();
            prop_assert_eq!(kept, all.iter().map(|ranked| packed_number(*ranked)).collect::<Vec<_>>());
        }
    }
}
