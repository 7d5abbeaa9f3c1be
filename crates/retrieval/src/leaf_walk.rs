use std::cmp::Reverse;

use crate::code_query::{small, unit_of};
use crate::leaf_codes::{ZERO_CODE, block_bytes, middle_of};
use crate::pacer::{BudgetExhausted, Pacer};
use crate::ranked::ascending;
use crate::search::Search;
use crate::simd::{LINE, LeafCodes, prefetch};
use crate::{Metric, SearchScratch};

/// Leaves taken from the frontier at a time: their memory is asked for together, and read one round
/// later.
const ROUND: usize = 2;
/// Leaves over which the yield of new candidates is measured, when every item is allowed.
const WINDOW: usize = 8;
/// Work of visiting a leaf beside its codes, in vector components.
const LEAF_WORK: usize = 512;
/// Bytes of a leaf's codes that are asked for ahead; the processor sees the rest coming.
const PREFETCH_BYTES: usize = 4_096;
/// When only this share of the candidates that were to be expected came in, the filter works against the
/// query.
const OPPOSED: f64 = 0.25;
/// Euclidean queries farther out than this, in coarse coordinates, are drawn in to here: no product
/// overflows, and from so far away the direction alone says which points are near.
const FAR: f32 = 1e12;

/// Visits leaves best first, while walking the graph that links them, and pools the best points by
/// their codes.
pub(crate) struct LeafWalk<'a> {
    pub(crate) search: &'a Search<'a>,
    /// Candidates to pool.
    pub(crate) wanted: usize,
    /// New candidates that a leaf must bring for the walk to go on.
    pub(crate) per_leaf: f64,
    /// About which share of the items is allowed.
    pub(crate) allowed_share: f64,
    /// When more points were read, the walk gives way to an exact search.
    pub(crate) points_max: usize,
    /// When more were read, a filter that works against the query is no longer a reason to.
    pub(crate) opposed_max: usize,
}

/// How a walk came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WalkEnd {
    /// Leaves brought nothing new any more, or there were no more.
    Complete,
    /// The budget or the caller's limit on the work.
    Stopped,
    /// A scan is now the cheaper way.
    GaveWay,
}

/// What turns integer products into scores.
struct Units {
    /// Of centres: score = unit * width * (integer - zero).
    centre: f32,
    /// What a centre of zeros gives.
    zero: i32,
    /// Length of the coarse query: a leaf's reach is multiplied with it.
    length: f32,
}

