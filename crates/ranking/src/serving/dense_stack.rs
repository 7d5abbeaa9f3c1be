use super::bytes::ByteLayer;
use crate::dense::{Around, Columns, Output, Packed, product_rows};
use crate::network::{Linear, Mlp};
use crate::simd::Simd;

/// Hidden layers above the first, and a linear output: every layer is a product, a sum and a ReLU.
#[derive(Debug)]
pub(crate) struct DenseStack {
    simd: Simd,
    layers: Vec<Layer>,
}

#[derive(Debug)]
enum Layer {
    Floats(FloatLayer),
    Bytes(ByteLayer),
}

/// A layer with its normalisation folded in.
#[derive(Debug)]
pub(crate) struct FloatLayer {
    pub(crate) weights: Packed,
    pub(crate) bias: Vec<f32>,
}

/// Weights and bias of a hidden layer that do what layer and normalisation do in evaluation.
pub(crate) fn folded(mlp: &Mlp, at: usize) -> (Vec<f32>, Vec<f32>) {
    let layer = &mlp.layers[at];
    let (factors, summands) = layer.normalisation.folded();
    let columns = factors.len();
    let weights = &layer.linear.weights.values;
    let weights = weights.chunks_exact(columns).flat_map(|row| row.iter().zip(&factors).map(|(w, f)| w * f));
    let bias = layer.linear.bias.values.iter().zip(&factors).zip(&summands);
    (weights.collect(), bias.map(|((bias, factor), summand)| bias * factor + summand).collect())
}

impl FloatLayer {
    pub(crate) fn of(linear: &Linear) -> Self {
        let (steps, columns) = linear.weights.shape;
        Self { weights: Packed::of(&linear.weights.values, steps, columns), bias: linear.bias.values.clone() }
    }

    /// `out = input * weights + bias`, written from column 0 on.
    pub(crate) fn apply(&self, simd: Simd, input: Columns<'_>, relu: bool, out: &mut [f32]) {
        let around = Around { start: Some(&self.bias), first_step: 0, relu };
        let stride = self.bias.len();
        product_rows(simd, input, &self.weights, around, Output { values: out, stride, first: 0 });
    }
}

/// What lies between layers.
#[derive(Debug, Default)]
pub(crate) struct StackScratch {
    values: [Vec<f32>; 2],
    codes: Vec<u8>,
    scales: Vec<f32>,
}

impl DenseStack {
    /// The layers of `mlp` above the first, as bytes if so wished.
    pub(crate) fn of(mlp: &Mlp, as_bytes: bool) -> Self {
        let layers = (1..mlp.layers.len()).map(|at| {
            let ((weights, bias), (steps, columns)) = (folded(mlp, at), mlp.layers[at].linear.weights.shape);
            if as_bytes {
                Layer::Bytes(ByteLayer::of(&weights, steps, bias, false))
            } else {
                Layer::Floats(FloatLayer { weights: Packed::of(&weights, steps, columns), bias })
            }
        });
        Self { simd: Simd::best(), layers: layers.collect() }
    }

    /// The outputs of the last layer, given those of the first: `rows` x its width.
    pub(crate) fn apply<'a>(&self, rows: usize, input: &'a [f32], scratch: &'a mut StackScratch) -> &'a [f32] {
        let StackScratch { values, codes, scales } = scratch;
        for (at, layer) in self.layers.iter().enumerate() {
            let [here, next] = values;
            let input = if at == 0 { input } else { here.as_slice() };
            let width = input.len() / rows;
            match layer {
                Layer::Floats(layer) => {
                    next.resize(rows * layer.bias.len(), 0.0);
                    let input = Columns { values: input, stride: width, first: 0, count: width };
                    layer.apply(self.simd, input, true, next);
                }
                Layer::Bytes(layer) => {
                    next.resize(rows * layer.columns(), 0.0);
                    layer.apply(self.simd, (input, layer.bias()), (codes, scales), next);
                }
            }
            values.swap(0, 1);
        }
        if self.layers.is_empty() { input } else { &values[0] }
    }
}
