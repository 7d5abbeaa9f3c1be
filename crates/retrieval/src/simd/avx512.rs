//! AVX-512 with VNNI: a whole block at a time, four products per lane and instruction.

#![allow(unsafe_code, reason = "vector loads take pointers")]

use std::arch::x86_64::{
    __m512, __m512i, _CMP_NLE_UQ, _mm_add_epi32, _mm_storeu_si128, _mm256_add_epi32, _mm256_add_ps, _mm256_castpd_ps,
    _mm256_castsi256_si128, _mm256_extracti128_si256, _mm512_add_epi32, _mm512_add_ps, _mm512_and_si512,
    _mm512_castps_pd, _mm512_castps512_ps256, _mm512_castsi512_si256, _mm512_cmp_ps_mask, _mm512_cvtepi32_ps,
    _mm512_dpbusd_epi32, _mm512_extractf64x4_pd, _mm512_extracti64x4_epi64, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_maskz_loadu_ps, _mm512_mul_ps, _mm512_reduce_add_epi32, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_setzero_si512, _mm512_srli_epi16, _mm512_storeu_ps, _mm512_sub_ps, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use super::{LANES, LINE, LeafCodes};
use crate::code_query::CodeQuery;

/// # Safety
/// The processor has AVX-512 F, BW and VNNI, and the leaf has the codes of all its points.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) unsafe fn scan(
    leaf: LeafCodes<'_>,
    query: &CodeQuery,
    threshold: f32,
    first: u32,
    found: &mut Vec<(f32, u32)>,
) {
    let low_nibbles = _mm512_set1_epi8(15);
    let (base, unit, above) = (_mm512_set1_ps(leaf.base), _mm512_set1_ps(leaf.unit), _mm512_set1_ps(threshold));
    for (block, lines) in leaf.codes.chunks_exact(query.groups() * LINE).enumerate() {
        let mut sums = [_mm512_setzero_si512(); 2];
        for (line, [low, high]) in lines.as_chunks::<LINE>().0.iter().zip(query.pairs()) {
            // SAFETY: a line has 64 bytes.
            let codes = unsafe { _mm512_loadu_si512(line.as_ptr().cast()) };
            let highs = _mm512_and_si512(_mm512_srli_epi16::<4>(codes), low_nibbles);
            sums[0] = _mm512_dpbusd_epi32(sums[0], _mm512_and_si512(codes, low_nibbles), _mm512_set1_epi32(*low));
            sums[1] = _mm512_dpbusd_epi32(sums[1], highs, _mm512_set1_epi32(*high));
        }
        let integers = _mm512_cvtepi32_ps(_mm512_add_epi32(sums[0], sums[1]));
        // Multiplied and added apart, as the scalar code does: a fused step would round once less.
        let mut scores = _mm512_add_ps(base, _mm512_mul_ps(unit, integers));
        let at = block * LANES;
        let lanes = LANES.min(leaf.points - at);
        let present = (u32::MAX >> (32 - lanes)) as u16;
        if !leaf.bias.is_empty() {
            // SAFETY: only the lanes of points that the leaf has are read.
            let bias = unsafe { _mm512_maskz_loadu_ps(present, leaf.bias.as_ptr().add(at)) };
            scores = _mm512_add_ps(scores, bias);
        }
        let mut kept = _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(scores, above) & present;
        if kept == 0 {
            continue;
        }
        let mut values = [0.0_f32; LANES];
        // SAFETY: sixteen numbers.
        unsafe { _mm512_storeu_ps(values.as_mut_ptr(), scores) };
        while kept != 0 {
            let lane = kept.trailing_zeros();
            kept &= kept - 1;
            found.push((values[lane as usize], first + at as u32 + lane));
        }
    }
}

/// # Safety
/// The processor has AVX-512 F, BW and VNNI and AVX2, and `codes` has all `rows`.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2")]
pub(super) unsafe fn products(codes: &[u8], rows: &[u32], query: &[i8], products: &mut [i32]) {
    let (fours, rest) = rows.as_chunks::<4>();
    let (products, rest_products) = products.split_at_mut(4 * fours.len());
    for (rows, products) in fours.iter().zip(products.as_chunks_mut::<4>().0) {
        let [a, b, c, d] = rows.map(|row| lane_sums(codes, row, query));
        // Adds the sixteen lanes of four registers at once: pairs, then fours, then the quarters.
        let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        let all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
        let halves = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64::<1>(all));
        let sums = _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256::<1>(halves));
        // SAFETY: four integers.
        unsafe { _mm_storeu_si128(products.as_mut_ptr().cast(), sums) };
    }
    for (row, product) in rest.iter().zip(rest_products) {
        *product = _mm512_reduce_add_epi32(lane_sums(codes, *row, query));
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn lane_sums(codes: &[u8], row: u32, query: &[i8]) -> __m512i {
    let start = row as usize * query.len();
    let codes = &codes[start..start + query.len()];
    let mut sums = _mm512_setzero_si512();
    for (codes, query) in codes.as_chunks::<LINE>().0.iter().zip(query.as_chunks::<LINE>().0) {
        // SAFETY: both have 64 bytes.
        let (codes, query) =
            unsafe { (_mm512_loadu_si512(codes.as_ptr().cast()), _mm512_loadu_si512(query.as_ptr().cast())) };
        sums = _mm512_dpbusd_epi32(sums, codes, query);
    }
    sums
}

/// # Safety
/// The processor has AVX-512 F and AVX2.
#[target_feature(enable = "avx512f,avx2")]
pub(super) unsafe fn dot(a: &[f32], b: &[f32]) -> f32 {
    lanes_of(a, b, |sum, x, y| _mm512_add_ps(sum, _mm512_mul_ps(x, y)))
}

/// # Safety
/// The processor has AVX-512 F and AVX2.
#[target_feature(enable = "avx512f,avx2")]
pub(super) unsafe fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    lanes_of(a, b, |sum, x, y| {
        let difference = _mm512_sub_ps(x, y);
        _mm512_add_ps(sum, _mm512_mul_ps(difference, difference))
    })
}

/// Adds up `step` over both vectors in sixteen lanes, and the lanes as the scalar code does. A lane
/// beyond the end adds a positive zero, which changes no sum.
#[inline]
#[target_feature(enable = "avx512f,avx2")]
fn lanes_of(a: &[f32], b: &[f32], step: impl Fn(__m512, __m512, __m512) -> __m512) -> f32 {
    let length = a.len().min(b.len());
    let (a_blocks, a_rest) = a[..length].as_chunks::<LANES>();
    let (b_blocks, b_rest) = b[..length].as_chunks::<LANES>();
    let mut sum = _mm512_setzero_ps();
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        // SAFETY: sixteen numbers each.
        let (x, y) = unsafe { (_mm512_loadu_ps(x.as_ptr()), _mm512_loadu_ps(y.as_ptr())) };
        sum = step(sum, x, y);
    }
    if !a_rest.is_empty() {
        let present = u16::MAX >> (LANES - a_rest.len());
        // SAFETY: only the numbers that are there are read.
        let (x, y) = unsafe {
            (_mm512_maskz_loadu_ps(present, a_rest.as_ptr()), _mm512_maskz_loadu_ps(present, b_rest.as_ptr()))
        };
        sum = step(sum, x, y);
    }
    let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(sum)));
    super::avx2::folded(_mm256_add_ps(_mm512_castps512_ps256(sum), high))
}
