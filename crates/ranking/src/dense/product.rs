use rayon::prelude::*;

use super::{Columns, Matrix, Packed};
use crate::simd::{Simd, TILE_COLUMNS, TILE_ROWS, Tile};

/// Rows that one task works on: its borders depend on the rows alone, never on the threads.
pub(crate) const BLOCK_ROWS: usize = 128;
/// Parts in which sums over the rows of a batch are made, added in order: what depends on the batch is
/// the same on any number of threads, and at most so many of them help.
pub(crate) const LANE_COUNT: usize = 4;
/// Steps after which a tile moves on, so that what it reads of the right side stays in the first cache.
const STEPS: usize = 192;

/// Rows of each lane, the last perhaps fewer: a multiple of a tile's.
pub(crate) fn lane_rows(rows: usize) -> usize {
    rows.div_ceil(LANE_COUNT).next_multiple_of(TILE_ROWS)
}

/// Where a product is written: some columns of rows.
pub(crate) struct Output<'a> {
    pub(crate) values: &'a mut [f32],
    /// Columns of the whole matrix.
    pub(crate) stride: usize,
    /// The first column that is written.
    pub(crate) first: usize,
}

/// `out = left * right + start`, row by row, on one thread; without a start `out` is added to.
///
/// **Shapes**: `left` n x steps; `start` one value per column; `out` n x columns.
/// Each row's bits depend on that row alone.
pub(crate) fn product_rows(simd: Simd, left: Columns<'_>, right: &Packed, start: Option<&[f32]>, out: Output<'_>) {
    let (steps, columns, rows) = (right.steps, right.columns, left.rows());
    for first_step in (0..steps.max(1)).step_by(STEPS) {
        for first in (0..columns).step_by(TILE_COLUMNS) {
            let panel = right.panel(first, first_step);
            for row in (0..rows).step_by(TILE_ROWS) {
                simd.multiply(Tile {
                    rows: (rows - row).min(TILE_ROWS),
                    columns: (columns - first).min(TILE_COLUMNS),
                    steps: (steps - first_step).min(STEPS),
                    left: &left.start()[row * left.stride + first_step..],
                    left_row: left.stride,
                    left_step: 1,
                    right: panel,
                    start: start.filter(|_| first_step == 0).map(|start| &start[first..]),
                    out: &mut out.values[row * out.stride + out.first + first..],
                    out_row: out.stride,
                });
            }
        }
    }
}

/// `out = left * right + start`, blocks of rows on all threads; without a start `out` is added to.
///
/// **Shapes**: `out` has its rows already; the product is written from its column `first` on.
pub(crate) fn multiply(
    simd: Simd,
    left: Columns<'_>,
    right: &Packed,
    start: Option<&[f32]>,
    (out, first): (&mut Matrix, usize),
) {
    let stride = out.columns;
    out.values.par_chunks_mut(BLOCK_ROWS * stride).enumerate().for_each(|(block, values)| {
        let left = left.rows_from(block * BLOCK_ROWS, values.len() / stride);
        product_rows(simd, left, right, start, Output { values, stride, first });
    });
}

/// Adds `left^T * right` to `out`: the gradient of weights.
///
/// **Shapes**: `left` n x a, `right` n x b, `out` a x b.
/// The sum over rows runs in [`LANE_COUNT`] lanes, each in order, which are then added in order.
pub(crate) fn multiply_transposed(
    simd: Simd,
    left: Columns<'_>,
    right: Columns<'_>,
    out: &mut [f32],
    lanes: &mut Vec<Vec<f32>>,
) {
    let (rows, per_lane) = (left.rows(), lane_rows(left.rows()));
    let used = rows.div_ceil(per_lane.max(1));
    lanes.resize_with(LANE_COUNT, Vec::new);
    lanes[..used].par_iter_mut().enumerate().for_each(|(lane, sum)| {
        sum.clear();
        sum.resize(left.count * right.count, 0.0);
        let mut packed = Packed::default();
        let end = ((lane + 1) * per_lane).min(rows);
        for first in (lane * per_lane..end).step_by(STEPS) {
            let steps = (end - first).min(STEPS);
            let size = (steps, right.count);
            packed.pack(right.rows_from(first, steps).start(), size, (right.stride, 1));
            add_transposed(simd, left.rows_from(first, steps), &packed, sum);
        }
    });
    let (lanes, columns) = (&lanes[..used], right.count);
    out.par_chunks_mut(BLOCK_ROWS * columns).enumerate().for_each(|(block, out)| {
        for lane in lanes {
            let from = &lane[block * BLOCK_ROWS * columns..][..out.len()];
            simd.run(|| out.iter_mut().zip(from).for_each(|(to, from)| *to += from));
        }
    });
}

