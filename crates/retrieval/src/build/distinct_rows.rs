use std::cmp::Ordering;

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::rows::Rows;
use crate::graph::NONE;

/// Which rows share a vector. An index has one point per distinct vector: cold items with default
/// factors come by the thousand, and would fill leaves that no one can tell apart.
///
/// **Shapes**: points are numbered in the order of their first rows.
pub(super) struct DistinctRows {
    first_rows: Vec<u32>,
    next_rows: Vec<u32>,
}

impl DistinctRows {
    /// Groups rows, of which there are fewer than `u32::MAX`.
    ///
    /// **Cost**: a hash of the rows and a sort of n pairs, about 0.2 s for a million rows; 16 bytes
    /// per row meanwhile, 8 afterwards.
    pub(super) fn of(rows: Rows<'_>) -> Self {
        let hash = |row: u32| {
            let mut bytes = Vec::with_capacity(4 * rows.dimensions());
            bytes.extend(rows.row(row).iter().flat_map(|x| unsigned_zero(*x).to_le_bytes()));
            (xxh3_64(&bytes), row)
        };
        let mut hashed: Vec<(u64, u32)> = (0..rows.len() as u32).into_par_iter().map(hash).collect();
        // Rows with one hash are compared in full, so that two vectors that collide stay two points.
        hashed.par_sort_unstable_by(|a, b| {
            let vectors = || compare(rows.row(a.1), rows.row(b.1));
            a.0.cmp(&b.0).then_with(vectors).then(a.1.cmp(&b.1))
        });
        let mut next_rows = vec![NONE; rows.len()];
        let mut first_rows = Vec::new();
        for group in hashed.chunk_by(|a, b| a.0 == b.0 && compare(rows.row(a.1), rows.row(b.1)).is_eq()) {
            first_rows.extend(group.first().map(|first| first.1));
            for pair in group.windows(2) {
                next_rows[pair[0].1 as usize] = pair[1].1;
            }
        }
        first_rows.sort_unstable();
        Self { first_rows, next_rows }
    }

    /// The first row of each point.
    pub(super) fn first_rows(&self) -> &[u32] {
        &self.first_rows
    }

    /// All rows that share the vector of `first_row`, ascending.
    pub(super) fn rows(&self, first_row: u32) -> impl Iterator<Item = u32> {
        let next = |row: &u32| Some(self.next_rows[*row as usize]).filter(|next| *next != NONE);
        std::iter::successors(Some(first_row), next)
    }
}

fn compare(a: &[f32], b: &[f32]) -> Ordering {
    let components = a.iter().zip(b).map(|(x, y)| unsigned_zero(*x).total_cmp(&unsigned_zero(*y)));
    components.fold(Ordering::Equal, Ordering::then)
}

/// Zero of either sign becomes the positive one: vectors that differ in it alone have no distance.
fn unsigned_zero(x: f32) -> f32 {
    x + 0.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn signs_of_zero_make_no_difference() {
        let values = [0.0, -0.0, 1.0, 0.0, 0.0, 0.0, 1.0, -0.0];
        let distinct = DistinctRows::of(Rows::new(2, &values));
        assert_eq!(distinct.first_rows(), [0, 1]);
        assert_eq!([0, 1].map(|row| distinct.rows(row).collect::<Vec<_>>()), [[0, 2], [1, 3]]);
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_place_with_its_equals(rows in prop::collection::vec([-1_i8..2, -1_i8..2], 0..40)) {
            let values: Vec<f32> = rows.iter().flatten().map(|x| f32::from(*x)).collect();
            let distinct = DistinctRows::of(Rows::new(2, &values));
            let mut seen = Vec::new();
            for first in distinct.first_rows() {
                let group: Vec<u32> = distinct.rows(*first).collect();
                let vector = rows[*first as usize];
                prop_assert!(group.is_sorted());
                prop_assert_eq!(group.len(), rows.iter().filter(|row| **row == vector).count());
                prop_assert!(group.iter().all(|row| rows[*row as usize] == vector));
                seen.extend(group);
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..rows.len() as u32).collect::<Vec<_>>());
            prop_assert!(distinct.first_rows().is_sorted());
        }
    }
}
