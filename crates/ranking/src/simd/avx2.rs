//! AVX2 with fused multiply-add: four rows of two registers of columns at a time.

#![allow(unsafe_code, reason = "vector loads take pointers")]

use std::arch::x86_64::{
    __m256, __m256i, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_maskload_ps, _mm256_maskstore_ps,
    _mm256_max_ps, _mm256_set1_ps, _mm256_setzero_ps,
};

use super::{LANES, Tile};

/// Rows whose sums are held at once: eight of sixteen registers.
const ROWS: usize = 4;
const HALF: usize = 8;

/// # Safety
/// The processor has AVX2 and FMA, and the tile was checked.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn multiply(tile: &mut Tile<'_>) {
    for first in (0..tile.rows).step_by(ROWS) {
        for column in (0..tile.columns).step_by(LANES) {
            // SAFETY: the caller's promise; rows and columns lie inside the tile.
            unsafe {
                match tile.rows - first {
                    1 => sums::<1>(tile, first, column),
                    2 => sums::<2>(tile, first, column),
                    3 => sums::<3>(tile, first, column),
                    _ => sums::<ROWS>(tile, first, column),
                }
            }
        }
    }
}

/// # Safety
/// As [`multiply`], and the tile has these rows and the column.
#[target_feature(enable = "avx2,fma")]
unsafe fn sums<const ROWS: usize>(tile: &mut Tile<'_>, first: usize, column: usize) {
    let masks = [mask(tile.columns - column), mask((tile.columns - column).saturating_sub(HALF))];
    let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
    for (row, sums) in sums.iter_mut().enumerate() {
        for (half, sum) in sums.iter_mut().enumerate() {
            let at = column + half * HALF;
            let from = match tile.start {
                Some(start) => start.as_ptr().wrapping_add(at),
                None => tile.out.as_ptr().wrapping_add((first + row) * tile.out_row + at),
            };
            // SAFETY: the mask reads only columns that there are.
            *sum = unsafe { _mm256_maskload_ps(from, masks[half]) };
        }
    }
    let right_step = tile.right_step();
    for step in 0..tile.steps {
        let right = tile.right.as_ptr().wrapping_add(step * right_step + column);
        // SAFETY: the right side has whole registers of every step.
        let columns: [__m256; 2] = std::array::from_fn(|half| unsafe { _mm256_loadu_ps(right.add(half * HALF)) });
        for (row, sums) in sums.iter_mut().enumerate() {
            let left = tile.left.as_ptr().wrapping_add((first + row) * tile.left_row + step * tile.left_step);
            // SAFETY: the left side has every row and step.
            let value = _mm256_set1_ps(unsafe { *left });
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum = _mm256_fmadd_ps(value, column, *sum);
            }
        }
    }
    for (row, sums) in sums.into_iter().enumerate() {
        for (half, mut sum) in sums.into_iter().enumerate() {
            if tile.relu {
                // The second is taken where the first is not greater.
                sum = _mm256_max_ps(sum, _mm256_setzero_ps());
            }
            let to = tile.out.as_mut_ptr().wrapping_add((first + row) * tile.out_row + column + half * HALF);
            // SAFETY: the mask writes only columns that there are.
            unsafe { _mm256_maskstore_ps(to, masks[half], sum) };
        }
    }
}

/// All bits of the first `lanes` lanes, of eight.
#[target_feature(enable = "avx2")]
fn mask(lanes: usize) -> __m256i {
    const LADDER: [i32; 2 * HALF] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    let from = &LADDER[HALF - lanes.min(HALF)..];
    // SAFETY: eight numbers follow any of these places.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}
