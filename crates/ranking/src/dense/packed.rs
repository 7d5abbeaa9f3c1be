use crate::simd::{LANES, TILE_COLUMNS};

/// The right side of a product, in the order in which tiles read it: panels of up to 48 columns, padded
/// to whole registers, each with its steps one after the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Packed {
    pub(crate) steps: usize,
    pub(crate) columns: usize,
    values: Vec<f32>,
}

impl Packed {
    /// Packs the matrix whose value (step, column) lies at `step * step_stride + column * column_stride`.
    pub(crate) fn pack(&mut self, from: &[f32], size: (usize, usize), (step_stride, column_stride): (usize, usize)) {
        (self.steps, self.columns) = size;
        self.values.clear();
        self.values.resize(self.steps * self.columns.next_multiple_of(LANES), 0.0);
        for first in (0..self.columns).step_by(TILE_COLUMNS) {
            let (columns, steps) = ((self.columns - first).min(TILE_COLUMNS), self.steps);
            let width = columns.next_multiple_of(LANES);
            let panel = &mut self.values[first * steps..][..steps * width];
            for (step, to) in panel.chunks_exact_mut(width).enumerate() {
                let from = &from[step * step_stride + first * column_stride..];
                if column_stride == 1 {
                    to[..columns].copy_from_slice(&from[..columns]);
                } else {
                    for (to, from) in to[..columns].iter_mut().zip(from.iter().step_by(column_stride)) {
                        *to = *from;
                    }
                }
            }
        }
    }

    /// Packs a row-major matrix of steps x columns.
    pub(crate) fn of(values: &[f32], steps: usize, columns: usize) -> Self {
        let mut packed = Self::default();
        packed.pack(values, (steps, columns), (columns, 1));
        packed
    }

    /// The panel that begins with column `first`, a multiple of 48, from step `step` on.
    #[inline]
    pub(crate) fn panel(&self, first: usize, step: usize) -> &[f32] {
        let width = (self.columns - first).min(TILE_COLUMNS).next_multiple_of(LANES);
        &self.values[first * self.steps + step * width..][..(self.steps - step) * width]
    }
}
