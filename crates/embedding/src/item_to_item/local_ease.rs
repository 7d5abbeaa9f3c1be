use rayon::prelude::*;

use super::bounded_interactions::USER_ITEMS_MAX;
use super::exact_ease::l2_too_small;
use super::local_gram::{ENTRIES_MAX, LocalGram};
use super::truncation::{assemble, truncated_rows};
use super::weighted_gram::WeightedGram;
use super::{BoundedInteractions, CoCountRow, EaseConfig, ItemToItemModel};
use crate::{EmbeddingError, Interactions};

/// A model of the weights that EASE gives every item if only its nearest neighbours may carry any: one
/// small ridge regression per item. With as many neighbours as items it is EASE.
///
/// The nearest are those of greatest cosine between the columns of R, users weighted as in the loss. No
/// matrix of items x items is ever held. Neighbourhoods of more than 200,000 interactions are solved on
/// a sample of their users.
///
/// **Shapes**: up to `config.row_length` entries per item, of any sign.
/// **Cost**: for each item the items of its users, the interactions of its neighbours, and
/// neighbors^3 / 3 operations; 16 bytes per item and neighbour.
/// **Source**: Steck 2019, as [`super::exact_ease`]; the restriction to neighbours after Ning and Karypis
/// 2011, "SLIM: Sparse Linear Methods for Top-N Recommender Systems", section on fsSLIM, with a closed
/// form in place of coordinate descent.
pub(super) fn fit(interactions: &Interactions, config: &EaseConfig) -> Result<ItemToItemModel, EmbeddingError> {
    let bounded = BoundedInteractions::new(interactions, USER_ITEMS_MAX);
    let gram = WeightedGram::new(interactions, &bounded, config);
    let neighbors = config.neighbors.min(bounded.items());
    let scratch = || Scratch {
        counts: CoCountRow::new(bounded.items()),
        nearest: Vec::new(),
        local: LocalGram::new(bounded.users(), neighbors, ENTRIES_MAX),
    };
    let column = |scratch: &mut Scratch, item: usize| scratch.column(item, neighbors, &bounded, &gram);
    let columns: Option<Vec<_>> = (0..bounded.items()).into_par_iter().map_init(scratch, column).collect();
    assemble(interactions.items(), truncated_rows(columns.ok_or_else(l2_too_small)?, config.row_length))
}

/// The buffers of one thread.
struct Scratch {
    counts: CoCountRow,
    /// `(item, count, squared cosine times the target's diagonal)`.
    nearest: Vec<(usize, f32, f64)>,
    local: LocalGram,
}

impl Scratch {
    /// The weights to `item` from its nearest neighbours, ascending; none if there is no solution.
    fn column(
        &mut self,
        item: usize,
        neighbors: usize,
        interactions: &BoundedInteractions<'_>,
        gram: &WeightedGram,
    ) -> Option<Vec<(u32, f32)>> {
        self.nearest.clear();
        let counts = self.counts.of(item, interactions, &gram.user_weights).filter(|entry| entry.0 != item);
        // The target's own length is common to all, so the order is that of cosines without it.
        self.nearest.extend(counts.map(|(other, count)| {
            (other, count, f64::from(count).powi(2) / gram.diagonal[other].max(f64::MIN_POSITIVE))
        }));
        if self.nearest.len() > neighbors {
            self.nearest.select_nth_unstable_by(neighbors, |a, b| b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)));
            self.nearest.truncate(neighbors);
        }
        self.nearest.sort_unstable_by_key(|entry| entry.0);
        let rows: Vec<u32> = self.nearest.iter().map(|entry| entry.0 as u32).collect();
        let mut weights: Vec<f64> = self.nearest.iter().map(|entry| f64::from(entry.1)).collect();
        if !rows.is_empty() {
            self.local.solve(item, &rows, interactions, gram, &mut weights)?;
        }
        Some(rows.into_iter().zip(weights).map(|(row, weight)| (row, weight as f32)).collect())
    }
}
