/// What a search looks for, and how hard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchParams {
    /// Items wanted.
    pub k: usize,
    /// The search ends when, over the last leaves, each brought fewer new candidates than this share of
    /// the list: candidates / `ef_search`. 400 is fast, 1,600 finds about 99 in 100 of a hundred, and
    /// [`Self::EXACT`] scans.
    pub ef_search: usize,
    /// Most points whose codes are read, or whose vectors an exact search scores; the search then ends with
    /// what it has, and says so.
    pub points_max: usize,
}

impl SearchParams {
    /// The `ef_search` of an exact answer.
    pub const EXACT: usize = usize::MAX;

    /// Without a limit on the work.
    pub fn new(k: usize, ef_search: usize) -> Self {
        Self { k, ef_search, points_max: usize::MAX }
    }

    /// The exact answer.
    pub fn exact(k: usize) -> Self {
        Self::new(k, Self::EXACT)
    }

    /// The same with a limit on the points whose codes are read.
    #[must_use]
    pub fn with_points_max(self, points_max: usize) -> Self {
        Self { points_max, ..self }
    }
}
