use rand_chacha::ChaCha8Rng;

use super::mlp::MlpShape;
use super::{Batch, Linear, Mlp, Mode, Part, Visitor};
use crate::dense::Matrix;

/// Hidden layers and a linear output.
#[derive(Debug)]
pub(crate) struct Deep {
    pub(crate) mlp: Mlp,
    pub(crate) output: Linear,
}

impl Deep {
    pub(crate) fn new(shape: MlpShape<'_>, heads: usize, random: &mut ChaCha8Rng) -> Self {
        let mlp = Mlp::new(shape, random);
        let last = shape.hidden.last().copied().unwrap_or(shape.inputs);
        Self { mlp, output: Linear::new(last, heads, random) }
    }
}

impl Part for Deep {
    fn forward(&mut self, _: &Batch, input: &Matrix, mode: Mode, logits: &mut Matrix) {
        self.mlp.forward(input, mode);
        self.output.add_forward(self.mlp.output(input).all(), logits);
    }

    fn backward(&mut self, _: &Batch, input: &Matrix, logits: &Matrix, gradient: &mut Matrix) {
        let Self { mlp, output } = self;
        output.backward(mlp.output(input).all(), logits.all());
        let (rows, columns) = (logits.rows(), output.weights.shape.0);
        mlp.output_gradient().clear(rows, columns);
        output.add_input_gradient(logits.all(), (mlp.output_gradient(), 0));
        mlp.backward(input, gradient);
    }

    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        self.mlp.visit("deep", visitor);
        self.output.visit("deep.output", visitor);
    }
}
