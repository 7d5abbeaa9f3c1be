use shortlist_types::{EmbeddingTable, ItemIdx};

use crate::ials::RowSolver;
use crate::{WEIGHT_MAX, WEIGHT_MIN};

/// Most events that one fold-in reads; later ones are ignored, which bounds the time of a call.
pub(crate) const EVENTS_MAX: usize = 100_000;

/// The buffers of a fold-in, kept by the caller from one to the next so that a request allocates
/// nothing but its answer.
///
/// **Cost**: 2 k^2 floats and as many per event up to 512, once used.
#[derive(Debug, Default)]
pub struct FoldInScratch {
    pub(crate) entries: Vec<(usize, f32)>,
    pub(crate) solver: RowSolver,
}

impl FoldInScratch {
    /// Fills `entries` with the table's rows of known items, ascending, each once with its greatest
    /// weight: the order and the rule of [`crate::Interactions`].
    pub(crate) fn gather(&mut self, table: &EmbeddingTable, events: impl Iterator<Item = (ItemIdx, f32)>) {
        self.entries.clear();
        for (item, weight) in events.take(EVENTS_MAX) {
            // A comparison with NaN is false, so NaN is left out here.
            if weight > 0.0
                && let Some(row) = table.row_of(item)
            {
                self.entries.push((row, weight.clamp(WEIGHT_MIN, WEIGHT_MAX)));
            }
        }
        self.entries.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        self.entries.dedup_by_key(|entry| entry.0);
    }
}
