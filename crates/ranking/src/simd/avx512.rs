//! AVX-512: eight rows of up to three registers of columns, all sums in registers.

#![allow(unsafe_code, reason = "vector loads take pointers")]

use std::arch::x86_64::{
    _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps,
};

use super::{LANES, TILE_ROWS, Tile};

/// # Safety
/// The processor has the instructions of the attribute.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) unsafe fn run<R>(body: impl FnOnce() -> R) -> R {
    body()
}

/// # Safety
/// The processor has AVX-512 F, and the tile was checked.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn multiply(tile: Tile<'_>) {
    macro_rules! of_rows {
        ($registers:literal: $($rows:literal)*) => {
            match tile.rows {
                // SAFETY: the caller's promise.
                $($rows => unsafe { sums::<$rows, $registers>(tile) },)*
                // SAFETY: the caller's promise.
                _ => unsafe { sums::<TILE_ROWS, $registers>(tile) },
            }
        };
    }
    match tile.columns.div_ceil(LANES) {
        1 => of_rows!(1: 1 2 3 4 5 6 7),
        2 => of_rows!(2: 1 2 3 4 5 6 7),
        _ => of_rows!(3: 1 2 3 4 5 6 7),
    }
}

/// # Safety
/// As [`multiply`], and the tile has these rows and registers of columns.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn sums<const ROWS: usize, const REGISTERS: usize>(tile: Tile<'_>) {
    let masks: [u16; REGISTERS] = std::array::from_fn(|register| {
        let lanes = (tile.columns - register * LANES).min(LANES);
        (u32::MAX >> (32 - lanes)) as u16
    });
    let mut sums = [[_mm512_setzero_ps(); REGISTERS]; ROWS];
    for (row, sums) in sums.iter_mut().enumerate() {
        for (register, sum) in sums.iter_mut().enumerate() {
            let from = match tile.start {
                Some(start) => start.as_ptr(),
                // SAFETY: every row of the output has its place.
                None => unsafe { tile.out.as_ptr().add(row * tile.out_row) },
            };
            // SAFETY: the mask reads only columns that there are.
            *sum = unsafe { _mm512_maskz_loadu_ps(masks[register], from.add(register * LANES)) };
        }
    }
    let (mut left, mut right) = (tile.left.as_ptr(), tile.right.as_ptr());
    for _ in 0..tile.steps {
        // SAFETY: the right side has whole registers of every step.
        let columns: [_; REGISTERS] =
            std::array::from_fn(|register| unsafe { _mm512_loadu_ps(right.add(register * LANES)) });
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: the left side has every row and step.
            let value = _mm512_set1_ps(unsafe { *left.add(row * tile.left_row) });
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum = _mm512_fmadd_ps(value, column, *sum);
            }
        }
        left = left.wrapping_add(tile.left_step);
        right = right.wrapping_add(REGISTERS * LANES);
    }
    for (row, sums) in sums.into_iter().enumerate() {
        for (register, sum) in sums.into_iter().enumerate() {
            // SAFETY: the mask writes only columns that there are.
            unsafe {
                let to = tile.out.as_mut_ptr().add(row * tile.out_row + register * LANES);
                _mm512_mask_storeu_ps(to, masks[register], sum);
            }
        }
    }
}
