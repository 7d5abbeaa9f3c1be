use rand_chacha::ChaCha8Rng;

use super::{Linear, Mode, Normalisation, Visitor};
use crate::dense::Matrix;

/// Hidden layers one above the other: linear, normalised, ReLU, dropout.
#[derive(Debug)]
pub(crate) struct Mlp {
    pub(crate) layers: Vec<Hidden>,
    gradients: [Matrix; 2],
}

#[derive(Debug)]
pub(crate) struct Hidden {
    pub(crate) linear: Linear,
    pub(crate) normalisation: Normalisation,
    sums: Matrix,
    out: Matrix,
}

/// Sizes of an [`Mlp`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct MlpShape<'a> {
    pub(crate) inputs: usize,
    pub(crate) hidden: &'a [usize],
    pub(crate) batch_norm: bool,
    pub(crate) dropout: f32,
}

impl Mlp {
    pub(crate) fn new(shape: MlpShape<'_>, random: &mut ChaCha8Rng) -> Self {
        let inputs = [shape.inputs].into_iter().chain(shape.hidden.iter().copied());
        let layers = inputs.zip(shape.hidden).map(|(inputs, &outputs)| Hidden {
            linear: Linear::new(inputs, outputs, random),
            normalisation: Normalisation::new(outputs, shape.batch_norm, shape.dropout),
            sums: Matrix::default(),
            out: Matrix::default(),
        });
        Self { layers: layers.collect(), gradients: Default::default() }
    }

    /// Outputs of the last layer.
    pub(crate) fn forward(&mut self, input: &Matrix, mode: Mode) {
        for at in 0..self.layers.len() {
            let (below, here) = self.layers.split_at_mut(at);
            let input = below.last().map_or(input, |layer| &layer.out);
            let layer = &mut here[0];
            layer.sums.reshape(input.rows(), layer.linear.outputs());
            layer.linear.forward(input.all(), (&mut layer.sums, 0));
            let mode = match mode {
                Mode::Train { seed } => Mode::Train { seed: seed.wrapping_add(at as u64) },
                Mode::Evaluate => Mode::Evaluate,
            };
            layer.normalisation.forward(&layer.sums, mode, &mut layer.out);
        }
    }

    /// What the latest [`Self::forward`] put out.
    pub(crate) fn output<'a>(&'a self, input: &'a Matrix) -> &'a Matrix {
        self.layers.last().map_or(input, |layer| &layer.out)
    }

    /// Where the derivative by the output is written before [`Self::backward`].
    pub(crate) fn output_gradient(&mut self) -> &mut Matrix {
        &mut self.gradients[0]
    }

    /// Takes the derivative from [`Self::output_gradient`] and adds that by the input to `to`.
    pub(crate) fn backward(&mut self, input: &Matrix, to: &mut Matrix) {
        for at in (0..self.layers.len()).rev() {
            let (below, here) = self.layers.split_at_mut(at);
            let Hidden { linear, normalisation, sums, out } = &mut here[0];
            let [gradient, next] = &mut self.gradients;
            normalisation.backward(sums, out, gradient);
            match below.last() {
                None => {
                    linear.backward(input.all(), gradient.all());
                    linear.add_input_gradient(gradient.all(), (to, 0));
                }
                Some(below) => {
                    linear.backward(below.out.all(), gradient.all());
                    next.clear(below.out.rows(), below.out.columns);
                    linear.add_input_gradient(gradient.all(), (next, 0));
                    self.gradients.swap(0, 1);
                }
            }
        }
    }

    pub(crate) fn visit(&mut self, name: &str, visitor: &mut Visitor<'_>) {
        for (at, layer) in self.layers.iter_mut().enumerate() {
            layer.linear.visit(&format!("{name}.{at}"), visitor);
            layer.normalisation.visit(&format!("{name}.{at}.norm"), visitor);
        }
    }
}
