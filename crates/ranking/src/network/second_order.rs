use super::{Batch, Mode, Part, Visitor};
use crate::dense::Matrix;

/// The sum of the inner products of all pairs of embeddings: with [`super::FirstOrder`], a factorisation
/// machine. Numbers take no part; every head reads the same sum.
///
/// **Source**: Rendle 2010, lemma 3.1: half of the square of the sum less the sum of the squares.
#[derive(Debug)]
pub(crate) struct SecondOrder {
    pub(crate) fields: usize,
    pub(crate) dimensions: usize,
}

impl Part for SecondOrder {
    fn forward(&mut self, _: &Batch, input: &Matrix, _: Mode, logits: &mut Matrix) {
        let heads = logits.columns;
        for (row, logits) in logits.values.chunks_exact_mut(heads).enumerate() {
            let mut both = 0.0;
            for dimension in 0..self.dimensions {
                let (mut sum, mut squares) = (0.0, 0.0);
                for field in 0..self.fields {
                    let value = input.row(row)[field * self.dimensions + dimension];
                    sum += value;
                    squares += value * value;
                }
                both += sum * sum - squares;
            }
            logits.iter_mut().for_each(|logit| *logit += 0.5 * both);
        }
    }

    fn backward(&mut self, _: &Batch, input: &Matrix, logits: &Matrix, gradient: &mut Matrix) {
        let columns = gradient.columns;
        for (row, to) in gradient.values.chunks_exact_mut(columns).enumerate() {
            let (from, input) = (logits.row(row).iter().sum::<f32>(), input.row(row));
            for dimension in 0..self.dimensions {
                let places = || (0..self.fields).map(|field| field * self.dimensions + dimension);
                let sum: f32 = places().map(|place| input[place]).sum();
                places().for_each(|place| to[place] += from * (sum - input[place]));
            }
        }
    }

    fn visit(&mut self, _: &mut Visitor<'_>) {}
}
