//! AVX-512: eight rows of up to three registers of columns, all sums in registers.

#![allow(unsafe_code, reason = "vector loads take pointers")]

use std::arch::x86_64::{
    _mm512_abs_ps, _mm512_add_ps, _mm512_cvtepi32_ps, _mm512_cvttps_epi32, _mm512_dpbusd_epi32, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_cvtepi32_storeu_epi8, _mm512_mask_storeu_ps,
    _mm512_maskz_loadu_epi32, _mm512_maskz_loadu_ps, _mm512_max_ps, _mm512_mul_ps, _mm512_reduce_max_ps,
    _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512,
};

use super::scalar::code_factor;
use super::{BYTE_GROUP, ByteTile, LANES, TILE_ROWS, Tile};

/// # Safety
/// The processor has AVX-512 F, and the tile was checked.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn multiply(tile: &mut Tile<'_>) {
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
unsafe fn sums<const ROWS: usize, const REGISTERS: usize>(tile: &mut Tile<'_>) {
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
        for (register, mut sum) in sums.into_iter().enumerate() {
            if tile.relu {
                // The second is taken where the first is not greater.
                sum = _mm512_max_ps(sum, _mm512_setzero_ps());
            }
            // SAFETY: the mask writes only columns that there are.
            unsafe {
                let to = tile.out.as_mut_ptr().add(row * tile.out_row + register * LANES);
                _mm512_mask_storeu_ps(to, masks[register], sum);
            }
        }
    }
}

/// # Safety
/// The processor has AVX-512 F, BW and VNNI, and the tile was checked.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) unsafe fn multiply_bytes(tile: &mut ByteTile<'_>) {
    macro_rules! of_rows {
        ($registers:literal: $($rows:literal)*) => {
            match tile.rows {
                // SAFETY: the caller's promise.
                $($rows => unsafe { byte_sums::<$rows, $registers>(tile) },)*
                // SAFETY: the caller's promise.
                _ => unsafe { byte_sums::<TILE_ROWS, $registers>(tile) },
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
/// As [`multiply_bytes`], and the tile has these rows and registers of columns.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
#[inline]
unsafe fn byte_sums<const ROWS: usize, const REGISTERS: usize>(tile: &mut ByteTile<'_>) {
    let masks: [u16; REGISTERS] = std::array::from_fn(|register| {
        let lanes = (tile.columns - register * LANES).min(LANES);
        (u32::MAX >> (32 - lanes)) as u16
    });
    let mut sums = [[_mm512_setzero_si512(); REGISTERS]; ROWS];
    for register in 0..REGISTERS {
        // SAFETY: the mask reads only columns that there are.
        let start = unsafe { _mm512_maskz_loadu_epi32(masks[register], tile.start.as_ptr().add(register * LANES)) };
        sums.iter_mut().for_each(|sums| sums[register] = start);
    }
    let stride = tile.groups * BYTE_GROUP;
    let (mut left, mut right) = (tile.left.as_ptr(), tile.right.as_ptr());
    for _ in 0..tile.groups {
        // SAFETY: the right side has whole registers of every group.
        let columns: [_; REGISTERS] = std::array::from_fn(|register| unsafe {
            _mm512_loadu_si512(right.add(register * LANES * BYTE_GROUP).cast())
        });
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: the left side has four bytes of every row and group.
            let group = unsafe { left.add(row * stride).cast::<i32>().read_unaligned() };
            let group = _mm512_set1_epi32(group);
            for (sum, column) in sums.iter_mut().zip(columns) {
                *sum = _mm512_dpbusd_epi32(*sum, group, column);
            }
        }
        left = left.wrapping_add(BYTE_GROUP);
        right = right.wrapping_add(REGISTERS * LANES * BYTE_GROUP);
    }
    for (row, sums) in sums.into_iter().enumerate() {
        let row_scale = _mm512_set1_ps(tile.row_scales[row]);
        for (register, sum) in sums.into_iter().enumerate() {
            let at = register * LANES;
            // SAFETY: the masks read and write only columns that there are.
            unsafe {
                let scale = _mm512_maskz_loadu_ps(masks[register], tile.scales.as_ptr().add(at));
                let bias = _mm512_maskz_loadu_ps(masks[register], tile.bias.as_ptr().add(at));
                let value = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_mul_ps(row_scale, scale), bias);
                let to = tile.out.as_mut_ptr().add(row * tile.out_row + at);
                _mm512_mask_storeu_ps(to, masks[register], _mm512_max_ps(value, _mm512_setzero_ps()));
            }
        }
    }
}

/// # Safety
/// The processor has AVX-512 F, and every row has room for its codes.
#[target_feature(enable = "avx512f,avx512dq")]
pub(super) unsafe fn to_codes(codes: &mut [u8], rows: &[f32], scales: &mut [f32], most: f32, middle: f32) {
    let (width, steps) = (codes.len() / scales.len(), rows.len() / scales.len());
    let mask = |at: usize| (u32::MAX >> (32 - (steps - at).min(LANES))) as u16;
    let raise = _mm512_set1_ps(middle + 0.5);
    for ((codes, row), scale) in codes.chunks_exact_mut(width).zip(rows.chunks_exact(steps)).zip(scales) {
        let mut greatest = _mm512_setzero_ps();
        for at in (0..steps).step_by(LANES) {
            // SAFETY: the mask reads only what the row has.
            let values = unsafe { _mm512_maskz_loadu_ps(mask(at), row.as_ptr().add(at)) };
            greatest = _mm512_max_ps(greatest, _mm512_abs_ps(values));
        }
        let top = _mm512_reduce_max_ps(greatest);
        *scale = top / most;
        let factor = _mm512_set1_ps(code_factor(top, most));
        for at in (0..steps).step_by(LANES) {
            // SAFETY: the mask reads only what the row has, and writes only as many codes.
            unsafe {
                let values = _mm512_maskz_loadu_ps(mask(at), row.as_ptr().add(at));
                // Multiplied and added apart, as the scalar code does.
                let raised = _mm512_add_ps(_mm512_mul_ps(values, factor), raise);
                let to = codes.as_mut_ptr().add(at).cast();
                _mm512_mask_cvtepi32_storeu_epi8(to, mask(at), _mm512_cvttps_epi32(raised));
            }
        }
    }
}
