//! Networks that learn from rows of numbers and categories: layers with explicit gradients, the parts
//! that models are put together from, and what is learned.

mod batch;
mod cross;
mod deep;
mod embeddings;
mod first_order;
mod linear;
mod mlp;
mod model;
mod normalisation;
mod parameter;
mod second_order;
#[cfg(test)]
mod tests;
mod two_stream;

pub(crate) use batch::Batch;
pub(crate) use cross::Cross;
pub(crate) use deep::Deep;
pub(crate) use embeddings::{Embeddings, mean_of};
pub(crate) use first_order::FirstOrder;
pub(crate) use linear::Linear;
pub(crate) use mlp::Mlp;
pub(crate) use model::Network;
pub(crate) use normalisation::Normalisation;
pub(crate) use parameter::Parameter;
pub(crate) use second_order::SecondOrder;
pub(crate) use two_stream::TwoStream;

use crate::dense::Matrix;

/// Whether a pass learns: batch statistics and dropout by seed, or what serving does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Train { seed: u64 },
    Evaluate,
}

/// Hears every parameter with its name, always in the same order.
pub(crate) type Visitor<'a> = dyn FnMut(&str, &mut Parameter) + 'a;

/// A part of a model: what it adds to the log-odds of every row. The log-odds of a model are the sum
/// over its parts, so that a linear layer over two networks side by side is two parts.
pub(crate) trait Part: Send + Sync {
    /// Adds to `logits`; remembers what [`Self::backward`] needs.
    ///
    /// **Shapes**: `input` is rows x inputs: all embeddings, then the numbers; `logits` rows x heads.
    fn forward(&mut self, batch: &Batch, input: &Matrix, mode: Mode, logits: &mut Matrix);

    /// Given the loss's derivative by the logits, adds to the gradients of the parameters and to the
    /// derivative by `input`.
    fn backward(&mut self, batch: &Batch, input: &Matrix, logits: &Matrix, gradient: &mut Matrix);

    /// Shows every parameter.
    fn visit(&mut self, visitor: &mut Visitor<'_>);
}
