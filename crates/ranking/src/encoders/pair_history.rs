use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Counts that are told apart: 0, 1, 2, up to 4, up to 8, more.
const STEPS: [u32; 5] = [1, 2, 3, 5, 9];
/// Ids of a [`PairHistory`]: one for each pair of counts.
pub const HISTORY_IDS: usize = (STEPS.len() + 1) * (STEPS.len() + 1);
/// Parts of training, of which each row reads the others.
const FOLDS: usize = 20;

/// How often two categories met before, with and without the outcome: one id for a pair of ids, such as
/// this user and this item.
///
/// While it is fitted, a row reads the counts of the other folds, so that no row ever reads its own
/// label, and no row a fold that another row of its own fold could give away; serving reads all counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairHistory {
    /// First and second id, then the counts with and without the outcome; in order.
    pairs: Vec<(u32, u32, u32, u32)>,
}

impl PairHistory {
    /// The history of all rows, and the id that each row reads of it.
    pub fn fit(pairs: &[(u32, u32)], labels: &[bool]) -> (Self, Vec<u32>) {
        let mut all: HashMap<(u32, u32), [u32; 2]> = HashMap::new();
        let mut own: HashMap<(u32, u32, usize), [u32; 2]> = HashMap::new();
        for (row, (pair, label)) in pairs.iter().zip(labels).enumerate() {
            let which = usize::from(!*label);
            all.entry(*pair).or_default()[which] += 1;
            own.entry((pair.0, pair.1, fold(row))).or_default()[which] += 1;
        }
        let of_row = |(row, pair): (usize, &(u32, u32))| {
            let [all, own] =
                [all.get(pair), own.get(&(pair.0, pair.1, fold(row)))].map(|c| c.copied().unwrap_or([0; 2]));
            id([all[0] - own[0], all[1] - own[1]])
        };
        let ids = pairs.iter().enumerate().map(of_row).collect();
        let mut pairs: Vec<_> = all.into_iter().map(|((a, b), [with, without])| (a, b, with, without)).collect();
        pairs.sort_unstable();
        (Self { pairs }, ids)
    }

    /// The id of a pair, as serving reads it.
    ///
    /// **Cost**: a binary search.
    pub fn id(&self, first: u32, second: u32) -> u32 {
        let found = self.pairs.binary_search_by_key(&(first, second), |pair| (pair.0, pair.1));
        found.map_or(id([0, 0]), |place| id([self.pairs[place].2, self.pairs[place].3]))
    }
}

fn id(counts: [u32; 2]) -> u32 {
    let [with, without] = counts.map(|count| STEPS.iter().filter(|step| count >= **step).count());
    (with * (STEPS.len() + 1) + without) as u32
}

/// The fold of a row: neighbours are told apart, and the same row always falls into the same.
fn fold(row: usize) -> usize {
    let mixed = (row as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 33) as usize % FOLDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_never_reads_its_own_label() {
        let pairs: Vec<(u32, u32)> = (0..400).map(|row| (row % 7, row % 11)).collect();
        let labels: Vec<bool> = (0..400).map(|row| row % 3 == 0).collect();
        let (_, before) = PairHistory::fit(&pairs, &labels);
        for row in 0..400 {
            let mut other = labels.clone();
            other[row] = !other[row];
            assert_eq!(PairHistory::fit(&pairs, &other).1[row], before[row]);
        }
    }

    #[test]
    fn serving_reads_all_rows_and_unseen_pairs_have_no_history() {
        let pairs = [(1, 2), (1, 2), (1, 3), (1, 2)];
        let (history, ids) = PairHistory::fit(&pairs, &[true, true, false, false]);
        assert_eq!(history.id(1, 2), id([2, 1]));
        assert_eq!((history.id(1, 3), history.id(9, 9)), (id([0, 1]), 0));
        assert!(ids.iter().all(|id| (*id as usize) < HISTORY_IDS));
        let json = serde_json::to_string(&history).unwrap();
        assert_eq!(serde_json::from_str::<PairHistory>(&json).unwrap(), history);
    }
}
