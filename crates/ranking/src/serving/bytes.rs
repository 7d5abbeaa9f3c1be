use crate::simd::{BYTE_GROUP, ByteTile, LANES, Simd, TILE_COLUMNS, TILE_ROWS};

/// What a signed code is raised by, so that it is not negative.
const MIDDLE: i32 = 128;
/// Greatest code of a weight, and of a signed input.
const SIGNED_MAX: f32 = 127.0;
const UNSIGNED_MAX: f32 = 255.0;

/// A layer in bytes: weights on a scale of each column, inputs on a scale of each row, products exact.
///
/// A row's scale is its own greatest value, so its result does not depend on its neighbours.
#[derive(Debug)]
pub(crate) struct ByteLayer {
    steps: usize,
    groups: usize,
    /// Panels of up to 48 columns, each groups x columns x four steps.
    codes: Vec<i8>,
    scales: Vec<f32>,
    bias: Vec<f32>,
    /// What a raised input adds to each column, taken away.
    start: Vec<i32>,
    is_signed: bool,
}

impl ByteLayer {
    /// Rounds `weights`, steps x columns, to bytes. Inputs below zero need `is_signed`, which costs
    /// them one bit.
    pub(crate) fn of(weights: &[f32], steps: usize, bias: Vec<f32>, is_signed: bool) -> Self {
        let columns = bias.len();
        let mut greatest = vec![0.0_f32; columns];
        for row in weights.chunks_exact(columns) {
            greatest.iter_mut().zip(row).for_each(|(most, weight)| *most = most.max(weight.abs()));
        }
        let scales: Vec<f32> = greatest.iter().map(|most| most.max(f32::MIN_POSITIVE) / SIGNED_MAX).collect();
        let code = |step: usize, column: usize| (weights[step * columns + column] / scales[column]).round() as i8;
        let groups = steps.div_ceil(BYTE_GROUP);
        let mut codes = vec![0; groups * BYTE_GROUP * columns.next_multiple_of(LANES)];
        let mut start = vec![0; columns];
        for step in 0..steps {
            for (column, start) in start.iter_mut().enumerate() {
                let first = column / TILE_COLUMNS * TILE_COLUMNS;
                let width = (columns - first).min(TILE_COLUMNS).next_multiple_of(LANES);
                let panel = first * groups * BYTE_GROUP;
                let place = (step / BYTE_GROUP * width + column - first) * BYTE_GROUP + step % BYTE_GROUP;
                codes[panel + place] = code(step, column);
                *start -= if is_signed { MIDDLE * i32::from(code(step, column)) } else { 0 };
            }
        }
        Self { steps, groups, codes, scales, bias, start, is_signed }
    }

    pub(crate) fn columns(&self) -> usize {
        self.bias.len()
    }

    pub(crate) fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// `out = relu(input * weights + bias)`.
    ///
    /// **Shapes**: `input` rows x steps; `bias` one per column; `out` rows x columns.
    pub(crate) fn apply(
        &self,
        simd: Simd,
        (input, bias): (&[f32], &[f32]),
        (codes, row_scales): (&mut Vec<u8>, &mut Vec<f32>),
        out: &mut [f32],
    ) {
        let (rows, columns, width) = (input.len() / self.steps, self.columns(), self.groups * BYTE_GROUP);
        codes.resize(rows * width, 0);
        row_scales.resize(rows, 0.0);
        let (most, middle) = if self.is_signed { (SIGNED_MAX, MIDDLE as f32) } else { (UNSIGNED_MAX, 0.0) };
        simd.to_codes(codes, input, row_scales, most, middle);
        for first in (0..columns).step_by(TILE_COLUMNS) {
            for row in (0..rows).step_by(TILE_ROWS) {
                simd.multiply_bytes(ByteTile {
                    rows: (rows - row).min(TILE_ROWS),
                    columns: (columns - first).min(TILE_COLUMNS),
                    groups: self.groups,
                    left: &codes[row * width..],
                    right: &self.codes[first * width..],
                    start: &self.start[first..],
                    row_scales: &row_scales[row..],
                    scales: &self.scales[first..],
                    bias: &bias[first..],
                    out: &mut out[row * columns + first..],
                    out_row: columns,
                });
            }
        }
    }
}
