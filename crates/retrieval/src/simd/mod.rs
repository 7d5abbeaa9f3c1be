//! The arithmetic of a search, once per instruction set. All give the same results, bit for bit: codes
//! are multiplied and added as integers, and floating point is added in sixteen fixed lanes.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod scalar;
#[cfg(test)]
mod tests;

use crate::code_query::CodeQuery;

/// Points of one block of codes: as many as an AVX-512 register has 32-bit lanes.
pub(crate) const LANES: usize = 16;
/// Dimensions of one group of codes: a 64-byte line holds one group of sixteen points.
pub(crate) const GROUP: usize = 8;
/// Bytes of one group of one block.
pub(crate) const LINE: usize = 64;

/// Which instructions a search uses. The best that the processor has is the default; a lesser one
/// gives the same answers, later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Simd(Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// A leaf's codes and what turns their integers into scores: `base + unit * integer (+ bias)`.
#[derive(Clone, Copy)]
pub(crate) struct LeafCodes<'a> {
    /// **Shapes**: blocks x groups x [`LINE`].
    pub(crate) codes: &'a [u8],
    /// Number of points, at most blocks x [`LANES`].
    pub(crate) points: usize,
    pub(crate) base: f32,
    pub(crate) unit: f32,
    /// One per point, added to its score; empty for none.
    pub(crate) bias: &'a [f32],
}

impl Simd {
    /// Plain code in fixed lanes, which runs everywhere.
    pub const SCALAR: Self = Self(Level::Scalar);

    /// All that this processor can run, from the slowest to the fastest.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut, reason = "other processors have one level")]
        let mut levels = vec![Self::SCALAR];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") {
                levels.push(Self(Level::Avx2));
            }
            let wide = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
            if wide && is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx2") {
                levels.push(Self(Level::Avx512));
            }
        }
        levels
    }

    /// The fastest that this processor can run.
    pub fn best() -> Self {
        Self::available().pop().unwrap_or(Self::SCALAR)
    }

    /// Appends (score, number) of every point of `leaf` whose score is above `threshold`, or of every
    /// point when that is NaN; points are numbered from `first`.
    #[inline]
    #[allow(unsafe_code, reason = "calls code for instructions that were detected")]
    pub(crate) fn scan(
        self,
        leaf: LeafCodes<'_>,
        query: &CodeQuery,
        threshold: f32,
        first: u32,
        found: &mut Vec<(f32, u32)>,
    ) {
        let bytes = leaf.points.div_ceil(LANES) * query.groups() * LINE;
        assert!(leaf.bias.is_empty() || leaf.bias.len() >= leaf.points, "a leaf has all its biases");
        // Exactly the blocks that hold its points: a shorter slice panics here, a longer one is cut.
        let leaf = LeafCodes { codes: &leaf.codes[..bytes], ..leaf };
        match self.0 {
            Level::Scalar => scalar::scan(leaf, query, threshold, first, found),
            // SAFETY: `available` detected the instructions; lengths were compared above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2::scan(leaf, query, threshold, first, found) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512::scan(leaf, query, threshold, first, found) },
        }
    }

    /// Writes the integer product of `query` with each of `rows` of `codes` to `products`.
    ///
    /// **Shapes**: codes n x stride, query stride, a multiple of 64; as many products as rows.
    #[inline]
    #[allow(unsafe_code, reason = "calls code for instructions that were detected")]
    pub(crate) fn products(self, codes: &[u8], rows: &[u32], query: &[i8], products: &mut Vec<i32>) {
        let stride = query.len();
        assert!(stride.is_multiple_of(64), "codes are padded to whole lines");
        let last = rows.iter().copied().max().map_or(0, |row| row as usize + 1);
        assert!(codes.len() >= last * stride, "every row has its codes");
        products.clear();
        products.resize(rows.len(), 0);
        match self.0 {
            Level::Scalar => scalar::products(codes, rows, query, products),
            // SAFETY: `available` detected the instructions; lengths were compared above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2::products(codes, rows, query, products) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512::products(codes, rows, query, products) },
        }
    }

    /// Inner product, as [`shortlist_types::dot`].
    #[inline]
    #[allow(unsafe_code, reason = "calls code for instructions that were detected")]
    pub(crate) fn dot(self, a: &[f32], b: &[f32]) -> f32 {
        match self.0 {
            Level::Scalar => shortlist_types::dot(a, b),
            // SAFETY: `available` detected the instructions.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2::dot(a, b) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512::dot(a, b) },
        }
    }

    /// Squared Euclidean distance, added in the lanes of [`Self::dot`].
    #[inline]
    #[allow(unsafe_code, reason = "calls code for instructions that were detected")]
    pub(crate) fn squared_distance(self, a: &[f32], b: &[f32]) -> f32 {
        match self.0 {
            Level::Scalar => scalar::squared_distance(a, b),
            // SAFETY: `available` detected the instructions.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2::squared_distance(a, b) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512::squared_distance(a, b) },
        }
    }
}

impl Default for Simd {
    fn default() -> Self {
        Self::best()
    }
}

/// Asks for the memory of `slice` before it is read; it may come or not.
#[inline]
pub(crate) fn prefetch<T>(slice: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        let bytes = slice.as_ptr().cast::<i8>();
        for line in 0..size_of_val(slice).div_ceil(LINE) {
            // SAFETY: a prefetch reads nothing and cannot fault; the address is inside the slice.
            #[allow(unsafe_code, reason = "prefetching has no safe form")]
            unsafe {
                _mm_prefetch::<_MM_HINT_T1>(bytes.add(line * LINE));
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = slice;
}
