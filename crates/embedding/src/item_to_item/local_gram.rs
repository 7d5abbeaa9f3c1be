use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::cholesky::llt::solve::{solve_in_place, solve_in_place_scratch};
use faer::{MatMut, Par};

use super::BoundedInteractions;
use super::bounded_interactions::hash;
use super::weighted_gram::WeightedGram;

/// Interactions of one neighbourhood that its Gram matrix is made from, about; where there are more, a
/// sample of users counts for all. It bounds the time of one solve in large data.
pub(super) const ENTRIES_MAX: usize = 200_000;
/// No entry: the end of a list.
const NONE: u32 = u32::MAX;

/// One interaction of a neighbour, in the list of its user.
struct Entry {
    position: u32,
    next: u32,
    weight: f32,
}

/// The Gram matrix of a few items and the solution of its normal equations, kept from one to the next.
///
/// The items of a user within the neighbourhood are listed as the neighbours are walked, so that an
/// entry of the matrix costs only the users who have both items.
///
/// **Cost**: 4 bytes per user, 8 per pair of neighbours, 12 per interaction of a neighbourhood.
pub(super) struct LocalGram {
    /// The first entry of each user; none between two neighbourhoods.
    heads: Vec<u32>,
    entries: Vec<Entry>,
    users: Vec<u32>,
    /// Lower triangle, column by column.
    matrix: Vec<f64>,
    buffer: MemBuffer,
    entries_max: usize,
}

impl LocalGram {
    /// For neighbourhoods of up to `neighbors` items, sampled beyond `entries_max` interactions.
    pub(super) fn new(users: usize, neighbors: usize, entries_max: usize) -> Self {
        let factor = cholesky_in_place_scratch::<f64>(neighbors, Par::Seq, Default::default());
        let solve = solve_in_place_scratch::<f64>(neighbors, 1, Par::Seq);
        let buffer = MemBuffer::new(factor.or(solve));
        Self {
            heads: vec![NONE; users],
            entries: Vec::new(),
            users: Vec::new(),
            matrix: Vec::new(),
            buffer,
            entries_max,
        }
    }

    /// Turns `target`, the co-counts of an item with its `neighbors`, into the weights that predict it:
    /// the solution of `(G + diag(ridge)) w = target` among the neighbours. None if there is none.
    ///
    /// **Shapes**: one target per neighbour, neighbours ascending.
    /// **Cost**: the interactions of the neighbours, the pairs of them that a user shares, and n^3 / 3
    /// operations for n neighbours.
    pub(super) fn solve(
        &mut self,
        item: usize,
        neighbors: &[u32],
        interactions: &BoundedInteractions<'_>,
        gram: &WeightedGram,
        target: &mut [f64],
    ) -> Option<()> {
        let n = neighbors.len();
        self.fill(item, neighbors, interactions, gram);
        let mut matrix = MatMut::from_column_major_slice_mut(&mut self.matrix, n, n);
        let stack = MemStack::new(&mut self.buffer);
        cholesky_in_place(matrix.as_mut(), Default::default(), Par::Seq, stack, Default::default()).ok()?;
        let target = MatMut::from_column_major_slice_mut(target, n, 1);
        solve_in_place(matrix.as_ref(), target, Par::Seq, stack);
        Some(())
    }

    /// Writes the matrix and forgets the lists.
    fn fill(&mut self, item: usize, neighbors: &[u32], interactions: &BoundedInteractions<'_>, gram: &WeightedGram) {
        let n = neighbors.len();
        self.matrix.clear();
        self.matrix.resize(n * n, 0.0);
        let total: usize = neighbors.iter().map(|&row| interactions.by_item.row(row as usize).len()).sum();
        let sample =
            (total > self.entries_max).then(|| Sample::new(item, self.entries_max as f64 / total as f64, interactions));
        // From last to first, so that the entries of a list lie below the diagonal of the column at hand.
        for (position, &row) in neighbors.iter().enumerate().rev() {
            let column = &mut self.matrix[position * n..(position + 1) * n];
            for (user, weight) in interactions.by_item.row(row as usize) {
                let scale = match &sample {
                    None => 1.0,
                    Some(sample) => match sample.scale(user) {
                        Some(scale) => scale,
                        None => continue,
                    },
                };
                let head = &mut self.heads[user];
                if *head == NONE {
                    self.users.push(user as u32);
                }
                self.entries.push(Entry { position: position as u32, next: *head, weight });
                *head = (self.entries.len() - 1) as u32;
                let factor = f64::from(weight) * f64::from(gram.user_weights[user]) * scale;
                let mut next = *head;
                while let Some(entry) = self.entries.get(next as usize) {
                    column[entry.position as usize] += factor * f64::from(entry.weight);
                    next = entry.next;
                }
            }
            column[position] += gram.ridges[row as usize];
        }
        for user in self.users.drain(..) {
            self.heads[user as usize] = NONE;
        }
        self.entries.clear();
    }
}

/// The users of a neighbourhood that is too large: all who have the item itself, of the others as many
/// as are drawn, who stand for the rest. The matrix stays one of weighted users, so it has a factor.
struct Sample {
    own: Vec<u32>,
    threshold: u64,
    scale: f64,
}

impl Sample {
    fn new(item: usize, share: f64, interactions: &BoundedInteractions<'_>) -> Self {
        let own = interactions.by_item.row(item).map(|entry| entry.0 as u32).collect();
        Self { own, threshold: (share * u64::MAX as f64) as u64, scale: share.recip() }
    }

    /// How many users this one stands for; none if he was not drawn.
    fn scale(&self, user: usize) -> Option<f64> {
        if self.own.binary_search(&(user as u32)).is_ok() {
            return Some(1.0);
        }
        (hash(user as u64) <= self.threshold).then_some(self.scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EaseConfig;
    use crate::item_to_item::item_to_item_model::test_data::random;

    #[test]
    fn a_sample_of_the_users_stands_for_all() {
        let interactions = random(4_000, 12, 0.5);
        let bounded = BoundedInteractions::new(&interactions, 12);
        let gram = WeightedGram::new(&interactions, &bounded, &EaseConfig::default());
        let neighbors: Vec<u32> = (1..12).collect();
        let matrix = |entries_max| {
            let mut local = LocalGram::new(bounded.users(), neighbors.len(), entries_max);
            local.fill(0, &neighbors, &bounded, &gram);
            assert!(local.heads.iter().all(|head| *head == NONE), "nothing is left for the next neighbourhood");
            local.matrix
        };
        let (all, sample) = (matrix(usize::MAX), matrix(8_000));
        assert_ne!(all, sample);
        for (exact, estimate) in all.iter().zip(&sample) {
            assert!((exact - estimate).abs() <= 0.15 * exact, "{exact} {estimate}");
        }
    }
}