impl LeafWalk<'_> {
    /// Leaves the candidates in `scratch.pool`.
    pub(crate) fn run(&self, pacer: &mut Pacer<'_>, scratch: &mut SearchScratch) -> WalkEnd {
        let index = self.search.index;
        scratch.pool.reset(self.wanted);
        scratch.frontier.clear();
        scratch.seen.clear(index.graph.nodes());
        let units = self.encode_query(scratch);
        match self.descend(&units, pacer, scratch).and_then(|()| self.visit(&units, pacer, scratch)) {
            Ok(end) => end,
            Err(BudgetExhausted) => WalkEnd::Stopped,
        }
    }

    /// Turns the query into small integers for centres and for points.
    fn encode_query(&self, scratch: &mut SearchScratch) -> Units {
        let index = self.search.index;
        let query = self.search.query.components();
        let coarse = &mut scratch.coarse_query;
        coarse.clear();
        if index.metric() == Metric::L2 {
            let scale = index.coarse().scale;
            // In `f64`, where no finite query overflows.
            let wide = |x: f32| f64::from(x) * f64::from(scale);
            let greatest = query.iter().fold(0.0, |greatest: f64, x| greatest.max(wide(*x).abs()));
            let drawn_in = f64::from(FAR) / greatest.max(f64::from(FAR));
            let columns = query.iter().zip(index.origin());
            coarse.extend(columns.map(|(x, origin)| (wide(*x) * drawn_in) as f32 - origin));
        } else {
            // Only the direction matters: scaled, nothing overflows.
            let greatest = query.iter().fold(0.0, |greatest: f32, x| greatest.max(x.abs()));
            coarse.extend(query.iter().map(|x| x / greatest));
        }
        scratch.code_query.encode(index.widths.fold(coarse));
        let folded = || coarse.iter().zip(index.centre_steps()).map(|(x, step)| x * step);
        let (centre, inverse) = unit_of(folded());
        scratch.centre_query.clear();
        scratch.centre_query.extend(folded().map(|x| small(x * inverse)));
        let zero = i32::from(ZERO_CODE) * scratch.centre_query.iter().map(|x| i32::from(*x)).sum::<i32>();
        scratch.centre_query.resize(index.header().centre_stride(), 0);
        Units { centre, zero, length: shortlist_types::dot(coarse, coarse).sqrt() }
    }

    /// Follows the best neighbour on each upper layer down, and puts the leaf where it lands on the
    /// frontier, with the entry point, from which every leaf can be reached.
    fn descend(
        &self,
        units: &Units,
        pacer: &mut Pacer<'_>,
        scratch: &mut SearchScratch,
    ) -> Result<(), BudgetExhausted> {
        let graph = &self.search.index.graph;
        let Some(entry) = graph.entry else { return Ok(()) };
        let mut best = (self.keys_of(&[entry], units, scratch).next(), entry);
        for layer in graph.upper.iter().rev() {
            loop {
                let neighbors = layer.neighbors(best.1, graph.m);
                pacer.spend(neighbors.len() * scratch.centre_query.len())?;
                let keys = self.keys_of(neighbors, units, scratch).zip(neighbors);
                let nearest = keys.max_by_key(|(key, leaf)| (*key, Reverse(**leaf)));
                match nearest {
                    Some((key, leaf)) if Some(key) > best.0 => best = (Some(key), *leaf),
                    _ => break,
                }
            }
        }
        scratch.fresh.clear();
        scratch.seen.take_new(&[entry, best.1], &mut scratch.fresh);
        Ok(())
    }

    /// Visits leaves until they bring no more.
    fn visit(
        &self,
        units: &Units,
        pacer: &mut Pacer<'_>,
        scratch: &mut SearchScratch,
    ) -> Result<WalkEnd, BudgetExhausted> {
        let index = self.search.index;
        let mut harvest = Harvest::new(self.per_leaf, self.allowed_share);
        let mut points = 0;
        // Leaves whose codes were asked for in the round before.
        let mut asked = [0_u64; ROUND];
        let mut asked_count = 0;
        loop {
            self.push_fresh(units, scratch);
            let mut round = [0_u64; ROUND];
            let mut count = 0;
            while count < ROUND && !harvest.is_over() {
                let Some(packed) = scratch.frontier.pop() else { break };
                round[count] = packed;
                count += 1;
                let leaf = packed_leaf(packed);
                prefetch(index.graph.places(leaf));
                let bytes = self.code_range(leaf);
                prefetch(&index.codes()[bytes.start..bytes.end.min(bytes.start + PREFETCH_BYTES)]);
            }
            for packed in &round[..count] {
                let from = scratch.fresh.len();
                scratch.seen.take_new(index.graph.neighbors(packed_leaf(*packed)), &mut scratch.fresh);
                for leaf in &scratch.fresh[from..] {
                    prefetch(self.centre_code(*leaf));
                    prefetch(&index.leaf_numbers()[*leaf as usize..][..1]);
                }
            }
            for packed in &asked[..asked_count] {
                let read = self.read(*packed, units, scratch, &mut harvest, pacer)?;
                points += read;
                pacer.spend(LEAF_WORK + read * index.dimensions() / 2)?;
            }
            if points >= self.search.params.points_max {
                return Ok(WalkEnd::Stopped);
            }
            let opposed = !self.search.allowed.is_all() && harvest.is_opposed(self.wanted);
            if points >= self.points_max || opposed && points <= self.opposed_max {
                return Ok(WalkEnd::GaveWay);
            }
            if count == 0 {
                return Ok(WalkEnd::Complete);
            }
            (asked, asked_count) = (round, count);
        }
    }

    /// Scores the fresh leaves' centres and puts the leaves on the frontier.
    fn push_fresh(&self, units: &Units, scratch: &mut SearchScratch) {
        let fresh = std::mem::take(&mut scratch.fresh);
        let (products, frontier) = (&mut scratch.products, &mut scratch.frontier);
        let index = self.search.index;
        index.simd.products(index.centre_codes(), &fresh, &scratch.centre_query, products);
        for (product, leaf) in products.iter().zip(&fresh) {
            frontier.push(pack_leaf(self.key(*product, *leaf, units), *leaf));
        }
        scratch.fresh = fresh;
        scratch.fresh.clear();
    }

    /// How promising `leaves` are, in bits that ascend.
    fn keys_of<'s>(
        &'s self,
        leaves: &'s [u32],
        units: &'s Units,
        scratch: &'s mut SearchScratch,
    ) -> impl Iterator<Item = u32> + 's {
        let index = self.search.index;
        index.simd.products(index.centre_codes(), leaves, &scratch.centre_query, &mut scratch.products);
        scratch.products.iter().zip(leaves).map(|(product, leaf)| ascending(self.key(*product, *leaf, units)))
    }

    /// How promising a leaf is: its centre's score, and what a wide leaf may hold beyond.
    #[inline]
    fn key(&self, product: i32, leaf: u32, units: &Units) -> f32 {
        let numbers = &self.search.index.leaf_numbers()[leaf as usize];
        units.centre * numbers.centre_width * (product - units.zero) as f32
            + numbers.bias
            + numbers.reach * units.length
    }

    /// Pools a leaf's points by their codes; returns how many there are.
    fn read(
        &self,
        packed: u64,
        units: &Units,
        scratch: &mut SearchScratch,
        harvest: &mut Harvest,
        pacer: &mut Pacer<'_>,
    ) -> Result<usize, BudgetExhausted> {
        let index = self.search.index;
        let (key, leaf) = (unpack_key(packed), packed_leaf(packed));
        let numbers = &index.leaf_numbers()[leaf as usize];
        let centre = key - numbers.bias - numbers.reach * units.length;
        let unit = numbers.width * scratch.code_query.unit;
        let [start, end] = [0, 1].map(|next| index.leaves[leaf as usize + next].first_point);
        let points = (end - start) as usize;
        let biases = index.biases();
        let codes = LeafCodes {
            codes: &index.codes()[self.code_range(leaf)],
            points,
            base: centre - middle_of(unit, scratch.code_query.sum),
            unit,
            bias: if biases.is_empty() { biases } else { &biases[start as usize..end as usize] },
        };
        let pool = &mut scratch.pool;
        let from = pool.entries.len();
        index.simd.scan(codes, &scratch.code_query, pool.threshold(), start, &mut pool.entries);
        if !self.search.allowed.is_all() {
            self.drop_forbidden(from, &mut pool.entries, pacer)?;
        }
        // A leaf whose very middle would enter, if it were allowed, says that better ones may follow.
        let expected = match (pool.is_full(), centre <= pool.threshold()) {
            (false, _) => Some(points as f64 * self.allowed_share),
            (true, false) => Some(points as f64 * self.allowed_share / 2.0),
            (true, true) => None,
        };
        harvest.add(pool.entries.len() - from, expected);
        pool.settle(from);
        Ok(points)
    }

    /// Drops new entries none of whose items is allowed.
    fn drop_forbidden(
        &self,
        from: usize,
        entries: &mut Vec<(f32, u32)>,
        pacer: &mut Pacer<'_>,
    ) -> Result<(), BudgetExhausted> {
        let index = self.search.index;
        let (starts, items) = (index.item_starts(), index.items_by_point());
        let mut is_allowed = |point: u32| {
            // A vector that a million items share is asked about once per item.
            for item in &items[starts[point as usize] as usize..starts[point as usize + 1] as usize] {
                pacer.spend(1)?;
                if self.search.allowed.contains(*item) {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let mut kept = from;
        let mut ended = Ok(());
        for at in from..entries.len() {
            match is_allowed(entries[at].1) {
                Ok(allowed) => {
                    entries[kept] = entries[at];
                    kept += usize::from(allowed);
                }
                Err(exhausted) => {
                    ended = Err(exhausted);
                    break;
                }
            }
        }
        // What was not asked about goes, too.
        entries.truncate(kept);
        ended
    }

    fn centre_code(&self, leaf: u32) -> &[u8] {
        let stride = self.search.index.header().centre_stride();
        &self.search.index.centre_codes()[leaf as usize * stride..][..stride]
    }

    fn code_range(&self, leaf: u32) -> std::ops::Range<usize> {
        let bytes = block_bytes(self.search.index.dimensions());
        debug_assert!(bytes.is_multiple_of(LINE));
        let [start, end] = [0, 1].map(|next| self.search.index.leaves[leaf as usize + next].first_block as usize);
        start * bytes..end * bytes
    }
}

/// A leaf with its key: the greatest number is the most promising, and the lowest leaf among equals.
#[inline]
fn pack_leaf(key: f32, leaf: u32) -> u64 {
    u64::from(ascending(key)) << 32 | u64::from(!leaf)
}

#[inline]
fn packed_leaf(packed: u64) -> u32 {
    !(packed as u32)
}

#[inline]
fn unpack_key(packed: u64) -> f32 {
    let bits = (packed >> 32) as u32;
    f32::from_bits(if bits >> 31 == 0 { !bits } else { bits & (u32::MAX >> 1) })
}

/// Watches what the leaves bring, and says when it is no longer worth the walk: when, over the last
/// leaves, each brought fewer new candidates than it has to.
struct Harvest {
    /// Of the last places, each a few leaves.
    counts: [usize; WINDOW],
    place: usize,
    /// Leaves in this place so far, and per place.
    in_place: usize,
    per_place: usize,
    /// Leaves whose yield was measured.
    leaves: usize,
    /// New candidates per window that are worth going on.
    worthwhile: f64,
    over: bool,
    /// Candidates that leaves were expected to bring, by the allowed share, and that those brought.
    expected: f64,
    brought: f64,
}

impl Harvest {
    /// Where only a share of the items is allowed, or less than one new candidate is worth going on, as
    /// many more leaves make a window.
    fn new(per_leaf: f64, allowed_share: f64) -> Self {
        let per_place = (1.0 / allowed_share).max(1.0 / (per_leaf * WINDOW as f64)).ceil().min(1e8) as usize;
        let worthwhile = per_leaf * (WINDOW * per_place) as f64;
        Self {
            counts: [0; WINDOW],
            place: 0,
            in_place: 0,
            per_place,
            leaves: 0,
            worthwhile,
            over: false,
            expected: 0.0,
            brought: 0.0,
        }
    }

    #[inline]
    fn is_over(&self) -> bool {
        self.over
    }

    /// Whether far fewer allowed points were met than their share makes expect: what is allowed lies away
    /// from the query, its best part cut off by the filter, where codes tell too little apart.
    #[inline]
    fn is_opposed(&self, wanted: usize) -> bool {
        self.expected > wanted as f64 && self.brought < OPPOSED * self.expected
    }

    /// Hears that a leaf brought `entries` where `expected` were to be expected; none are when the pool is
    /// full and the leaf no better than what it keeps, and then the yield is measured.
    #[inline]
    fn add(&mut self, entries: usize, expected: Option<f64>) {
        self.counts[self.place] += entries;
        self.in_place += 1;
        self.leaves += 1;
        let place_ends = self.in_place == self.per_place;
        if let Some(expected) = expected {
            self.expected += expected;
            self.brought += entries as f64;
        } else if place_ends && self.leaves >= WINDOW * self.per_place {
            let total: usize = self.counts.iter().sum();
            self.over |= (total as f64) < self.worthwhile;
        }
        if place_ends {
            self.in_place = 0;
            self.place = (self.place + 1) % WINDOW;
            self.counts[self.place] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_leaves_are_ordered_by_key_and_come_back() {
        let packed: Vec<u64> = [(-2.0, 7), (0.5, 9), (0.5, 3), (3.0, 1)].map(|(key, leaf)| pack_leaf(key, leaf)).into();
        assert!(packed.is_sorted());
        let back: Vec<(f32, u32)> = packed.iter().map(|packed| (unpack_key(*packed), packed_leaf(*packed))).collect();
        assert_eq!(back, [(-2.0, 7), (0.5, 9), (0.5, 3), (3.0, 1)]);
    }

    #[test]
    fn a_harvest_ends_when_a_full_pool_gets_little_for_a_window() {
        let mut harvest = Harvest::new(0.5, 1.0);
        (0..20).for_each(|_| harvest.add(0, Some(0.0)));
        assert!(!harvest.is_over(), "the pool is not full yet");
        let mut harvest = Harvest::new(0.5, 1.0);
        (0..20).for_each(|_| harvest.add(1, None));
        (0..4).for_each(|_| harvest.add(0, None));
        assert!(!harvest.is_over());
        harvest.add(0, None);
        assert!(harvest.is_over());
    }

    #[test]
    fn a_filter_that_takes_what_was_promised_is_opposed() {
        let mut harvest = Harvest::new(0.5, 0.5);
        (0..10).for_each(|_| harvest.add(20, Some(32.0)));
        assert!(!harvest.is_opposed(100));
        (0..60).for_each(|_| harvest.add(1, Some(16.0)));
        assert!(harvest.is_opposed(100));
    }

    #[test]
    fn a_strict_filter_makes_the_window_longer() {
        let mut harvest = Harvest::new(0.5, 0.1);
        (0..79).for_each(|_| harvest.add(0, None));
        assert!(!harvest.is_over());
        harvest.add(0, None);
        assert!(harvest.is_over());
    }
}
