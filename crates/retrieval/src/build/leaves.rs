use rayon::ThreadPool;
use rayon::prelude::*;

use super::bisection::bisect;
use super::centre_neighbors::nearest_centres;
use super::rows::Rows;

/// Rounds in which every row may move to a nearer leaf. Of a million clustered rows two thirds moved in
/// the first, a quarter in the second and a seventh in the third.
const ROUNDS: usize = 3;
/// Nearest leaves that each leaf knows.
const NEIGHBORS: usize = 32;
/// Nearest leaves that a row keeps in view while it looks for its own.
const BEAM: usize = 6;
/// A leaf with more than this many times its share of rows is cut.
const LEAF_TO_SHARE_MAX: usize = 4;

/// Rows in groups of near ones.
pub(super) struct Leaves {
    /// Row numbers of each leaf, none of them empty.
    pub(super) members: Vec<Vec<u32>>,
}

impl Leaves {
    /// Groups `rows`, about `share` to a leaf: by bisection, then by rounds of k-means in which a row
    /// looks at the leaves near its own. `round` hears of each round's end.
    ///
    /// **Cost**: `ROUNDS` x n x about 2 `NEIGHBORS` inner products and `ROUNDS` x leaves squared short ones. The
    /// same rows give the same leaves on any number of threads.
    ///
    /// **Source**: Lloyd's algorithm with candidates from a graph of the centres, as in Deng and Zhao,
    /// "Fast k-means based on k-NN graph", ICDE 2018. We differ: the graph is exact up to its codes, and
    /// is made anew each round.
    pub(super) fn of(rows: Rows<'_>, share: usize, pool: &ThreadPool, round: &mut dyn FnMut(usize)) -> Self {
        let count = rows.len().div_ceil(share);
        let order = pool.install(|| bisect(rows, count));
        let start = |leaf: usize| leaf * rows.len() / count.max(1);
        let mut members: Vec<Vec<u32>> = (0..count).map(|leaf| order[start(leaf)..start(leaf + 1)].to_vec()).collect();
        members.retain(|leaf| !leaf.is_empty());
        round(1);
        for done in 0..ROUNDS {
            members = pool.install(|| moved(rows, &members));
            round(done + 2);
        }
        let mut leaves = Self { members: Vec::with_capacity(members.len()) };
        for leaf in members {
            leaves.take(rows, leaf, share);
        }
        leaves
    }

    /// Steps that `of` tells of.
    pub(super) const STEPS: usize = ROUNDS + 1;

    /// Keeps a leaf, in pieces if it is too large.
    fn take(&mut self, rows: Rows<'_>, leaf: Vec<u32>, share: usize) {
        if leaf.len() <= LEAF_TO_SHARE_MAX * share {
            self.members.push(leaf);
            return;
        }
        let values: Vec<f32> = leaf.iter().flat_map(|row| rows.row(*row).iter().copied()).collect();
        let pieces = leaf.len().div_ceil(share);
        let order = bisect(Rows::new(rows.dimensions(), &values), pieces);
        let cut = |piece: usize| piece * order.len() / pieces;
        for piece in 0..pieces {
            let mut piece: Vec<u32> = order[cut(piece)..cut(piece + 1)].iter().map(|at| leaf[*at as usize]).collect();
            piece.sort_unstable();
            self.members.push(piece);
        }
    }
}

/// The mean of each leaf's rows.
pub(super) fn centres(rows: Rows<'_>, members: &[Vec<u32>]) -> Vec<f32> {
    members.par_iter().map(|leaf| rows.mean(leaf)).collect::<Vec<_>>().concat()
}

/// Moves each row to the nearest centre that a climb from its own leads to; leaves that empty are gone.
fn moved(rows: Rows<'_>, members: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let centres = centres(rows, members);
    let centres = Rows::new(rows.dimensions(), &centres);
    let half_squares: Vec<f32> = (0..centres.len() as u32).map(|leaf| centres.half_square(leaf)).collect();
    let near = nearest_centres(centres, NEIGHBORS);
    let leaves = members.par_iter().zip(0_u32..members.len() as u32);
    let look = || Climb { centres, half_squares: &half_squares, near: &near, seen: vec![0; near.len()], row: 0 };
    let moves: Vec<Vec<u32>> = leaves
        .map_init(look, |climb, (leaf, own)| leaf.iter().map(|row| climb.nearest(rows.row(*row), own)).collect())
        .collect();
    let mut after: Vec<Vec<u32>> = vec![Vec::new(); members.len()];
    for (leaf, moves) in members.iter().zip(moves) {
        for (row, to) in leaf.iter().zip(moves) {
            after[to as usize].push(*row);
        }
    }
    after.retain(|leaf| !leaf.is_empty());
    after.par_iter_mut().for_each(|leaf| leaf.sort_unstable());
    after
}

/// Looks for the nearest centre of one row after another.
struct Climb<'a> {
    centres: Rows<'a>,
    half_squares: &'a [f32],
    near: &'a [Vec<u32>],
    /// By leaf, the last row that looked at it.
    seen: Vec<u32>,
    row: u32,
}

impl Climb<'_> {
    /// The nearest centre that the neighbours of the nearest ones lead to from `start`.
    fn nearest(&mut self, row: &[f32], start: u32) -> u32 {
        self.row += 1;
        self.seen[start as usize] = self.row;
        // Nearest first: nearness, leaf, and whether its neighbours were looked at.
        let mut view = [(f32::NEG_INFINITY, start, true); BEAM];
        view[0] = (self.nearness(row, start), start, false);
        while let Some(next) = view.iter().position(|entry| !entry.2) {
            view[next].2 = true;
            for leaf in &self.near[view[next].1 as usize] {
                if std::mem::replace(&mut self.seen[*leaf as usize], self.row) == self.row {
                    continue;
                }
                let nearness = self.nearness(row, *leaf);
                if nearness > view[BEAM - 1].0 {
                    let place = view.iter().position(|entry| nearness > entry.0).unwrap_or(BEAM - 1);
                    view[place..].rotate_right(1);
                    view[place] = (nearness, *leaf, false);
                }
            }
        }
        view[0].1
    }

    /// Greater for nearer centres: what the squared distance has in common for all is left out.
    #[inline]
    fn nearness(&self, row: &[f32], leaf: u32) -> f32 {
        self.centres.dot(leaf, row) - self.half_squares[leaf as usize]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leaves(rows: Rows<'_>, share: usize) -> Leaves {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        Leaves::of(rows, share, &pool, &mut |_| {})
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_leaf_of_bounded_size(values in prop::collection::vec(-9.0_f32..9.0, 0..600)) {
            let values = &values[..values.len() / 3 * 3];
            let rows = Rows::new(3, values);
            let leaves = leaves(rows, 8);
            prop_assert!(leaves.members.iter().all(|leaf| !leaf.is_empty() && leaf.len() <= 8 * LEAF_TO_SHARE_MAX));
            let mut all: Vec<u32> = leaves.members.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..rows.len() as u32).collect::<Vec<_>>());
        }
    }

    #[test]
    fn clumps_become_leaves() {
        let values: Vec<f32> = (0..80_u8).flat_map(|i| [f32::from(i % 10) * 100.0, f32::from(i) * 0.01]).collect();
        let leaves = leaves(Rows::new(2, &values), 8);
        let pure = leaves.members.iter().filter(|leaf| leaf.iter().all(|row| row % 10 == leaf[0] % 10));
        assert!(pure.count() >= 8, "{:?}", leaves.members);
    }
}
