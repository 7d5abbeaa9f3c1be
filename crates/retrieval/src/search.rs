use shortlist_types::{Budget, ItemIdx, Score};

use crate::leaf_walk::{LeafWalk, WalkEnd};
use crate::pacer::{BudgetExhausted, Pacer};
use crate::plan::{Plan, Prospect};
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
/// Work of looking an item up, in vector components.
const LOOK_UP_WORK: usize = 64;
/// Vectors asked for ahead of the one that is scored.
const AHEAD: usize = 12;

/// One search of a frozen index.
pub(crate) struct Search<'a> {
    pub(crate) index: &'a FrozenIndex,
    pub(crate) query: &'a Query<'a>,
    pub(crate) params: SearchParams,
    pub(crate) allowed: Allowed<'a>,
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
        if self.params.ef_search == SearchParams::EXACT {
            return self.exact(k, self.prospect(k).exact().1, &mut pacer, scratch);
        }
        let prospect = self.prospect(k);
        let (points_max, opposed_max) = match prospect.plan() {
            Plan::Walk { points_max, opposed_max } => (points_max, opposed_max),
            plan => return self.exact(k, plan, &mut pacer, scratch),
        };
        let per_leaf = (k + k / 4 + SPARE) as f64 / self.params.ef_search.max(1) as f64;
        let allowed_share = prospect.allowed / self.index.len() as f64;
        let walk = LeafWalk { search: self, wanted: prospect.wanted, per_leaf, allowed_share, points_max, opposed_max };
        match walk.run(&mut pacer, scratch) {
            WalkEnd::GaveWay => self.exact(k, prospect.exact().1, &mut pacer, scratch),
            end => self.rescored(k, end == WalkEnd::Complete, &mut pacer, scratch),
        }
    }

    fn prospect(&self, k: usize) -> Prospect {
        let items = self.index.len();
        let set = match self.allowed {
            Allowed::Set(set) => Some(set.len()),
            Allowed::All | Allowed::Predicate(_) => None,
        };
        Prospect {
            items,
            dimensions: self.index.dimensions(),
            leaf_points: self.index.config().leaf_points(),
            allowed: self.allowed.estimate(self.index.sorted_items()).clamp(1.0, items as f64),
            set,
            asks: !self.allowed.is_all(),
            wanted: k + self.spare(k),
        }
    }

    /// Candidates that are re-scored beyond the wanted ones: more where more is tried, since what codes lose
    /// no walk finds.
    fn spare(&self, k: usize) -> usize {
        let effort = (self.params.ef_search as f64 / SPARE_EF).clamp(1.0, SPARE_EFFORT_MAX);
        ((k / 4 + SPARE) as f64 * effort) as usize
    }

    /// Every item scores the same: the lowest come first.
    fn lowest_items(&self, k: usize, pacer: &mut Pacer<'_>) -> Found {
        let mut found = Found { neighbors: Vec::new(), complete: true };
        let sorted = self.index.sorted_items();
        let mut offer = |item: u32| {
            found.neighbors.push(Neighbor { item: ItemIdx(item), score: Score::ZERO });
            found.neighbors.len() == k
        };
        let mut run = || {
            if let Allowed::Set(set) = self.allowed {
                let mut from = 0;
                for item in set {
                    pacer.spend(LOOK_UP_WORK)?;
                    from += gallop(&sorted[from..], item);
                    if sorted.get(from) == Some(&item) && offer(item) {
                        break;
                    }
                }
                return Ok(());
            }
            for item in sorted {
                pacer.spend(1)?;
                if self.allowed.contains(*item) && offer(*item) {
                    break;
                }
            }
            Ok(())
        };
        let ended: Result<(), BudgetExhausted> = run();
        found.complete = ended.is_ok();
        found
    }

    /// Scores the pool's candidates by their vectors and returns the best.
    fn rescored(&self, k: usize, complete: bool, pacer: &mut Pacer<'_>, scratch: &mut SearchScratch) -> Found {
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
        let complete = self.rank_items(k, pacer, scratch).is_ok() && complete;
        Found { neighbors: scratch.items.iter().copied().map(Neighbor::of_packed).collect(), complete }
    }

    /// The k best items of ranked points. Points that tie with the k-th are looked at too: the lower
    /// item wins, whatever the point.
    fn rank_items(&self, k: usize, pacer: &mut Pacer<'_>, scratch: &mut SearchScratch) -> Result<(), BudgetExhausted> {
        let (points, ranked) = (&mut scratch.ranked, &mut scratch.items);
        if points.len() > k {
            let (_, last, _) = points.select_nth_unstable(k - 1);
            let worst = packed_score(*last);
            points.retain(|point| packed_score(*point) >= worst);
        }
        let (starts, items) = (self.index.item_starts(), self.index.items_by_point());
        ranked.clear();
        let mut rank = || {
            for packed in points.iter() {
                let point = packed_number(*packed) as usize;
                let mut left = k;
                let of_point = &items[starts[point] as usize..starts[point + 1] as usize];
                for item in of_point {
                    pacer.spend(1)?;
                    // The walk pooled only points with an allowed item: the only one was asked about.
                    if of_point.len() == 1 || self.allowed.contains(*item) {
                        ranked.push(with_number(*packed, *item));
                        left -= 1;
                        if left == 0 {
                            break;
                        }
                    }
                }
            }
            Ok(())
        };
        let ended = rank();
        smallest(k, ranked);
        ended
    }

    /// Scores every allowed item by its vector, looked up or in passing; until as many were scored as the
    /// caller's limit allows.
    fn exact(&self, k: usize, plan: Plan, pacer: &mut Pacer<'_>, scratch: &mut SearchScratch) -> Found {
        let top = &mut scratch.top;
        top.reset(k);
        let complete = match (plan, self.allowed) {
            (Plan::LookUp, Allowed::Set(set)) => self.look_up(set, top, pacer),
            _ => self.scan(k, top, pacer),
        };
        Found { neighbors: top.neighbors(), complete: complete.is_ok() }
    }

    fn scan(&self, k: usize, top: &mut TopK, pacer: &mut Pacer<'_>) -> Result<(), BudgetExhausted> {
        let (starts, items) = (self.index.item_starts(), self.index.items_by_point());
        let mut scored = 0;
        for (point, vector) in self.index.vectors().chunks_exact(self.index.dimensions()).enumerate() {
            let mut score = None;
            let mut left = k;
            for item in &items[starts[point] as usize..starts[point + 1] as usize] {
                pacer.spend(1)?;
                if !self.allowed.contains(*item) {
                    continue;
                }
                if score.is_none() {
                    pacer.spend(vector.len())?;
                    scored = self.count(scored)?;
                }
                let score = *score.get_or_insert_with(|| self.query.score(vector));
                top.offer(pack(score, *item));
                left -= 1;
                if left == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    /// One more vector scored, unless the caller's limit is reached.
    fn count(&self, scored: usize) -> Result<usize, BudgetExhausted> {
        if scored < self.params.points_max { Ok(scored + 1) } else { Err(BudgetExhausted) }
    }

    /// Both are ascending, so that each item is looked for behind the one before.
    fn look_up(
        &self,
        set: &roaring::RoaringBitmap,
        top: &mut TopK,
        pacer: &mut Pacer<'_>,
    ) -> Result<(), BudgetExhausted> {
        let (sorted, points) = (self.index.sorted_items(), self.index.sorted_points());
        let (mut from, mut scored) = (0, 0);
        for item in set {
            from += gallop(&sorted[from..], item);
            pacer.spend(self.index.dimensions() + LOOK_UP_WORK)?;
            scored = self.count(scored)?;
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
