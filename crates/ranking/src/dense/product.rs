use rayon::prelude::*;

use super::{Columns, Matrix, Packed};
use crate::simd::elementwise::add;
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

/// What a product does beside multiplying.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    /// What the sums begin with, one value per column; without it they begin with what `out` holds.
    pub(crate) start: Option<&'a [f32]>,
    /// The step of the right side with which the left side's first column is multiplied.
    pub(crate) first_step: usize,
    /// Whether outputs below zero become zero.
    pub(crate) relu: bool,
}

/// `out = left * right + start`, row by row, on one thread.
///
/// **Shapes**: `left` n x steps; `right` has these steps from the first that is meant on; `out` n x columns.
/// Each row's bits depend on that row alone.
pub(crate) fn product_rows(simd: Simd, left: Columns<'_>, right: &Packed, around: Around<'_>, out: Output<'_>) {
    // Rows of no inputs have outputs too.
    let (steps, columns, rows) = (left.count, right.columns, out.values.len() / out.stride);
    for done in (0..steps.max(1)).step_by(STEPS) {
        let is_last = done + STEPS >= steps;
        for first in (0..columns).step_by(TILE_COLUMNS) {
            let panel = right.panel(first, around.first_step + done);
            for row in (0..rows).step_by(TILE_ROWS) {
                simd.multiply(Tile {
                    rows: (rows - row).min(TILE_ROWS),
                    columns: (columns - first).min(TILE_COLUMNS),
                    steps: (steps - done).min(STEPS),
                    left: &left.start()[row * left.stride + done..],
                    left_row: left.stride,
                    left_step: 1,
                    right: panel,
                    relu: around.relu && is_last,
                    start: around.start.filter(|_| done == 0).map(|start| &start[first..]),
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
        let around = Around { start, first_step: 0, relu: false };
        product_rows(simd, left, right, around, Output { values, stride, first });
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
        let (mut packed, mut strips) = (Packed::default(), Vec::new());
        let end = ((lane + 1) * per_lane).min(rows);
        for first in (lane * per_lane..end).step_by(STEPS) {
            let steps = (end - first).min(STEPS);
            let size = (steps, right.count);
            packed.pack(right.rows_from(first, steps).start(), size, (right.stride, 1));
            pack_strips(left.rows_from(first, steps), &mut strips);
            add_transposed(simd, (&strips, left.count), &packed, sum);
        }
    });
    let (lanes, columns) = (&lanes[..used], right.count);
    out.par_chunks_mut(BLOCK_ROWS * columns).enumerate().for_each(|(block, out)| {
        for lane in lanes {
            let from = &lane[block * BLOCK_ROWS * columns..][..out.len()];
            add(simd, out, from);
        }
    });
}

/// Copies eight columns after the other, each step's side by side: what a tile reads lies together.
fn pack_strips(from: Columns<'_>, strips: &mut Vec<f32>) {
    let steps = from.rows();
    strips.clear();
    let strips_end = steps * from.count.next_multiple_of(TILE_ROWS);
    strips.resize(strips_end, 0.0);
    for (step, row) in from.values.chunks_exact(from.stride).enumerate() {
        let row = &row[from.first..][..from.count];
        let (whole, rest) = row.as_chunks::<TILE_ROWS>();
        let place = |strip: usize| (strip * steps + step) * TILE_ROWS;
        for (strip, values) in whole.iter().enumerate() {
            if let Some(to) = strips[place(strip)..].first_chunk_mut() {
                *to = *values;
            }
        }
        strips[place(whole.len()).min(strips_end)..][..rest.len()].copy_from_slice(rest);
    }
}

fn add_transposed(simd: Simd, (strips, count): (&[f32], usize), right: &Packed, sum: &mut [f32]) {
    let columns = right.columns;
    for first in (0..columns).step_by(TILE_COLUMNS) {
        for row in (0..count).step_by(TILE_ROWS) {
            simd.multiply(Tile {
                rows: (count - row).min(TILE_ROWS),
                columns: (columns - first).min(TILE_COLUMNS),
                steps: right.steps,
                left: &strips[row * right.steps..],
                left_row: 1,
                left_step: TILE_ROWS,
                right: right.panel(first, 0),
                relu: false,
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
            let around = Around { start: Some(&start.values), first_step: 0, relu: false };
            product_rows(Simd::best(), left, &packed, around, out);
            values
        };
        let all = product(left.all());
        for row in 0..57 {
            let alone = product(left.all().rows_from(row, 1));
            assert!(alone.iter().zip(&all[row * 70..]).all(|(a, b)| a.to_bits() == b.to_bits()), "{row}");
        }
    }
}
