use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{Batch, Linear, Mode, Part, Visitor};
use crate::dense::{BLOCK_ROWS, Matrix};
use crate::simd::Simd;
use crate::simd::elementwise::{add, add_product, product, product_plus};

/// The cross network of DCN-V2 and a linear output: each layer multiplies the input, place by place,
/// with a linear map of the layer below and adds that layer, so that `n` layers make products of up to
/// `n + 1` inputs.
///
/// **Source**: Wang et al. 2021, "DCN V2", equation 1, the parallel structure with [`super::Deep`].
#[derive(Debug)]
pub(crate) struct Cross {
    pub(crate) layers: Vec<Linear>,
    pub(crate) output: Linear,
    simd: Simd,
    /// Per layer: its linear map, and what it puts out.
    maps: Vec<Matrix>,
    outs: Vec<Matrix>,
    gradients: [Matrix; 2],
}

impl Cross {
    pub(crate) fn new(inputs: usize, layers: usize, heads: usize, random: &mut ChaCha8Rng) -> Self {
        Self {
            layers: (0..layers).map(|_| Linear::new(inputs, inputs, random)).collect(),
            output: Linear::new(inputs, heads, random),
            simd: Simd::best(),
            maps: vec![Matrix::default(); layers],
            outs: vec![Matrix::default(); layers],
            gradients: Default::default(),
        }
    }

    fn below<'a>(&'a self, at: usize, input: &'a Matrix) -> &'a Matrix {
        at.checked_sub(1).map_or(input, |below| &self.outs[below])
    }
}

impl Part for Cross {
    fn forward(&mut self, _: &Batch, input: &Matrix, _: Mode, logits: &mut Matrix) {
        let (rows, columns, simd) = (input.rows(), input.columns, self.simd);
        for at in 0..self.layers.len() {
            let mut map = std::mem::take(&mut self.maps[at]);
            let mut out = std::mem::take(&mut self.outs[at]);
            map.reshape(rows, columns);
            out.reshape(rows, columns);
            let below = at.checked_sub(1).map_or(input, |below| &self.outs[below]);
            self.layers[at].forward(below.all(), (&mut map, 0));
            let size = BLOCK_ROWS * columns;
            let blocks = out.values.par_chunks_mut(size).zip(map.values.par_chunks(size));
            let blocks = blocks.zip(below.values.par_chunks(size).zip(input.values.par_chunks(size)));
            blocks.for_each(|((out, map), (below, input))| product_plus(simd, out, input, map, below));
            (self.maps[at], self.outs[at]) = (map, out);
        }
        let top = self.outs.last().unwrap_or(input);
        self.output.add_forward(top.all(), logits);
    }

    fn backward(&mut self, _: &Batch, input: &Matrix, logits: &Matrix, to: &mut Matrix) {
        let (rows, columns, simd) = (input.rows(), input.columns, self.simd);
        let size = BLOCK_ROWS * columns;
        let [mut gradient, mut map_gradient] = std::mem::take(&mut self.gradients);
        self.output.backward(self.outs.last().unwrap_or(input).all(), logits.all());
        gradient.clear(rows, columns);
        map_gradient.reshape(rows, columns);
        self.output.add_input_gradient(logits.all(), (&mut gradient, 0));
        for at in (0..self.layers.len()).rev() {
            let map = &self.maps[at];
            let blocks = map_gradient.values.par_chunks_mut(size).zip(to.values.par_chunks_mut(size));
            let blocks = blocks.zip(gradient.values.par_chunks(size));
            let blocks = blocks.zip(map.values.par_chunks(size).zip(input.values.par_chunks(size)));
            blocks.for_each(|(((map_gradient, to), gradient), (map, input))| {
                add_product(simd, to, gradient, map);
                product(simd, map_gradient, gradient, input);
            });
            let mut layer = std::mem::take(&mut self.layers[at]);
            layer.backward(self.below(at, input).all(), map_gradient.all());
            layer.add_input_gradient(map_gradient.all(), (&mut gradient, 0));
            self.layers[at] = layer;
        }
        let blocks = to.values.par_chunks_mut(size).zip(gradient.values.par_chunks(size));
        blocks.for_each(|(to, gradient)| add(simd, to, gradient));
        self.gradients = [gradient, map_gradient];
    }

    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        for (at, layer) in self.layers.iter_mut().enumerate() {
            layer.visit(&format!("cross.{at}"), visitor);
        }
        self.output.visit("cross.output", visitor);
    }
}
