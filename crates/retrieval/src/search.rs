use shortlist_types::{Budget, ItemIdx, Score};

use crate::leaf_walk::{LeafWalk, WalkEnd};
use crate::pacer::{BudgetExhausted, Pacer};
use crate::query::Query;
use crate::ranked::{pack, packed_number, packed_score, smallest, with_number};
use crate::simd::prefetch;
use crate::top_k::TopK;
use crate::{Allowed, Found, FrozenIndex, Neighbor, SearchParams, SearchScratch};

/// Candidates kept for re-scoring: a quarter more than are wanted, and this many.
const SPARE: usize = 40;
/// Above this `ef_search` as many more in proportion, up to so many times.
const SPARE_EF: f64 = 4_800.0;
const SPARE_EFFORT_MAX: f64 = 16.0;
/// Vectors asked for ahead of the one that is scored.
const AHEAD: usize = 12;

/// Points whose codes a walk is expected to read: a start, and so many for each candidate. Measured on
/// a million clustered vectors at `ef_search` 1,600: 4,100 for 214 candidates, 6,600 for 814.
const POINTS_AT_LEAST: f64 = 3_200.0;
const POINTS_PER_CANDIDATE: f64 = 4.2;

/// Nanoseconds of the parts of a search at 64 dimensions; only their ratios matter.
const CODE: f64 = 2.5;
const LEAF: f64 = 150.0;
/// A vector scored exactly: the next in memory, or any.
const ROW_NEXT: f64 = 14.0;
const ROW_ANY: f64 = 60.0;
/// An item looked up or asked about.
const LOOK_UP: f64 = 50.0;
const ASK: f64 = 6.0;
/// What a walk may cost beyond the exact scan when it has to give way to it.
const WASTE_MAX: f64 = 0.2;

/// One search of a frozen index.
pub(crate) struct Search<'a> {
    pub(crate) index: &'a FrozenIndex,
    pub(crate) query: &'a Query<'a>,
    pub(crate) params: SearchParams,
    pub(crate) allowed: Allowed<'a>,
}

/// How to go about it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Plan {
    Exact,
    /// `allowed_share` of the items may be returned; at `points_max` the walk gives way to a scan.
    Walk {
        allowed_share: f64,
        points_max: Option<usize>,
    },
}

