use crate::vector_block::{LANES, Lanes, VectorBlock};

/// A symmetric k x k matrix of which the upper triangle is kept, in the layout of the solver.
///
/// **Shapes**: k is padded to a multiple of eight. Strip t holds columns 8t to 8t + 8 of all rows, one
/// row after the other; rows below the diagonal tile of a strip are never read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SymmetricMatrix {
    strips: Vec<Lanes>,
    strip_count: usize,
}

impl SymmetricMatrix {
    pub(crate) fn zeros(dimensions: usize) -> Self {
        let strip_count = dimensions.div_ceil(LANES);
        Self { strips: vec![[0.0; LANES]; strip_count * strip_count * LANES], strip_count }
    }

    /// Padded dimensions.
    pub(crate) fn padded(&self) -> usize {
        self.strip_count * LANES
    }

    pub(crate) fn strip_count(&self) -> usize {
        self.strip_count
    }

    /// All rows of one strip.
    pub(crate) fn strip(&self, strip: usize) -> &[Lanes] {
        let rows = self.padded();
        &self.strips[strip * rows..(strip + 1) * rows]
    }

    /// Strips `left` (to read) and `right` (to write), `left < right`.
    pub(crate) fn strip_pair_mut(&mut self, left: usize, right: usize) -> (&[Lanes], &mut [Lanes]) {
        let rows = self.padded();
        let (before, after) = self.strips.split_at_mut(right * rows);
        (&before[left * rows..(left + 1) * rows], &mut after[..rows])
    }

    pub(crate) fn strip_mut(&mut self, strip: usize) -> &mut [Lanes] {
        let rows = self.padded();
        &mut self.strips[strip * rows..(strip + 1) * rows]
    }

    /// Takes over the values of `other` without allocating if the sizes agree.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.strips.clone_from(&other.strips);
        self.strip_count = other.strip_count;
    }

    /// Adds the sum of `v v^T` over the vectors of the block.
    ///
    /// **Cost**: k (k + 8) multiply-adds per vector on the padded k / 2, in registers.
    pub(crate) fn add_products(&mut self, block: &VectorBlock) {
        for column in 0..self.strip_count {
            let right = block.strip(column);
            let to = self.strip_mut(column);
            for row in 0..=column {
                let left = block.strip(row);
                let tile = &mut to[row * LANES..(row + 1) * LANES];
                add(&mut tile[..4], &tile_products::<0>(left, right));
                add(&mut tile[4..], &tile_products::<4>(left, right));
            }
        }
    }

    /// Adds another matrix of the same size.
    pub(crate) fn add_matrix(&mut self, other: &Self) {
        add(&mut self.strips, &other.strips);
    }

    /// Multiplies every value.
    pub(crate) fn scale(&mut self, factor: f32) {
        for value in self.strips.as_flattened_mut() {
            *value *= factor;
        }
    }

    /// Adds `value` to the diagonal, padding included.
    pub(crate) fn add_diagonal(&mut self, value: f32) {
        for i in 0..self.padded() {
            self.strip_mut(i / LANES)[i][i % LANES] += value;
        }
    }

    /// Greatest value on the diagonal.
    pub(crate) fn diagonal_max(&self) -> f32 {
        (0..self.padded()).map(|i| self.strip(i / LANES)[i][i % LANES]).fold(0.0, f32::max)
    }

    pub(crate) fn is_finite(&self) -> bool {
        self.strips.as_flattened().iter().all(|x| x.is_finite())
    }
}

fn add(to: &mut [Lanes], from: &[Lanes]) {
    for (to, from) in to.as_flattened_mut().iter_mut().zip(from.as_flattened()) {
        *to += from;
    }
}

/// The sum over p of `left[p]^T right[p]`, rows `FIRST` to `FIRST + 4` of the 8 x 8 result.
///
/// Four rows of eight sums are eight registers of 128 bits, half of what every x86-64 and ARM has: the
/// sums stay there from the first vector to the last.
#[inline]
pub(crate) fn tile_products<const FIRST: usize>(left: &[Lanes], right: &[Lanes]) -> [Lanes; 4] {
    let mut sums = [[0.0; LANES]; 4];
    for (x, y) in left.iter().zip(right) {
        for (row, sums) in sums.iter_mut().enumerate() {
            let factor = x[FIRST + row];
            for lane in 0..LANES {
                sums[lane] += factor * y[lane];
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_a_block_agree_with_the_plain_sum() {
        for dimensions in [1, 7, 8, 13, 24] {
            let vectors: Vec<Vec<f32>> =
                (0..5).map(|v| (0..dimensions).map(|d| ((v * 7 + d * 3) % 11) as f32 - 5.0).collect()).collect();
            let mut block = VectorBlock::default();
            block.reset(dimensions);
            vectors.iter().for_each(|vector| block.push(vector, 2.0));
            let mut matrix = SymmetricMatrix::zeros(dimensions);
            matrix.add_products(&block);
            for row in 0..dimensions {
                for column in row..dimensions {
                    let plain: f32 = vectors.iter().map(|v| 4.0 * v[row] * v[column]).sum();
                    let got = matrix.strip(column / LANES)[row][column % LANES];
                    assert!((got - plain).abs() < 1e-3, "{dimensions}: ({row}, {column}) {got} {plain}");
                }
            }
        }
    }
}