fn add_transposed(simd: Simd, left: Columns<'_>, right: &Packed, sum: &mut [f32]) {
    let columns = right.columns;
    for first in (0..columns).step_by(TILE_COLUMNS) {
        for row in (0..left.count).step_by(TILE_ROWS) {
            simd.multiply(Tile {
                rows: (left.count - row).min(TILE_ROWS),
                columns: (columns - first).min(TILE_COLUMNS),
                steps: right.steps,
                left: &left.start()[row..],
                left_row: 1,
                left_step: left.stride,
                right: right.panel(first, 0),
                start: None,
                out: &mut sum[row * columns + first..],
                out_row: columns,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn random(rows: usize, columns: usize, seed: u64) -> Matrix {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        Matrix::of(columns, (0..rows * columns).map(|_| random.random_range(-1.0..1.0)).collect())
    }

    fn plain(rows: usize, columns: usize, term: impl Fn(usize, usize) -> f64) -> Vec<f64> {
        (0..rows * columns).map(|at| term(at / columns, at % columns)).collect()
    }

    fn assert_near(got: &[f32], expected: &[f64]) {
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            assert!((f64::from(*got) - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{got} {expected}");
        }
    }

    #[test]
    fn products_agree_with_plain_sums_in_doubles() {
        for (rows, steps, columns) in [(1, 1, 1), (300, 201, 65), (9, 400, 48)] {
            let (left, right, start) = (random(rows, steps, 1), random(steps, columns, 2), random(1, columns, 3));
            let packed = Packed::of(&right.values, steps, columns);
            let mut out = Matrix::default();
            out.reshape(rows, columns);
            multiply(Simd::best(), left.all(), &packed, Some(&start.values), (&mut out, 0));
            let term = |row: usize, column: usize| {
                let sum = (0..steps).map(|s| f64::from(left.row(row)[s]) * f64::from(right.row(s)[column]));
                sum.sum::<f64>() + f64::from(start.values[column])
            };
            assert_near(&out.values, &plain(rows, columns, term));
        }
        let (left, right) = (random(1000, 37, 4), random(1000, 50, 5));
        let mut out = vec![1.0; 37 * 50];
        multiply_transposed(Simd::best(), left.all(), right.all(), &mut out, &mut Vec::new());
        let term = |a: usize, b: usize| {
            1.0 + (0..1000).map(|n| f64::from(left.row(n)[a]) * f64::from(right.row(n)[b])).sum::<f64>()
        };
        assert_near(&out, &plain(37, 50, term));
    }

    #[test]
    fn parts_of_columns_multiply_like_matrices_of_their_own() {
        let (left, right) = (random(20, 30, 1), random(7, 9, 2));
        let alone = Matrix::of(7, (0..20).flat_map(|row| left.row(row)[11..18].to_vec()).collect());
        let packed = Packed::of(&right.values, 7, 9);
        let (mut whole, mut part) = (Matrix::default(), Matrix::default());
        whole.clear(20, 9);
        part.clear(20, 25);
        multiply(Simd::best(), alone.all(), &packed, None, (&mut whole, 0));
        multiply(Simd::best(), left.part(11, 7), &packed, None, (&mut part, 13));
        for row in 0..20 {
            assert_eq!(whole.row(row), &part.row(row)[13..22]);
            assert!(part.row(row)[..13].iter().chain(&part.row(row)[22..]).all(|x| x.to_bits() == 0));
        }
    }

    #[test]
    fn a_row_has_the_same_bits_in_any_batch() {
        let (left, right, start) = (random(57, 230, 1), random(230, 70, 2), random(1, 70, 3));
        let packed = Packed::of(&right.values, 230, 70);
        let product = |left: Columns<'_>| {
            let mut values = vec![0.0; left.rows() * 70];
            let out = Output { values: &mut values, stride: 70, first: 0 };
            product_rows(Simd::best(), left, &packed, Some(&start.values), out);
            values
        };
        let all = product(left.all());
        for row in 0..57 {
            let alone = product(left.all().rows_from(row, 1));
            assert!(alone.iter().zip(&all[row * 70..]).all(|(a, b)| a.to_bits() == b.to_bits()), "{row}");
        }
    }
}
