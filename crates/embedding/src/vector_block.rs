/// Floats that are computed on together: two registers of 128 bits.
pub(crate) const LANES: usize = 8;
/// Eight neighbouring components.
pub(crate) type Lanes = [f32; LANES];
/// Vectors per block: at 64 dimensions a block is 16 KiB and stays in the first cache.
pub(crate) const BLOCK_ROWS: usize = 64;

/// Up to [`BLOCK_ROWS`] vectors, repacked so that a product of two groups of components reads memory
/// in order.
///
/// **Shapes**: strip t holds components 8t to 8t + 8 of every vector, one vector after the other; the
/// last strip is padded with zeros.
#[derive(Debug, Clone, Default)]
pub(crate) struct VectorBlock {
    strips: Vec<Lanes>,
    rows: usize,
}

impl VectorBlock {
    /// Makes room for vectors of `dimensions` components and forgets all vectors.
    pub(crate) fn reset(&mut self, dimensions: usize) {
        self.strips.resize(dimensions.div_ceil(LANES) * BLOCK_ROWS, [0.0; LANES]);
        self.rows = 0;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.rows == BLOCK_ROWS
    }

    pub(crate) fn clear(&mut self) {
        self.rows = 0;
    }

    /// Adds `scale * vector`; the block must have room.
    pub(crate) fn push(&mut self, vector: &[f32], scale: f32) {
        let (whole, rest) = vector.as_chunks::<LANES>();
        for (strip, components) in whole.iter().enumerate() {
            self.strips[strip * BLOCK_ROWS + self.rows] = components.map(|x| x * scale);
        }
        if !rest.is_empty() {
            let mut padded = [0.0; LANES];
            for (to, from) in padded.iter_mut().zip(rest) {
                *to = from * scale;
            }
            self.strips[whole.len() * BLOCK_ROWS + self.rows] = padded;
        }
        self.rows += 1;
    }

    /// Eight components of every vector.
    pub(crate) fn strip(&self, strip: usize) -> &[Lanes] {
        let start = strip * BLOCK_ROWS;
        &self.strips[start..start + self.rows]
    }
}
