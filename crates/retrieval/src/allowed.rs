use roaring::RoaringBitmap;
use shortlist_types::ItemIdx;

/// Items asked about to estimate how much a predicate leaves.
const SAMPLE: usize = 128;

/// Which items a search may return.
#[derive(Clone, Copy)]
pub enum Allowed<'a> {
    /// All of them.
    All,
    /// The items whose numbers are in the set. How many they are is known, and when they are few they
    /// are scored one by one: the form to prefer.
    Set(&'a RoaringBitmap),
    /// Those for which the function says so. It is asked about candidates only, and about a sample
    /// that tells how much it leaves.
    Predicate(&'a dyn Fn(ItemIdx) -> bool),
}

impl Allowed<'_> {
    /// Whether `item` may be returned.
    #[inline]
    pub(crate) fn contains(&self, item: u32) -> bool {
        match self {
            Self::All => true,
            Self::Set(set) => set.contains(item),
            Self::Predicate(predicate) => predicate(ItemIdx(item)),
        }
    }

    pub(crate) fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// About how many of `items`, ascending, may be returned. At least one in twice the sample, for a
    /// predicate: what a sample did not meet may still be there.
    pub(crate) fn estimate(&self, items: &[u32]) -> f64 {
        let n = items.len();
        match self {
            Self::All => n as f64,
            Self::Set(set) => (set.len() as f64).min(n as f64),
            Self::Predicate(predicate) => {
                let sampled = (0..SAMPLE).filter_map(|i| items.get(i * n / SAMPLE));
                let hits = sampled.filter(|item| predicate(ItemIdx(**item))).count();
                n as f64 * (hits as f64).max(0.5) / SAMPLE as f64
            }
        }
    }
}
