use std::cmp::Ordering;

use shortlist_types::EmbeddingTable;
use xxhash_rust::xxh3::xxh3_64;

/// No row and no node: tables are held below `u32::MAX` rows.
pub(crate) const NONE: u32 = u32::MAX;

/// Which rows of a table share a vector. A graph gets one node per distinct vector that is not zero:
/// more equal vectors than a node has neighbours link to each other only and cut themselves and
/// others off. Zero vectors score 0 for every query and need no graph.
///
/// A function of the table alone, so that index files do not hold it.
///
/// **Shapes**: nodes are numbered in the order of their first rows.
#[derive(Debug, PartialEq)]
pub(crate) struct DistinctRows {
    first_rows: Vec<u32>,
    next_rows: Vec<u32>,
    zero_rows: Vec<u32>,
}

impl DistinctRows {
    /// Groups the rows of `table`, which has fewer than `u32::MAX`.
    ///
    /// **Cost**: a hash of the table and a sort of n pairs, about 0.2 s for a million rows; 16 bytes
    /// per row meanwhile, 8 afterwards.
    pub(crate) fn of(table: &EmbeddingTable) -> Self {
        let mut zero_rows = Vec::new();
        let mut hashed = Vec::with_capacity(table.len());
        let mut bytes = Vec::with_capacity(4 * table.dimensions());
        for (row, vector) in (0_u32..).zip(table.values().chunks_exact(table.dimensions())) {
            if vector.iter().all(|x| *x == 0.0) {
                zero_rows.push(row);
            } else {
                bytes.clear();
                bytes.extend(vector.iter().flat_map(|x| unsigned_zero(*x).to_le_bytes()));
                hashed.push((xxh3_64(&bytes), row));
            }
        }
        // Rows with one hash are compared in full, so that two vectors that collide stay two nodes.
        hashed.sort_unstable_by(|a, b| {
            let vectors = || compare(table.row(a.1 as usize), table.row(b.1 as usize));
            a.0.cmp(&b.0).then_with(vectors).then(a.1.cmp(&b.1))
        });
        let mut next_rows = vec![NONE; table.len()];
        let mut first_rows = Vec::new();
        for group in hashed.chunk_by(|a, b| a.0 == b.0 && same(table, a.1, b.1)) {
            first_rows.extend(group.first().map(|first| first.1));
            for pair in group.windows(2) {
                next_rows[pair[0].1 as usize] = pair[1].1;
            }
        }
        first_rows.sort_unstable();
        Self { first_rows, next_rows, zero_rows }
    }

    /// Number of distinct vectors that are not zero.
    pub(crate) fn nodes(&self) -> usize {
        self.first_rows.len()
    }

    /// The first row of `node`.
    #[inline]
    pub(crate) fn first_row(&self, node: u32) -> usize {
        self.first_rows[node as usize] as usize
    }

    /// The first row of each node.
    pub(crate) fn first_rows(&self) -> &[u32] {
        &self.first_rows
    }

    /// The rows of `node`, ascending; they all have its vector.
    pub(crate) fn rows(&self, node: u32) -> impl Iterator<Item = u32> {
        let next = |row: &u32| Some(self.next_rows[*row as usize]).filter(|next| *next != NONE);
        std::iter::successors(Some(self.first_rows[node as usize]), next)
    }

    /// The rows whose vector is zero, ascending.
    pub(crate) fn zero_rows(&self) -> &[u32] {
        &self.zero_rows
    }

    /// Bytes held.
    pub(crate) fn memory_bytes(&self) -> usize {
        4 * (self.first_rows.len() + self.next_rows.len() + self.zero_rows.len())
    }
}

fn same(table: &EmbeddingTable, a: u32, b: u32) -> bool {
    compare(table.row(a as usize), table.row(b as usize)).is_eq()
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
    use shortlist_types::ItemIdx;

    use super::*;

    fn table(rows: &[[f32; 2]]) -> EmbeddingTable {
        let items = (0..).zip(rows).map(|(i, _)| ItemIdx(i)).collect();
        EmbeddingTable::parse(2, items, rows.concat()).unwrap()
    }

    #[test]
    fn signs_of_zero_make_no_difference() {
        let rows = DistinctRows::of(&table(&[[0.0, -0.0], [1.0, 0.0], [0.0, 0.0], [1.0, -0.0]]));
        assert_eq!((rows.zero_rows(), rows.first_rows()), ([0, 2].as_slice(), [1].as_slice()));
        assert_eq!(rows.rows(0).collect::<Vec<_>>(), [1, 3]);
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_place_with_its_equals(rows in prop::collection::vec([-1_i8..2, -1_i8..2], 0..40)) {
            let table = table(&rows.iter().map(|row| row.map(f32::from)).collect::<Vec<_>>());
            let distinct = DistinctRows::of(&table);
            let mut seen = distinct.zero_rows().to_vec();
            prop_assert!(seen.iter().all(|row| rows[*row as usize] == [0, 0]));
            for node in 0..distinct.nodes() {
                let group: Vec<u32> = distinct.rows(node as u32).collect();
                let vector = rows[group[0] as usize];
                prop_assert!(group.is_sorted() && vector != [0, 0]);
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
