use rand_chacha::ChaCha8Rng;

use super::{Batch, Embeddings, Mode, Parameter, Part, Visitor};
use crate::RowSchema;
use crate::dense::Matrix;

/// A weight per id, per number, and an intercept: logistic regression.
#[derive(Debug)]
pub(crate) struct FirstOrder {
    /// One column per head.
    pub(crate) weights: Embeddings,
    /// Numbers x heads.
    pub(crate) numbers: Parameter,
    pub(crate) intercept: Parameter,
    out: Matrix,
    gradient: Matrix,
}

impl FirstOrder {
    pub(crate) fn new(schema: &RowSchema, random: &mut ChaCha8Rng) -> Self {
        let heads = schema.heads.len();
        Self {
            weights: Embeddings::new("weights", schema, heads, 0.0, random),
            numbers: Parameter::constant((schema.numbers.len(), heads), 0.0),
            intercept: Parameter::constant((1, heads), 0.0),
            out: Matrix::default(),
            gradient: Matrix::default(),
        }
    }
}

impl Part for FirstOrder {
    fn forward(&mut self, batch: &Batch, _: &Matrix, _: Mode, logits: &mut Matrix) {
        let (rows, heads) = (batch.rows(), logits.columns);
        self.out.reshape(rows, self.weights.width());
        if self.out.columns > 0 {
            self.weights.forward(batch, &mut self.out);
        }
        for (row, logits) in logits.values.chunks_exact_mut(heads).enumerate() {
            for (head, logit) in logits.iter_mut().enumerate() {
                *logit += self.intercept.values[head];
                *logit += self.out.row(row).iter().skip(head).step_by(heads).sum::<f32>();
                let numbers = batch.numbers.row(row).iter().enumerate();
                *logit += numbers.map(|(at, number)| number * self.numbers.values[at * heads + head]).sum::<f32>();
            }
        }
    }

    fn backward(&mut self, batch: &Batch, _: &Matrix, logits: &Matrix, _: &mut Matrix) {
        let (rows, heads, width) = (batch.rows(), logits.columns, self.weights.width());
        self.gradient.reshape(rows, width);
        for row in 0..rows {
            let from = logits.row(row);
            self.intercept.gradient.iter_mut().zip(from).for_each(|(to, from)| *to += from);
            for (to, number) in self.numbers.gradient.chunks_exact_mut(heads).zip(batch.numbers.row(row)) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to += number * from);
            }
            for to in self.gradient.values[row * width..(row + 1) * width].chunks_exact_mut(heads) {
                to.copy_from_slice(from);
            }
        }
        self.weights.backward(batch, &self.gradient);
    }

    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.weights.visit(visitor);
        if !self.numbers.values.is_empty() {
            visitor("weights.numbers", &mut self.numbers);
        }
        visitor("intercept", &mut self.intercept);
    }
}
