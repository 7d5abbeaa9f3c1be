use std::cmp::Ordering;

/// Bins of the histogram: the threshold is as exact as one of them.
const BINS: usize = 1_024;
/// A pool with this many times the candidates it wants is cut, ties or not.
const OVERFULL: usize = 8;

/// The best candidates so far by approximate score, and the score that a new one must beat.
///
/// A sorted list would move half its entries for each that enters. Here an entry costs one addition:
/// when the pool is full for the first time, a histogram is laid over its scores, and from then on the
/// threshold is the bin above which as many lie as are wanted. What fell below is dropped at the end.
#[derive(Debug, Default)]
pub(crate) struct CandidatePool {
    wanted: usize,
    /// Scores and points, in the order of finding.
    pub(crate) entries: Vec<(f32, u32)>,
    threshold: f32,
    histogram: Option<Histogram>,
    bins: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Histogram {
    low: f32,
    bins_per_score: f32,
    /// The lowest bin that is kept.
    first: usize,
    /// Entries in that bin and above.
    kept: usize,
}

impl CandidatePool {
    /// Forgets everything; keeps about `wanted` from now on.
    pub(crate) fn reset(&mut self, wanted: usize) {
        self.wanted = wanted.max(1);
        self.entries.clear();
        self.threshold = f32::NAN;
        self.histogram = None;
    }

    /// Only scores above this one are worth appending to `entries`; NaN while all are.
    #[inline]
    pub(crate) fn threshold(&self) -> f32 {
        self.threshold
    }

    /// Whether as many were found as are wanted.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.histogram.is_some()
    }

    /// Takes in the entries appended since there were `from`.
    pub(crate) fn settle(&mut self, from: usize) {
        match &mut self.histogram {
            None if self.entries.len() >= self.wanted => self.fill(),
            None => {}
            Some(histogram) => {
                for (score, _) in &self.entries[from..] {
                    let bin = histogram.bin(*score);
                    self.bins[bin] += 1;
                    // The threshold lies a little below the first bin.
                    histogram.kept += usize::from(bin >= histogram.first);
                }
                if histogram.raise(&self.bins, self.wanted) {
                    self.threshold = histogram.edge();
                }
                if self.entries.len() > OVERFULL * self.wanted {
                    self.cut();
                }
            }
        }
    }

    /// Lays the histogram over the scores of the first entries.
    fn fill(&mut self) {
        let greatest = self.entries.iter().map(|entry| entry.0).fold(f32::NEG_INFINITY, f32::max);
        let worst = self.entries.select_nth_unstable_by(self.wanted - 1, better).1.0;
        // As much room above the best so far as lies between it and the worst.
        let span = (greatest - worst).max(worst.abs() * f32::EPSILON).max(f32::MIN_POSITIVE);
        let mut histogram = Histogram { low: worst, bins_per_score: BINS as f32 / 2.0 / span, first: 0, kept: 0 };
        self.bins.clear();
        self.bins.resize(BINS, 0);
        for (score, _) in self.entries.iter().filter(|entry| entry.0 >= worst) {
            self.bins[histogram.bin(*score)] += 1;
            histogram.kept += 1;
        }
        self.threshold = worst.next_down();
        self.histogram = Some(histogram);
    }

    /// Keeps exactly the wanted, and lays the histogram anew: equal scores lead here, or ever better ones
    /// that all fell into the last bin. What ties with the last of the wanted is no longer taken.
    #[cold]
    fn cut(&mut self) {
        self.entries.select_nth_unstable_by(self.wanted - 1, better);
        self.entries.truncate(self.wanted);
        self.fill();
        self.threshold = self.threshold.next_up();
    }

    /// Drops what lies below the threshold.
    pub(crate) fn finish(&mut self) {
        let threshold = self.threshold;
        self.entries.retain(|entry| entry.0.partial_cmp(&threshold) != Some(Ordering::Less));
    }
}

impl Histogram {
    #[inline]
    fn bin(&self, score: f32) -> usize {
        (((score - self.low) * self.bins_per_score) as usize).min(BINS - 1)
    }

    /// Raises the first bin as far as enough is left; returns whether it rose.
    #[inline]
    fn raise(&mut self, bins: &[u32], wanted: usize) -> bool {
        let before = self.first;
        while self.first + 1 < BINS && self.kept - bins[self.first] as usize >= wanted {
            self.kept -= bins[self.first] as usize;
            self.first += 1;
        }
        self.first > before
    }

    /// The highest score that is surely below the first bin.
    fn edge(&self) -> f32 {
        let edge = self.low + self.first as f32 / self.bins_per_score;
        // As much lower as the sums above and in `bin` can be off.
        (edge - 2.0 * f32::EPSILON * edge.abs().max(self.low.abs())).next_down()
    }
}

/// The greater score first, equal ones by point.
fn better(a: &(f32, u32), b: &(f32, u32)) -> Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scores_that_are_small_beside_the_lowest_are_not_cut_off_with_it() {
        let mut pool = CandidatePool::default();
        pool.reset(41);
        pool.entries.push((-1_000.0, 0));
        pool.entries.extend((1..141).map(|point| (0.123_456, point)));
        pool.settle(0);
        pool.settle(141);
        pool.finish();
        assert_eq!(pool.entries.len(), 140);
    }

    #[test]
    fn one_low_score_among_the_first_does_not_hide_the_next() {
        let mut pool = CandidatePool::default();
        pool.reset(41);
        pool.entries.push((-1_000.0, 0));
        pool.entries.extend((1..41).map(|point| (0.123_456, point)));
        pool.settle(0);
        pool.entries.extend((41..141).map(|point| (0.123_456, point)));
        pool.settle(41);
        pool.finish();
        assert!(pool.entries.len() >= 140);
    }

    proptest! {
        #[test]
        fn the_wanted_best_are_always_kept(
            scores in prop_oneof![
                prop::collection::vec(prop_oneof![-1e3_f32..1e3, (-2_i8..3).prop_map(f32::from)], 0..400),
                prop::collection::vec((-100_i8..100).prop_map(|x| 1.0 + f32::from(x) * 6e-8), 0..400),
            ],
            wanted in 1..40_usize,
            stretch in 1..50_usize,
        ) {
            let mut pool = CandidatePool::default();
            pool.reset(wanted);
            let entries: Vec<(f32, u32)> = scores.iter().copied().zip(0..).collect();
            for stretch in entries.chunks(stretch) {
                let (from, threshold) = (pool.entries.len(), pool.threshold());
                pool.entries.extend(stretch.iter().filter(|entry| threshold.is_nan() || entry.0 > threshold));
                pool.settle(from);
            }
            pool.finish();
            let mut sorted = entries;
            sorted.sort_unstable_by(better);
            sorted.truncate(wanted);
            prop_assert!(pool.entries.len() >= sorted.len() && pool.entries.len() <= OVERFULL * wanted + stretch);
            let mut kept: Vec<f32> = pool.entries.iter().map(|entry| entry.0).collect();
            kept.sort_unstable_by(|a, b| b.total_cmp(a));
            kept.truncate(sorted.len());
            prop_assert_eq!(kept, sorted.iter().map(|entry| entry.0).collect::<Vec<_>>());
        }
    }
}