impl Search<'_> {
    pub(crate) fn run(&self, budget: &dyn Budget, scratch: &mut SearchScratch) -> Found {
        let mut pacer = Pacer::new(budget);
        let k = self.params.k.min(self.index.len());
        if k == 0 {
            return Found { neighbors: Vec::new(), complete: true };
        }
        if self.query.is_indifferent() {
            return self.lowest_items(k, &mut pacer);
        }
        match self.plan(k) {
            Plan::Exact => self.exact(k, &mut pacer, scratch),
            Plan::Walk { allowed_share, points_max } => {
                let wanted = k + self.spare(k);
                let per_leaf = (k + k / 4 + SPARE) as f64 / self.params.ef_search.max(1) as f64;
                let walk = LeafWalk { search: self, wanted, per_leaf, allowed_share, points_max };
                match walk.run(&mut pacer, scratch) {
                    WalkEnd::GaveWay => self.exact(k, &mut pacer, scratch),
                    end => self.rescored(k, end == WalkEnd::Complete, scratch),
                }
            }
        }
    }

    /// Candidates that are re-scored beyond the wanted ones: more where more is tried, since what codes lose
    /// no walk finds.
    fn spare(&self, k: usize) -> usize {
        let effort = (self.params.ef_search as f64 / SPARE_EF).clamp(1.0, SPARE_EFFORT_MAX);
        ((k / 4 + SPARE) as f64 * effort) as usize
    }

    /// Compares what a walk and a scan of all that is allowed are expected to cost.
    fn plan(&self, k: usize) -> Plan {
        if self.params.ef_search == SearchParams::EXACT {
            return Plan::Exact;
        }
        let n = self.index.len() as f64;
        let wide = self.index.dimensions() as f64 / 64.0;
        let allowed = self.allowed.estimate(self.index.sorted_items());
        let allowed_share = (allowed / n).clamp(1.0 / n, 1.0);
        let exact = match self.allowed {
            Allowed::All => n * ROW_NEXT * wide,
            Allowed::Set(_) if self.looks_up() => allowed * (ROW_ANY * wide + LOOK_UP),
            Allowed::Set(_) | Allowed::Predicate(_) => n * ASK + allowed * ROW_NEXT * wide,
        };
        let point = CODE * wide + LEAF / self.index.config().leaf_points() as f64;
        let wanted = (k + self.spare(k)) as f64;
        let expected = (POINTS_AT_LEAST + POINTS_PER_CANDIDATE * wanted) / allowed_share * point;
        // The worst that a walk can cost: it reads all, and asks about all.
        let ask = if self.allowed.is_all() { 0.0 } else { ASK };
        let whole = n * (point + ask);
        if whole <= exact * (1.0 + WASTE_MAX) {
            let walks = expected < exact;
            return if walks { Plan::Walk { allowed_share, points_max: None } } else { Plan::Exact };
        }
        let spare = exact * WASTE_MAX;
        if expected + ask * wanted / allowed_share <= spare {
            let points_max = Some((spare / (point + ask)) as usize);
            Plan::Walk { allowed_share, points_max }
        } else {
            Plan::Exact
        }
    }

    /// Whether the items of an allowed set are looked up, rather than all items asked about.
    fn looks_up(&self) -> bool {
        matches!(self.allowed, Allowed::Set(set) if set.len() < self.index.len() as u64 / 8)
    }

    /// Every item scores the same: the lowest come first.
    fn lowest_items(&self, k: usize, pacer: &mut Pacer<'_>) -> Found {
        let mut neighbors = Vec::with_capacity(k);
        for item in self.index.sorted_items() {
            if neighbors.len() == k {
                break;
            }
            if pacer.spend(1).is_err() {
                return Found { neighbors, complete: false };
            }
            if self.allowed.contains(*item) {
                neighbors.push(Neighbor { item: ItemIdx(*item), score: Score::ZERO });
            }
        }
        Found { neighbors, complete: true }
    }

    /// Scores the pool's candidates by their vectors and returns the best.
    fn rescored(&self, k: usize, complete: bool, scratch: &mut SearchScratch) -> Found {
        scratch.pool.finish();
        let entries = &scratch.pool.entries;
        scratch.ranked.clear();
        for (_, point) in entries.iter().take(AHEAD) {
            prefetch(self.index.point_vector(*point));
        }
        for (at, (_, point)) in entries.iter().enumerate() {
            if let Some((_, ahead)) = entries.get(at + AHEAD) {
                prefetch(self.index.point_vector(*ahead));
            }
            let score = self.query.score(self.index.point_vector(*point));
            scratch.ranked.push(pack(score, *point));
        }
        Found { neighbors: self.best_items(k, &mut scratch.ranked), complete }
    }

    /// The k best items of ranked points. Points that tie with the k-th are looked at too: the lower
    /// item wins, whatever the point.
    fn best_items(&self, k: usize, points: &mut Vec<u64>) -> Vec<Neighbor> {
        if points.len() > k {
            let (_, last, _) = points.select_nth_unstable(k - 1);
            let worst = packed_score(*last);
            points.retain(|point| packed_score(*point) >= worst);
        }
        let (starts, items) = (self.index.item_starts(), self.index.items_by_point());
        let mut ranked = Vec::with_capacity(points.len());
        for packed in points.iter() {
            let point = packed_number(*packed) as usize;
            let own = &items[starts[point] as usize..starts[point + 1] as usize];
            let allowed = own.iter().filter(|item| self.allowed.contains(**item));
            ranked.extend(allowed.take(k).map(|item| with_number(*packed, *item)));
        }
        smallest(k, &mut ranked);
        ranked.into_iter().map(Neighbor::of_packed).collect()
    }

    /// Scores every allowed item by its vector.
    fn exact(&self, k: usize, pacer: &mut Pacer<'_>, scratch: &mut SearchScratch) -> Found {
        let top = &mut scratch.top;
        top.reset(k);
        let complete = match self.allowed {
            Allowed::Set(set) if self.looks_up() => self.look_up(set, top, pacer),
            Allowed::All | Allowed::Set(_) | Allowed::Predicate(_) => self.scan(k, top, pacer),
        };
        Found { neighbors: top.neighbors(), complete: complete.is_ok() }
    }

    fn scan(&self, k: usize, top: &mut TopK, pacer: &mut Pacer<'_>) -> Result<(), BudgetExhausted> {
        let (starts, items) = (self.index.item_starts(), self.index.items_by_point());
        for (point, vector) in self.index.vectors().chunks_exact(self.index.dimensions()).enumerate() {
            let own = &items[starts[point] as usize..starts[point + 1] as usize];
            let mut allowed = own.iter().filter(|item| self.allowed.contains(**item)).take(k).peekable();
            pacer.spend(vector.len())?;
            if allowed.peek().is_some() {
                let score = self.query.score(vector);
                allowed.for_each(|item| top.offer(pack(score, *item)));
            }
        }
        Ok(())
    }

    /// Both are ascending, so that each item is looked for behind the one before.
    fn look_up(
        &self,
        set: &roaring::RoaringBitmap,
        top: &mut TopK,
        pacer: &mut Pacer<'_>,
    ) -> Result<(), BudgetExhausted> {
        let (sorted, points) = (self.index.sorted_items(), self.index.sorted_points());
        let mut from = 0;
        for item in set {
            from += gallop(&sorted[from..], item);
            pacer.spend(self.index.dimensions())?;
            if sorted.get(from) == Some(&item) {
                let vector = self.index.point_vector(points[from]);
                top.offer(pack(self.query.score(vector), item));
            }
        }
        Ok(())
    }
}

/// How many of `sorted` are below `item`, found in steps that double: near ones quickly.
fn gallop(sorted: &[u32], item: u32) -> usize {
    let mut step = 1;
    while sorted.get(step).is_some_and(|other| *other < item) {
        step *= 2;
    }
    let (start, end) = (step / 2, (step + 1).min(sorted.len()));
    start + sorted[start..end].partition_point(|other| *other < item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn galloping_counts_what_is_below() {
        let sorted = [1, 3, 5, 7, 9, 11];
        for item in 0..13 {
            assert_eq!(gallop(&sorted, item), sorted.iter().filter(|other| **other < item).count(), "{item}");
        }
        assert_eq!((gallop(&[], 3), gallop(&[5], 3), gallop(&[5], 6)), (0, 0, 1));
    }
}
