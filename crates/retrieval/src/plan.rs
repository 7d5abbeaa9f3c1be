/// Points whose codes a walk is expected to read: a start, and so many for each candidate. Measured on
/// a million clustered vectors: 4,100 for 214 candidates, 6,600 for 814.
const POINTS_AT_LEAST: f64 = 3_200.0;
const POINTS_PER_CANDIDATE: f64 = 4.2;

/// Nanoseconds of the parts of a search at 64 dimensions; only their ratios matter.
const CODE: f64 = 2.5;
const LEAF: f64 = 150.0;
/// A vector scored exactly: the next in memory, and what one anywhere else costs beyond that.
const ROW: f64 = 14.0;
const AWAY: f64 = 46.0;
/// An item looked up by its number, and an item asked about.
const LOOK_UP: f64 = 50.0;
const ASK: f64 = 6.0;
/// What a walk may cost beyond an exact search when it has to give way to it.
const WASTE_MAX: f64 = 0.2;

/// What is known of a search before it begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prospect {
    pub(crate) items: usize,
    pub(crate) dimensions: usize,
    pub(crate) leaf_points: usize,
    /// About how many items are allowed.
    pub(crate) allowed: f64,
    /// Items of the allowed set, if it is one: each can be looked up.
    pub(crate) set: Option<u64>,
    /// Whether items have to be asked about.
    pub(crate) asks: bool,
    /// Candidates that a walk pools.
    pub(crate) wanted: usize,
}

/// How to go about a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Plan {
    /// Score every item of the allowed set.
    LookUp,
    /// Score every allowed item.
    Scan,
    /// Walk the leaves. When so many points were read it gives way to an exact search; after
    /// `opposed_max` it no longer does so for a filter that works against the query.
    Walk { points_max: usize, opposed_max: usize },
}

impl Prospect {
    /// Compares what a walk and an exact search are expected to cost. Whatever the walk meets, the search
    /// costs at most 1.2 times the exact one: either the whole walk does, or it gives way in time.
    pub(crate) fn plan(&self) -> Plan {
        let (exact, by_exact) = self.exact();
        let (whole, spare) = (self.whole_walk(), WASTE_MAX * exact);
        let affordable = (spare / self.point()) as usize;
        if whole <= exact + spare {
            let walk = Plan::Walk { points_max: usize::MAX, opposed_max: affordable };
            return if self.expected_walk() < exact { walk } else { by_exact };
        }
        let walk = Plan::Walk { points_max: affordable, opposed_max: affordable };
        if self.expected_walk() <= spare { walk } else { by_exact }
    }

    /// The cheaper exact way, with its cost.
    pub(crate) fn exact(&self) -> (f64, Plan) {
        let row = ROW * self.width();
        let scan = self.items as f64 * self.ask() + self.allowed * row;
        match self.set.map(|set| set as f64 * (LOOK_UP + AWAY + row)) {
            Some(look_up) if look_up < scan => (look_up, Plan::LookUp),
            _ => (scan, Plan::Scan),
        }
    }

    /// A walk that reads every leaf and re-scores its candidates.
    fn whole_walk(&self) -> f64 {
        self.items as f64 * self.point() + self.rescoring()
    }

    fn expected_walk(&self) -> f64 {
        let share = (self.allowed / self.items as f64).clamp(1.0 / self.items as f64, 1.0);
        let points = (POINTS_AT_LEAST + POINTS_PER_CANDIDATE * self.wanted as f64) / share;
        let asked = self.wanted as f64 / share;
        points * (self.point() - self.ask()) + asked * self.ask() + self.rescoring()
    }

    /// A point's code, its part of the leaf, and at worst a question.
    fn point(&self) -> f64 {
        CODE * self.width() + LEAF / self.leaf_points as f64 + self.ask()
    }

    fn rescoring(&self) -> f64 {
        self.wanted as f64 * (AWAY + ROW * self.width())
    }

    fn ask(&self) -> f64 {
        if self.asks { ASK } else { 0.0 }
    }

    fn width(&self) -> f64 {
        self.dimensions as f64 / 64.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prospects() -> impl Iterator<Item = Prospect> {
        let sizes = [1, 100, 5_000, 100_000, 10_000_000];
        let shares = [1.0, 0.5, 0.1, 0.03, 0.001, 0.000_01];
        let kinds = [(false, false), (true, true), (false, true)];
        sizes.into_iter().flat_map(move |items| {
            [1, 64, 1_024, 4_096].into_iter().flat_map(move |dimensions| {
                [10, 165, 665, 60_000].into_iter().flat_map(move |wanted| {
                    shares.into_iter().flat_map(move |share| {
                        kinds.into_iter().map(move |(is_set, asks)| {
                            let allowed = if asks { (items as f64 * share).ceil() } else { items as f64 };
                            let set = is_set.then_some(allowed as u64);
                            Prospect { items, dimensions, leaf_points: 64, allowed, set, asks, wanted }
                        })
                    })
                })
            })
        })
    }

    #[test]
    fn no_search_costs_more_than_an_exact_one_and_a_fifth() {
        let mut walks = 0;
        for prospect in prospects() {
            let (exact, by_exact) = prospect.exact();
            let worst = match prospect.plan() {
                Plan::Walk { points_max, opposed_max } => {
                    walks += 1;
                    let given_way = points_max.min(opposed_max) as f64 * prospect.point() + exact;
                    let whole = if points_max == usize::MAX { prospect.whole_walk() } else { 0.0 };
                    given_way.max(whole)
                }
                plan => {
                    assert_eq!(plan, by_exact);
                    exact
                }
            };
            assert!(worst <= 1.2 * exact + 1.0, "{prospect:?}: {worst} against {exact}");
        }
        assert!(walks > 100, "{walks}");
    }

    #[test]
    fn small_tables_are_scanned_and_few_allowed_items_looked_up() {
        let prospect = |items, allowed: f64, set| Prospect {
            items,
            dimensions: 64,
            leaf_points: 64,
            allowed,
            set,
            asks: set.is_some(),
            wanted: 165,
        };
        assert_eq!(prospect(1_000, 1_000.0, None).plan(), Plan::Scan);
        assert!(matches!(prospect(1_000_000, 1e6, None).plan(), Plan::Walk { .. }));
        assert!(matches!(prospect(1_000_000, 1e5, Some(100_000)).plan(), Plan::Walk { .. }));
        assert_eq!(prospect(1_000_000, 1e3, Some(1_000)).plan(), Plan::LookUp);
        assert_eq!(prospect(1_000, 500.0, Some(500)).plan(), Plan::Scan);
    }
}
