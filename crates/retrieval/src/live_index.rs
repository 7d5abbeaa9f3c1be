use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use roaring::RoaringBitmap;
use shortlist_types::{Budget, EmbeddingTable, ItemIdx};

use crate::pacer::Pacer;
use crate::query::Query;
use crate::ranked::pack;
use crate::top_k::TopK;
use crate::{Allowed, Found, FrozenIndex, RetrievalError, SearchParams, SearchScratch};

/// New vectors that are scanned one by one; more are frozen into the young segment. A scan of so many
/// takes 40 microseconds at 64 dimensions.
const TAIL_MAX: usize = 4_096;
/// Vectors that the tail takes when nobody freezes it; one more is refused.
const TAIL_LIMIT: usize = 65_536;
/// Items of the young segment; more are merged with the old one.
const YOUNG_MAX: usize = 50_000;

/// An index that takes vectors at once: a large frozen segment, a young frozen one, and a tail of the
/// newest vectors that is scanned. Inserted is found by the next search; deleted and replaced is not.
///
/// Share it between threads: searches run beside each other, beside inserts, and beside a freeze, which
/// builds the next segment aside and swaps it in. Its segments are caches: they hold nothing that the
/// catalogue does not.
///
/// **Cost**: an insert copies the vector and looks its item up, about a microsecond; 4 d + 60 bytes per
/// vector of the tail. A search costs that of both segments and the scan of the tail.
#[derive(Debug)]
pub struct LiveIndex {
    segments: RwLock<Segments>,
    /// Held by the one freeze that may be under way.
    freezing: Mutex<()>,
}

#[derive(Debug)]
struct Segments {
    old: Segment,
    young: Option<Segment>,
    tail: Tail,
    /// Items that were inserted or removed since the last freeze began, and others that were named.
    changed: RoaringBitmap,
}

/// A frozen index and the items in it that no longer are.
#[derive(Debug, Clone)]
struct Segment {
    index: Arc<FrozenIndex>,
    gone: Arc<RoaringBitmap>,
}

/// The newest vectors in the order of their arrival.
#[derive(Debug, Default)]
struct Tail {
    /// None for a row that was replaced or removed.
    items: Vec<Option<ItemIdx>>,
    values: Vec<f32>,
    rows: HashMap<ItemIdx, usize>,
}

/// What a live index would do next to stay fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freeze {
    /// Freeze the tail into the young segment: a few hundred milliseconds at most.
    Tail,
    /// Merge everything into a new old segment: as long as building it.
    All,
}

impl LiveIndex {
    /// Begins with a frozen index.
    pub fn new(index: Arc<FrozenIndex>) -> Self {
        let segments =
            Segments { old: Segment::of(index), young: None, tail: Tail::default(), changed: RoaringBitmap::new() };
        Self { segments: RwLock::new(segments), freezing: Mutex::new(()) }
    }

    /// Adds the vector of `item`, or replaces it. The next search finds it.
    ///
    /// # Errors
    /// A vector of other dimensions, or one that is not finite, or more than 65,536 vectors since the
    /// last freeze; nothing changes then.
    pub fn insert(&self, item: ItemIdx, vector: &[f32]) -> Result<(), RetrievalError> {
        let mut segments = self.write();
        let dimensions = segments.old.index.dimensions();
        if vector.len() != dimensions {
            return Err(RetrievalError::VectorDimensions { item: item.0, expected: dimensions, got: vector.len() });
        }
        if let Some(position) = vector.iter().position(|x| !x.is_finite()) {
            return Err(RetrievalError::VectorNotFinite { item: item.0, position });
        }
        if segments.tail.items.len() >= TAIL_LIMIT {
            return Err(RetrievalError::TailFull { max: TAIL_LIMIT });
        }
        segments.forget(item);
        segments.tail.push(item, vector);
        Ok(())
    }

    /// Removes `item`; returns whether it was there.
    pub fn remove(&self, item: ItemIdx) -> bool {
        self.write().forget(item)
    }

