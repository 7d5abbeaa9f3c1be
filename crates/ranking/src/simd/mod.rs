//! The arithmetic of dense layers, once per instruction set. All give the same bits: every output is
//! one chain of fused multiply-adds in order of the inputs, whatever its neighbours in a register are.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod elementwise;
mod scalar;
#[cfg(test)]
mod tests;

/// Single-precision lanes of an AVX-512 register.
pub(crate) const LANES: usize = 16;
/// Rows of one tile of a product.
pub(crate) const TILE_ROWS: usize = 8;
/// Most columns of one tile: with [`TILE_ROWS`] rows, its sums fill 24 of 32 AVX-512 registers.
pub(crate) const TILE_COLUMNS: usize = 48;

/// Which instructions are used. The best that the processor has is the default; a lesser one gives
/// the same answers, later.
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

/// One tile of a matrix product: up to [`TILE_ROWS`] x [`TILE_COLUMNS`] outputs over some steps.
///
/// **Shapes**: value (row, step) of the left side lies at `row * left_row + step * left_step`; the right
/// side is steps x whole registers of columns; output (row, column) lies at `row * out_row + column`.
pub(crate) struct Tile<'a> {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) steps: usize,
    pub(crate) left: &'a [f32],
    pub(crate) left_row: usize,
    pub(crate) left_step: usize,
    pub(crate) right: &'a [f32],
    /// Whether outputs below zero become zero.
    pub(crate) relu: bool,
    /// What the sums begin with: one value per column, or without it what the output holds.
    pub(crate) start: Option<&'a [f32]>,
    pub(crate) out: &'a mut [f32],
    pub(crate) out_row: usize,
}

impl Tile<'_> {
    /// Floats of one step of the right side.
    fn right_step(&self) -> usize {
        self.columns.next_multiple_of(LANES)
    }

    fn check(&self) {
        let Self { rows, columns, steps, .. } = *self;
        assert!((1..=TILE_ROWS).contains(&rows) && (1..=TILE_COLUMNS).contains(&columns), "a tile has its size");
        let left = (rows - 1) * self.left_row + steps.saturating_sub(1) * self.left_step;
        assert!(steps == 0 || left < self.left.len(), "the left side has every row and step");
        assert!(steps * self.right_step() <= self.right.len(), "the right side has every step");
        assert!(self.start.is_none_or(|start| columns <= start.len()), "every column has its start");
        assert!((rows - 1) * self.out_row + columns <= self.out.len(), "every output has its place");
    }
}

/// Inputs that are multiplied by one instruction.
pub(crate) const BYTE_GROUP: usize = 4;

/// A tile of a product of bytes: `out = relu((start + left * right) * row scale * column scale + bias)`.
///
/// **Shapes**: `left` rows x groups x [`BYTE_GROUP`]; `right` groups x whole registers of columns x
/// [`BYTE_GROUP`]; `start`, `scales` and `bias` one per column; `row_scales` one per row.
pub(crate) struct ByteTile<'a> {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) groups: usize,
    pub(crate) left: &'a [u8],
    pub(crate) right: &'a [i8],
    pub(crate) start: &'a [i32],
    pub(crate) row_scales: &'a [f32],
    pub(crate) scales: &'a [f32],
    pub(crate) bias: &'a [f32],
    pub(crate) out: &'a mut [f32],
    pub(crate) out_row: usize,
}

impl ByteTile<'_> {
    /// Bytes of one group of the right side.
    fn right_group(&self) -> usize {
        self.columns.next_multiple_of(LANES) * BYTE_GROUP
    }

    fn check(&self) {
        let Self { rows, columns, groups, .. } = *self;
        assert!((1..=TILE_ROWS).contains(&rows) && (1..=TILE_COLUMNS).contains(&columns), "a tile has its size");
        assert!(rows * groups * BYTE_GROUP <= self.left.len(), "the left side has every row and group");
        assert!(groups * self.right_group() <= self.right.len(), "the right side has every group");
        let per_column = [self.start.len(), self.scales.len(), self.bias.len()];
        assert!(per_column.into_iter().all(|length| columns <= length), "every column has its numbers");
        assert!(rows <= self.row_scales.len(), "every row has its scale");
        assert!((rows - 1) * self.out_row + columns <= self.out.len(), "every output has its place");
    }
}

impl Simd {
    /// Plain code, which runs everywhere.
    pub const SCALAR: Self = Self(Level::Scalar);

    /// All that this processor can run, from the slowest to the fastest.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut, reason = "other processors have one level")]
        let mut levels = vec![Self::SCALAR];
        #[cfg(target_arch = "x86_64")]
        {
            let fused = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if fused {
                levels.push(Self(Level::Avx2));
            }
            let wide = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
            if wide && is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512dq") && fused {
                levels.push(Self(Level::Avx512));
            }
        }
        levels
    }

    /// The fastest that this processor can run.
    pub fn best() -> Self {
        Self::available().pop().unwrap_or(Self::SCALAR)
    }

    /// Rounds each row to codes up to `most` from `middle`, on a scale of its own greatest value.
    ///
    /// **Shapes**: one scale per row; a row of codes may be wider than its values, what is over is left.
    #[allow(unsafe_code, reason = "calls code for instructions that were detected")]
    pub(crate) fn to_codes(self, codes: &mut [u8], rows: &[f32], scales: &mut [f32], most: f32, middle: f32) {
        if scales.is_empty() || rows.is_empty() {
            return;
        }
        assert!(rows.len() / scales.len() <= codes.len() / scales.len(), "every row has room for its codes");
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => scalar::to_codes(codes, rows, scales, most, middle),
            Level::Scalar => scalar::to_codes(codes, rows, scales, most, middle),
            // SAFETY: `available` detected the instructions; room was checked above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512::to_codes(codes, rows, scales, most, middle) },
        }
    }

    /// Adds the product of bytes `left * right` to `start`, exactly, and scales the sums.
    #[inline]
    #[allow(unsafe_code, reason = "calls code for instructions that were detected")]
    pub(crate) fn multiply_bytes(self, mut tile: ByteTile<'_>) {
        tile.check();
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => scalar::multiply_bytes(&mut tile),
            Level::Scalar => scalar::multiply_bytes(&mut tile),
            // SAFETY: `available` detected the instructions; lengths were checked above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512::multiply_bytes(&mut tile) },
        }
    }

    /// Adds `left * right` to the tile's start, step by step, each with one rounding.
    #[inline]
    #[allow(unsafe_code, reason = "calls code for instructions that were detected")]
    pub(crate) fn multiply(self, mut tile: Tile<'_>) {
        tile.check();
        match self.0 {
            Level::Scalar => scalar::multiply(&mut tile),
            // SAFETY: `available` detected the instructions; lengths were checked above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2::multiply(&mut tile) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512::multiply(&mut tile) },
        }
    }
}

impl Default for Simd {
    fn default() -> Self {
        Self::best()
    }
}
