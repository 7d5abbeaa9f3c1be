//! AVX2: eight 32-bit lanes, half a block at a time.

#![allow(unsafe_code, reason = "vector loads take pointers")]

use std::arch::x86_64::{
    __m256, __m256i, _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_loadu_si128, _mm_movehl_ps, _mm_shuffle_ps,
    _mm256_add_epi32, _mm256_add_ps, _mm256_and_si256, _mm256_castps256_ps128, _mm256_cvtepi8_epi16,
    _mm256_cvtepu8_epi16, _mm256_extractf128_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16,
    _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setzero_ps,
    _mm256_setzero_si256, _mm256_srli_epi16, _mm256_storeu_si256, _mm256_sub_ps,
};

use super::{LANES, LINE, LeafCodes, scalar};
use crate::code_query::CodeQuery;

/// # Safety
/// The processor has AVX2, and the leaf has the codes of all its points.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn scan(
    leaf: LeafCodes<'_>,
    query: &CodeQuery,
    threshold: f32,
    first: u32,
    found: &mut Vec<(f32, u32)>,
) {
    let (low_nibbles, ones) = (_mm256_set1_epi8(15), _mm256_set1_epi16(1));
    for (block, lines) in leaf.codes.chunks_exact(query.groups() * LINE).enumerate() {
        let mut sums = [_mm256_setzero_si256(); 2];
        for (line, [low, high]) in lines.as_chunks::<LINE>().0.iter().zip(query.pairs()) {
            let (low, high) = (_mm256_set1_epi32(*low), _mm256_set1_epi32(*high));
            for (half, sum) in sums.iter_mut().enumerate() {
                // SAFETY: a line has 64 bytes.
                let codes = unsafe { _mm256_loadu_si256(line.as_ptr().add(32 * half).cast()) };
                let lows = _mm256_and_si256(codes, low_nibbles);
                let highs = _mm256_and_si256(_mm256_srli_epi16::<4>(codes), low_nibbles);
                // Two products of 15 and 127 fit 16 bits: nothing saturates.
                let lows = _mm256_madd_epi16(_mm256_maddubs_epi16(lows, low), ones);
                let highs = _mm256_madd_epi16(_mm256_maddubs_epi16(highs, high), ones);
                *sum = _mm256_add_epi32(*sum, _mm256_add_epi32(lows, highs));
            }
        }
        let mut integers = [0_i32; LANES];
        for (half, sum) in sums.into_iter().enumerate() {
            // SAFETY: eight of sixteen integers each.
            unsafe { _mm256_storeu_si256(integers.as_mut_ptr().add(8 * half).cast(), sum) };
        }
        scalar::keep(&leaf, &integers, block * LANES, threshold, first, found);
    }
}

/// # Safety
/// The processor has AVX2, and `codes` has all `rows`.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn products(codes: &[u8], rows: &[u32], query: &[i8], products: &mut [i32]) {
    for (row, product) in rows.iter().zip(products) {
        let start = *row as usize * query.len();
        let codes = &codes[start..start + query.len()];
        let mut sum = _mm256_setzero_si256();
        for (codes, query) in codes.as_chunks::<16>().0.iter().zip(query.as_chunks::<16>().0) {
            // SAFETY: both have sixteen bytes.
            let (codes, query) =
                unsafe { (_mm_loadu_si128(codes.as_ptr().cast()), _mm_loadu_si128(query.as_ptr().cast())) };
            let products = _mm256_madd_epi16(_mm256_cvtepu8_epi16(codes), _mm256_cvtepi8_epi16(query));
            sum = _mm256_add_epi32(sum, products);
        }
        *product = total(sum);
    }
}

#[target_feature(enable = "avx2")]
fn total(sum: __m256i) -> i32 {
    let mut lanes = [0_i32; 8];
    // SAFETY: eight integers.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sum) };
    lanes.iter().sum()
}

/// # Safety
/// The processor has AVX2.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn dot(a: &[f32], b: &[f32]) -> f32 {
    lanes_of(a, b, |sum, x, y| _mm256_add_ps(sum, _mm256_mul_ps(x, y)))
}

/// # Safety
/// The processor has AVX2.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    lanes_of(a, b, |sum, x, y| {
        let difference = _mm256_sub_ps(x, y);
        _mm256_add_ps(sum, _mm256_mul_ps(difference, difference))
    })
}

/// Adds up `step` over both vectors in sixteen lanes, and the lanes as the scalar code does. A lane
/// beyond the end adds a positive zero, which changes no sum.
#[inline]
#[target_feature(enable = "avx2")]
fn lanes_of(a: &[f32], b: &[f32], step: impl Fn(__m256, __m256, __m256) -> __m256) -> f32 {
    let length = a.len().min(b.len());
    let (a_blocks, a_rest) = a[..length].as_chunks::<LANES>();
    let (b_blocks, b_rest) = b[..length].as_chunks::<LANES>();
    let mut sums = [_mm256_setzero_ps(); 2];
    let mut add = |x: &[f32; LANES], y: &[f32; LANES]| {
        for (half, sum) in sums.iter_mut().enumerate() {
            // SAFETY: eight of sixteen numbers each.
            let (x, y) =
                unsafe { (_mm256_loadu_ps(x.as_ptr().add(8 * half)), _mm256_loadu_ps(y.as_ptr().add(8 * half))) };
            *sum = step(*sum, x, y);
        }
    };
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        add(x, y);
    }
    if !a_rest.is_empty() {
        let (mut x, mut y) = ([0.0; LANES], [0.0; LANES]);
        x[..a_rest.len()].copy_from_slice(a_rest);
        y[..b_rest.len()].copy_from_slice(b_rest);
        add(&x, &y);
    }
    folded(_mm256_add_ps(sums[0], sums[1]))
}

/// Adds eight lanes: each to the one four, then two, then one further.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn folded(lanes: __m256) -> f32 {
    let fours = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps::<1>(lanes));
    let twos = _mm_add_ps(fours, _mm_movehl_ps(fours, fours));
    _mm_cvtss_f32(_mm_add_ss(twos, _mm_shuffle_ps::<1>(twos, twos)))
}
