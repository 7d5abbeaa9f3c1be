use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

/// Learned numbers with their gradient and the optimiser's memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parameter {
    /// Rows and columns.
    pub(crate) shape: (usize, usize),
    pub(crate) values: Vec<f32>,
    /// As long as the values; empty for statistics, which are not learned by gradient.
    pub(crate) gradient: Vec<f32>,
    /// The optimiser's means of the gradient and of its square.
    pub(crate) moments: [Vec<f32>; 2],
    /// Of a table: the rows that this step's gradient concerns. Only they cost anything.
    pub(crate) touched: Option<Touched>,
}

/// Rows of a table, each once, in order of first touch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Touched {
    pub(crate) rows: Vec<u32>,
    is_touched: Vec<bool>,
}

impl Touched {
    #[inline]
    pub(crate) fn touch(&mut self, row: u32) {
        let is_touched = &mut self.is_touched[row as usize];
        if !*is_touched {
            *is_touched = true;
            self.rows.push(row);
        }
    }

    pub(crate) fn clear(&mut self) {
        for row in self.rows.drain(..) {
            self.is_touched[row as usize] = false;
        }
    }
}

impl Parameter {
    fn learned(shape: (usize, usize), values: Vec<f32>) -> Self {
        let zeros = vec![0.0; values.len()];
        Self { shape, gradient: zeros.clone(), moments: [zeros.clone(), zeros], values, touched: None }
    }

    /// The same value everywhere.
    pub(crate) fn constant(shape: (usize, usize), value: f32) -> Self {
        Self::learned(shape, vec![value; shape.0 * shape.1])
    }

    /// Weights of a layer, drawn evenly between plus and minus one over the root of its inputs.
    pub(crate) fn weights(inputs: usize, outputs: usize, random: &mut ChaCha8Rng) -> Self {
        let bound = 1.0 / (inputs.max(1) as f32).sqrt();
        let values = (0..inputs * outputs).map(|_| random.random_range(-bound..=bound)).collect();
        Self::learned((inputs, outputs), values)
    }

    /// A table of one row per id, normal with a small deviation.
    pub(crate) fn table(rows: usize, columns: usize, deviation: f32, random: &mut ChaCha8Rng) -> Self {
        let values = match Normal::new(0.0, deviation) {
            Ok(normal) => (0..rows * columns).map(|_| normal.sample(random)).collect(),
            Err(_) => vec![0.0; rows * columns],
        };
        let touched = Some(Touched { rows: Vec::new(), is_touched: vec![false; rows] });
        Self { touched, ..Self::learned((rows, columns), values) }
    }

    /// Numbers that are measured, not learned.
    pub(crate) fn statistics(columns: usize, value: f32) -> Self {
        Self { shape: (1, columns), values: vec![value; columns], ..Self::default() }
    }

    pub(crate) fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.shape.1..][..self.shape.1]
    }
}
