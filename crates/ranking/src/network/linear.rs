use rand_chacha::ChaCha8Rng;

use super::{Parameter, Visitor};
use crate::dense::{Columns, Matrix, Packed, multiply, multiply_transposed};
use crate::simd::Simd;
use crate::simd::elementwise::add;

/// `outputs = inputs * weights + bias`.
#[derive(Debug, Default)]
pub(crate) struct Linear {
    /// **Shapes**: inputs x outputs.
    pub(crate) weights: Parameter,
    pub(crate) bias: Parameter,
    simd: Simd,
    packed: Packed,
    lanes: Vec<Vec<f32>>,
}

impl Linear {
    pub(crate) fn new(inputs: usize, outputs: usize, random: &mut ChaCha8Rng) -> Self {
        Self {
            weights: Parameter::weights(inputs, outputs, random),
            bias: Parameter::constant((1, outputs), 0.0),
            simd: Simd::best(),
            packed: Packed::default(),
            lanes: Vec::new(),
        }
    }

    pub(crate) fn outputs(&self) -> usize {
        self.weights.shape.1
    }

    /// Writes the outputs of `input`'s columns into those of `out` from column `first` on.
    pub(crate) fn forward(&mut self, input: Columns<'_>, (out, first): (&mut Matrix, usize)) {
        self.pack();
        multiply(self.simd, input, &self.packed, Some(&self.bias.values), (out, first));
    }

    /// As [`Self::forward`], but adds, the bias included.
    pub(crate) fn add_forward(&mut self, input: Columns<'_>, out: &mut Matrix) {
        self.pack();
        multiply(self.simd, input, &self.packed, None, (out, 0));
        for row in out.values.chunks_exact_mut(self.bias.values.len()) {
            row.iter_mut().zip(&self.bias.values).for_each(|(to, bias)| *to += bias);
        }
    }

    fn pack(&mut self) {
        let (inputs, outputs) = self.weights.shape;
        self.packed.pack(&self.weights.values, (inputs, outputs), (outputs, 1));
    }

    /// Adds to the gradients; `gradient` is the loss's derivative by the outputs.
    pub(crate) fn backward(&mut self, input: Columns<'_>, gradient: Columns<'_>) {
        multiply_transposed(self.simd, input, gradient, &mut self.weights.gradient, &mut self.lanes);
        for row in gradient.values.chunks_exact(gradient.stride) {
            add(self.simd, &mut self.bias.gradient, &row[gradient.first..][..gradient.count]);
        }
    }

    /// Adds the loss's derivative by the inputs to `to`, from column `first` on.
    pub(crate) fn add_input_gradient(&mut self, gradient: Columns<'_>, to: (&mut Matrix, usize)) {
        let (inputs, outputs) = self.weights.shape;
        self.packed.pack(&self.weights.values, (outputs, inputs), (1, outputs));
        multiply(self.simd, gradient, &self.packed, None, to);
    }

    pub(crate) fn visit(&mut self, name: &str, visitor: &mut Visitor<'_>) {
        visitor(&format!("{name}.weights"), &mut self.weights);
        visitor(&format!("{name}.bias"), &mut self.bias);
    }
}
