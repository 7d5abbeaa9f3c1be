//! The reference, in lanes that compilers vectorise with whatever the target has.

use super::{LANES, LINE, LeafCodes};
use crate::code_query::CodeQuery;

pub(super) fn scan(leaf: LeafCodes<'_>, query: &CodeQuery, threshold: f32, first: u32, found: &mut Vec<(f32, u32)>) {
    for (block, lines) in leaf.codes.chunks_exact(query.groups() * LINE).enumerate() {
        let mut sums = [0_i32; LANES];
        for (line, [low, high]) in lines.as_chunks::<LINE>().0.iter().zip(query.pairs()) {
            let (low, high) = (low.to_le_bytes(), high.to_le_bytes());
            for (lane, sum) in sums.iter_mut().enumerate() {
                for j in 0..4 {
                    let code = line[4 * lane + j];
                    *sum += i32::from(code & 15) * i32::from(low[j] as i8);
                    *sum += i32::from(code >> 4) * i32::from(high[j] as i8);
                }
            }
        }
        keep(&leaf, &sums, block * LANES, threshold, first, found);
    }
}

/// Turns the integers of one block, whose first point is the leaf's `at`-th, into scores, and keeps
/// those above the threshold.
#[inline]
pub(super) fn keep(
    leaf: &LeafCodes<'_>,
    sums: &[i32; LANES],
    at: usize,
    threshold: f32,
    first: u32,
    found: &mut Vec<(f32, u32)>,
) {
    for (lane, sum) in sums.iter().enumerate().take(leaf.points.saturating_sub(at)) {
        let mut score = leaf.base + leaf.unit * *sum as f32;
        if let Some(bias) = leaf.bias.get(at + lane) {
            score += bias;
        }
        if !is_at_most(score, threshold) {
            found.push((score, first + (at + lane) as u32));
        }
    }
}

/// As the vector instructions have it: false when either is no number, so that a threshold of NaN keeps
/// everything and a score of NaN, which only a crafted file makes, is re-scored like any other.
#[inline]
#[allow(clippy::float_cmp, reason = "an order, not an equality")]
fn is_at_most(score: f32, threshold: f32) -> bool {
    score <= threshold
}

pub(super) fn products(codes: &[u8], rows: &[u32], query: &[i8], products: &mut [i32]) {
    for (row, product) in rows.iter().zip(products) {
        let start = *row as usize * query.len();
        let codes = &codes[start..start + query.len()];
        *product = codes.iter().zip(query).map(|(code, x)| i32::from(*code) * i32::from(*x)).sum();
    }
}

/// Inlined into callers that have wider registers.
#[inline(always)]
pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let length = a.len().min(b.len());
    let (a_blocks, a_rest) = a[..length].as_chunks::<LANES>();
    let (b_blocks, b_rest) = b[..length].as_chunks::<LANES>();
    let mut sums = [0.0_f32; LANES];
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            let difference = x[lane] - y[lane];
            sums[lane] += difference * difference;
        }
    }
    for (lane, (x, y)) in a_rest.iter().zip(b_rest).enumerate() {
        sums[lane] += (x - y) * (x - y);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}