    /// Finds the `k` allowed items with the greatest scores, as [`FrozenIndex::search`] does. A predicate is
    /// asked while inserts wait: it must not call this index.
    ///
    /// # Errors
    /// As [`FrozenIndex::search`].
    pub fn search(
        &self,
        query: &[f32],
        params: SearchParams,
        allowed: Allowed<'_>,
        budget: &dyn Budget,
        scratch: &mut SearchScratch,
    ) -> Result<Found, RetrievalError> {
        // The tail is scanned under the lock; the segments are searched as they were then.
        let segments = self.read();
        let index = &segments.old.index;
        let parsed = Query::parse(query, index.dimensions(), index.metric(), index.simd)?;
        let mut found = segments.tail.scan(&parsed, params.k, allowed, budget, &mut scratch.top);
        let frozen = [Some(segments.old.clone()), segments.young.clone()];
        drop(segments);
        for segment in frozen.into_iter().flatten() {
            let more = segment.search(query, params, allowed, budget, scratch)?;
            found.complete &= more.complete;
            found.neighbors.extend(more.neighbors);
        }
        found.neighbors.sort_unstable_by(|a, b| b.score.cmp(&a.score).then(a.item.cmp(&b.item)));
        found.neighbors.truncate(params.k);
        Ok(found)
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        let segments = self.read();
        segments.old.len() + segments.young.as_ref().map_or(0, Segment::len) + segments.tail.rows.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What should be frozen now, if anything: who owns the threads asks after inserting, and calls
    /// [`Self::freeze`] on one of them.
    pub fn due(&self) -> Option<Freeze> {
        let segments = self.read();
        let young = segments.young.as_ref().map_or(0, Segment::len) + segments.tail.rows.len();
        match segments.tail.items.len() {
            TAIL_MAX.. if young > YOUNG_MAX => Some(Freeze::All),
            TAIL_MAX.. => Some(Freeze::Tail),
            _ => None,
        }
    }

    /// Builds the next segment from what is there now, on `threads` threads, and swaps it in. Searches,
    /// inserts and removals go on meanwhile; what they change is kept. A second freeze waits for the first.
    ///
    /// # Errors
    /// As [`FrozenIndex::build`]; nothing changes then.
    pub fn freeze(&self, freeze: Freeze, threads: usize) -> Result<(), RetrievalError> {
        let _one_at_a_time = self.freezing.lock().unwrap_or_else(PoisonError::into_inner);
        let (old, young, mut rows, taken) = {
            let mut segments = self.write();
            segments.changed.clear();
            (segments.old.clone(), segments.young.clone(), segments.tail.live_rows(), segments.tail.items.len())
        };
        if let Some(young) = &young {
            young.copy_to(&mut rows);
        }
        if freeze == Freeze::All {
            old.copy_to(&mut rows);
        }
        let built = Arc::new(frozen(rows, &old.index, threads)?);
        let mut segments = self.write();
        // What changed since is newer than what was built.
        let mut gone = std::mem::take(&mut segments.changed);
        gone = gone.into_iter().filter(|item| built.vector(ItemIdx(*item)).is_some()).collect();
        let built = Segment { index: built, gone: Arc::new(gone) };
        match freeze {
            Freeze::Tail => segments.young = Some(built),
            Freeze::All => (segments.old, segments.young) = (built, None),
        }
        segments.tail.drop_first(taken);
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Segments> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Segments> {
        self.segments.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Segments {
    /// Makes `item` be nowhere; returns whether it was somewhere.
    fn forget(&mut self, item: ItemIdx) -> bool {
        self.changed.insert(item.0);
        let in_old = self.old.forget(item);
        let in_young = self.young.as_mut().is_some_and(|young| young.forget(item));
        let in_tail = self.tail.forget(item);
        in_old || in_young || in_tail
    }
}

impl Segment {
    fn of(index: Arc<FrozenIndex>) -> Self {
        Self { index, gone: Arc::default() }
    }

    fn len(&self) -> usize {
        self.index.len() - self.gone.len() as usize
    }

    fn forget(&mut self, item: ItemIdx) -> bool {
        self.index.vector(item).is_some() && Arc::make_mut(&mut self.gone).insert(item.0)
    }

    fn search(
        &self,
        query: &[f32],
        params: SearchParams,
        allowed: Allowed<'_>,
        budget: &dyn Budget,
        scratch: &mut SearchScratch,
    ) -> Result<Found, RetrievalError> {
        if self.gone.is_empty() {
            return self.index.search(query, params, allowed, budget, scratch);
        }
        let here = |item: ItemIdx| !self.gone.contains(item.0) && allowed.contains(item.0);
        match allowed {
            Allowed::Set(set) => {
                let here = set - &*self.gone;
                self.index.search(query, params, Allowed::Set(&here), budget, scratch)
            }
            Allowed::All | Allowed::Predicate(_) => {
                self.index.search(query, params, Allowed::Predicate(&here), budget, scratch)
            }
        }
    }

    fn copy_to(&self, rows: &mut Vec<(ItemIdx, Vec<f32>)>) {
        for item in self.index.items().filter(|item| !self.gone.contains(item.0)) {
            rows.extend(self.index.vector(item).map(|vector| (item, vector.to_vec())));
        }
    }
}

impl Tail {
    fn push(&mut self, item: ItemIdx, vector: &[f32]) {
        self.rows.insert(item, self.items.len());
        self.items.push(Some(item));
        self.values.extend_from_slice(vector);
    }

    fn forget(&mut self, item: ItemIdx) -> bool {
        let row = self.rows.remove(&item);
        if let Some(row) = row {
            self.items[row] = None;
        }
        row.is_some()
    }

    /// Dimensions are those of the values per row.
    fn rows(&self) -> impl Iterator<Item = (ItemIdx, &[f32])> {
        let dimensions = self.values.len() / self.items.len().max(1);
        let vectors = self.values.chunks_exact(dimensions.max(1));
        self.items.iter().zip(vectors).filter_map(|(item, vector)| Some(((*item)?, vector)))
    }

    fn live_rows(&self) -> Vec<(ItemIdx, Vec<f32>)> {
        self.rows().map(|(item, vector)| (item, vector.to_vec())).collect()
    }

    /// Drops the rows that a freeze took.
    fn drop_first(&mut self, taken: usize) {
        let dimensions = self.values.len() / self.items.len().max(1);
        self.items.drain(..taken);
        self.values.drain(..taken * dimensions);
        self.rows = (0..).zip(&self.items).filter_map(|(row, item)| Some(((*item)?, row))).collect();
    }

    fn scan(&self, query: &Query<'_>, k: usize, allowed: Allowed<'_>, budget: &dyn Budget, top: &mut TopK) -> Found {
        let mut pacer = Pacer::new(budget);
        top.reset(k.min(self.rows.len()));
        for (item, vector) in self.rows().filter(|(item, _)| allowed.contains(item.0)) {
            if pacer.spend(vector.len()).is_err() {
                return Found { neighbors: top.neighbors(), complete: false };
            }
            top.offer(pack(query.score_of_any(vector), item.0));
        }
        Found { neighbors: top.neighbors(), complete: true }
    }
}

/// The index of `rows`, built as `like` was.
fn frozen(
    mut rows: Vec<(ItemIdx, Vec<f32>)>,
    like: &FrozenIndex,
    threads: usize,
) -> Result<FrozenIndex, RetrievalError> {
    rows.sort_unstable_by_key(|row| row.0);
    let (items, vectors): (Vec<ItemIdx>, Vec<Vec<f32>>) = rows.into_iter().unzip();
    let table = EmbeddingTable::parse(like.dimensions(), items, vectors.concat())
        .map_err(|error| RetrievalError::Table { reason: error.to_string() })?;
    FrozenIndex::build(&table, like.config(), threads, &mut |_| {})
}
