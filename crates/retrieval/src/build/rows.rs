use crate::simd::Simd;

/// Vectors in one block, by number.
///
/// **Shapes**: n x dimensions, row-major.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    dimensions: usize,
    values: &'a [f32],
    simd: Simd,
}

impl<'a> Rows<'a> {
    pub(super) fn new(dimensions: usize, values: &'a [f32]) -> Self {
        Self { dimensions, values, simd: Simd::best() }
    }

    pub(super) fn len(self) -> usize {
        self.values.len() / self.dimensions
    }

    pub(super) fn dimensions(self) -> usize {
        self.dimensions
    }

    #[inline]
    pub(super) fn row(self, row: u32) -> &'a [f32] {
        let start = row as usize * self.dimensions;
        &self.values[start..start + self.dimensions]
    }

    #[inline]
    pub(super) fn squared_distance(self, row: u32, other: &[f32]) -> f32 {
        self.simd.squared_distance(self.row(row), other)
    }

    #[inline]
    pub(super) fn dot(self, row: u32, other: &[f32]) -> f32 {
        self.simd.dot(self.row(row), other)
    }

    /// Half the squared length of `row`.
    pub(super) fn half_square(self, row: u32) -> f32 {
        0.5 * self.dot(row, self.row(row))
    }

    /// Mean of `members`, which are not none, added in their order.
    pub(super) fn mean(self, members: &[u32]) -> Vec<f32> {
        let mut mean = vec![0.0_f32; self.dimensions];
        for member in members {
            for (sum, x) in mean.iter_mut().zip(self.row(*member)) {
                *sum += x;
            }
        }
        let share = 1.0 / members.len() as f32;
        mean.iter_mut().for_each(|sum| *sum *= share);
        mean
    }
}
