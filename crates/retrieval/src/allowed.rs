use roaring::RoaringBitmap;
use shortlist_types::ItemIdx;

/// Items asked about to estimate how much a filter leaves.
const SAMPLE: usize = 256;
/// Spreads the sample without a period that a filter could share (2^64 over the golden ratio).
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

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

    fn sampled(&self, items: &[u32]) -> f64 {
        let places = (1..=SAMPLE as u64).map(|i| (u128::from(i.wrapping_mul(SPREAD)) * items.len() as u128) >> 64);
        let hits = places.filter(|place| items.get(*place as usize).is_some_and(|item| self.contains(*item))).count();
        items.len() as f64 * (hits as f64).max(0.5) / SAMPLE as f64
    }

    /// About how many of `items`, ascending, may be returned. At least one in twice the sample:
    /// what a sample did not meet may still be there.
    pub(crate) fn estimate(&self, items: &[u32]) -> f64 {
        let n = items.len();
        match self {
            Self::All => n as f64,
            // A set may name items that are not here.
            Self::Set(set) => (set.len() as f64).min(self.sampled(items)),
            Self::Predicate(_) => self.sampled(items),
        }
    }
}
