use rayon::prelude::*;

use super::rows::Rows;
use crate::code_query::CodeQuery;
use crate::leaf_codes::{CodeWidths, block_bytes, middle_of};
use crate::simd::{LANES, LeafCodes, Simd};

/// Centres whose codes are read between two looks at what is worth keeping: a multiple of a block.
const STRETCH: usize = 1_024;
/// By codes this many times as many are kept as are wanted by the centres themselves.
const OVER_FETCH: usize = 3;

/// The `k` nearest other centres of each, by codes first, then exactly among the best.
///
/// **Cost**: n squared times about a nanosecond at 64 dimensions, on all threads of the pool.
pub(super) fn nearest_centres(centres: Rows<'_>, k: usize) -> Vec<Vec<u32>> {
    let n = centres.len();
    let all: Vec<u32> = (0..n as u32).collect();
    if n == 0 {
        return Vec::new();
    }
    // All centres as one leaf, seen from their mean; nearness is <q, c> - |c|^2 / 2.
    let middle = centres.mean(&all);
    let values: Vec<f32> =
        all.iter().flat_map(|row| centres.row(*row).iter().zip(&middle).map(|(x, m)| x - m)).collect();
    let centres = Rows::new(centres.dimensions(), &values);
    let residuals = |row: u32| centres.row(row).iter().copied();
    let widths = CodeWidths::of_residuals(centres.dimensions(), all.iter().map(|row| residuals(*row)));
    let width = widths.leaf_width(all.iter().map(|row| residuals(*row)));
    let mut codes = vec![0; n.div_ceil(LANES) * block_bytes(centres.dimensions())];
    for row in 0..n {
        widths.encode(width, residuals(row as u32), row, &mut codes);
    }
    let half_squares: Vec<f32> = all.iter().map(|row| centres.half_square(*row)).collect();
    let bias: Vec<f32> = half_squares.iter().map(|square| -square).collect();
    let search = |row: &u32| {
        let query = centres.row(*row);
        let mut encoded = CodeQuery::default();
        encoded.encode(widths.fold(query));
        let unit = width * encoded.unit;
        let base = -middle_of(unit, encoded.sum);
        let kept = OVER_FETCH * k + 1;
        let (mut found, mut threshold) = (Vec::with_capacity(2 * STRETCH), f32::NAN);
        for first in (0..n).step_by(STRETCH) {
            let points = STRETCH.min(n - first);
            let start = first / LANES * block_bytes(centres.dimensions());
            let end = (first + points).div_ceil(LANES) * block_bytes(centres.dimensions());
            let leaf = LeafCodes { codes: &codes[start..end], points, base, unit, bias: &bias[first..first + points] };
            Simd::best().scan(leaf, &encoded, threshold, first as u32, &mut found);
            if found.len() > kept {
                found.select_nth_unstable_by(kept - 1, |a: &(f32, u32), b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                found.truncate(kept);
                threshold = found[kept - 1].0;
            }
        }
        let exact = |other: u32| centres.dot(other, query) - half_squares[other as usize];
        let others = found.iter().map(|entry| entry.1).filter(|other| other != row);
        let mut exact: Vec<(f32, u32)> = others.map(|other| (exact(other), other)).collect();
        exact.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        exact.truncate(k);
        exact.into_iter().map(|entry| entry.1).collect()
    };
    all.par_iter().map(search).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbors_on_a_line_are_the_ones_beside() {
        let values: Vec<f32> = (0..200_u8).map(f32::from).collect();
        let near = nearest_centres(Rows::new(1, &values), 16);
        for (near, i) in near.iter().zip(0_u32..) {
            assert!(near[0].abs_diff(i) <= 3 && near.iter().all(|other| other.abs_diff(i) <= 20), "{i}: {near:?}");
        }
        assert!(nearest_centres(Rows::new(1, &[]), 2).is_empty());
        assert_eq!(nearest_centres(Rows::new(1, &[4.0]), 2), [Vec::<u32>::new()]);
    }
}
