use rayon::join;

use super::rows::Rows;

/// Points that a cut looks at to find its direction.
const SAMPLE: usize = 256;
/// Rounds of two-means on the sample.
const ROUNDS: usize = 4;
/// Below this many points a branch is cut on one thread.
const PARALLEL_MIN: usize = 4_096;

/// Puts the rows into an order in which near ones are neighbours, and cuts it into `leaves` groups of
/// nearly equal size: each branch is cut in two across the line between the means of two-means on a
/// sample of it.
///
/// **Shapes**: n row numbers; group g holds the places from `g n / leaves` on.
///
/// **Cost**: n log2(leaves) inner products on all threads of the pool. The same rows give the same
/// order on any number of threads.
pub(super) fn bisect(rows: Rows<'_>, leaves: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    cut(rows, &mut order, leaves);
    order
}

fn cut(rows: Rows<'_>, order: &mut [u32], leaves: usize) {
    if leaves < 2 || order.len() < 2 {
        return;
    }
    let left_leaves = leaves / 2;
    let middle = order.len() * left_leaves / leaves;
    let direction = direction(rows, order);
    let mut keyed: Vec<(f32, u32)> = order.iter().map(|row| (rows.dot(*row, &direction), *row)).collect();
    keyed.select_nth_unstable_by(middle, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    // What selection leaves in which order is up to the library: sorted, a row's place is its own.
    let (low, high) = keyed.split_at_mut(middle);
    low.sort_unstable_by_key(|entry| entry.1);
    high.sort_unstable_by_key(|entry| entry.1);
    for (place, (_, row)) in order.iter_mut().zip(keyed) {
        *place = row;
    }
    let (low, high) = order.split_at_mut(middle);
    if low.len() < PARALLEL_MIN {
        cut(rows, low, left_leaves);
        cut(rows, high, leaves - left_leaves);
    } else {
        join(|| cut(rows, low, left_leaves), || cut(rows, high, leaves - left_leaves));
    }
}

/// From one mean of two-means to the other, on evenly spaced rows of the branch.
fn direction(rows: Rows<'_>, order: &[u32]) -> Vec<f32> {
    let count = SAMPLE.min(order.len());
    let sample: Vec<u32> = (0..count).map(|i| order[i * order.len() / count]).collect();
    let (mut a, mut b) = far_pair(rows, &sample);
    for _ in 0..ROUNDS {
        let across: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
        let middle: f32 = across.iter().zip(a.iter().zip(&b)).map(|(x, (a, b))| x * (a + b) * 0.5).sum();
        let is_a = |row: &u32| rows.dot(*row, &across) > middle;
        let (near_a, near_b): (Vec<u32>, Vec<u32>) = sample.iter().partition(|row| is_a(row));
        if near_a.is_empty() || near_b.is_empty() {
            break;
        }
        (a, b) = (rows.mean(&near_a), rows.mean(&near_b));
    }
    a.iter().zip(&b).map(|(a, b)| a - b).collect()
}

/// The row farthest from the first, and the row farthest from that one.
fn far_pair(rows: Rows<'_>, sample: &[u32]) -> (Vec<f32>, Vec<f32>) {
    let farthest = |from: u32| {
        let distance = |row: &u32| rows.squared_distance(*row, rows.row(from));
        sample.iter().copied().max_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(from)
    };
    let a = farthest(sample[0]);
    (rows.row(a).to_vec(), rows.row(farthest(a)).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_place_and_two_clumps_fall_apart() {
        let values: Vec<f32> = (0..100_u8).flat_map(|i| [f32::from(i % 2) * 50.0 + f32::from(i) * 0.01, 1.0]).collect();
        let order = bisect(Rows::new(2, &values), 2);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<u32>>());
        assert!(order[..50].iter().all(|row| row % 2 == order[0] % 2), "{order:?}");
    }

    #[test]
    fn equal_rows_and_few_rows_are_cut_all_the_same() {
        for n in [0, 1, 2, 3, 5] {
            let values = vec![7.0; n * 3];
            let mut order = bisect(Rows::new(3, &values), 3);
            order.sort_unstable();
            assert_eq!(order, (0..n as u32).collect::<Vec<u32>>());
        }
    }
}
