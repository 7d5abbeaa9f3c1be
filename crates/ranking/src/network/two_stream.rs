use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::mlp::MlpShape;
use super::{Batch, Linear, Mlp, Mode, Part, Visitor};
use crate::dense::{BLOCK_ROWS, Matrix};
use crate::simd::Simd;
use crate::simd::elementwise::{add_product, product};

/// Two networks over the same input, each through a gate of its own, joined by a bilinear form of their
/// outputs in several heads.
///
/// A gate is a small network over the embedding of one category (the first's is the first category, the
/// second's the second), whose output, twice a sigmoid, weighs every input.
///
/// **Source**: Mao et al. 2023, "FinalMLP"; the gates read the shared embeddings instead of their own.
#[derive(Debug)]
pub(crate) struct TwoStream {
    pub(crate) streams: [Stream; 2],
    /// Per outcome: from each chunk of the second stream's output to the same chunk of the first's.
    pub(crate) fusions: Vec<Vec<Linear>>,
    simd: Simd,
    maps: Vec<Matrix>,
}

/// One of the two networks.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) gate: Option<Gate>,
    pub(crate) mlp: Mlp,
    pub(crate) output: Linear,
    /// The gated input, and the derivative by it.
    input: Matrix,
    gradient: Matrix,
}

/// What weighs the inputs of a stream.
#[derive(Debug)]
pub(crate) struct Gate {
    /// The columns that it reads.
    pub(crate) first: usize,
    pub(crate) hidden: Linear,
    pub(crate) output: Linear,
    inner: Matrix,
    weights: Matrix,
    gradients: [Matrix; 2],
}

/// Sizes of a [`TwoStream`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct TwoStreamShape<'a> {
    pub(crate) streams: [MlpShape<'a>; 2],
    /// Chunks of the bilinear form.
    pub(crate) chunks: usize,
    pub(crate) heads: usize,
    /// Units between a gate's category and its weights; 0 for no gates.
    pub(crate) gate_units: usize,
    /// Columns of one category's embedding, and how many categories there are.
    pub(crate) dimensions: usize,
    pub(crate) categories: usize,
}

impl TwoStream {
    pub(crate) fn new(shape: TwoStreamShape<'_>, random: &mut ChaCha8Rng) -> Self {
        let last = shape.streams.map(|stream| stream.hidden.last().copied().unwrap_or(stream.inputs));
        let mut place = 0..2;
        let streams = shape.streams.map(|stream| {
            let first = place.next().unwrap_or(0) * shape.dimensions;
            let has_gate = shape.gate_units > 0 && first + shape.dimensions <= shape.categories * shape.dimensions;
            let gate = has_gate.then(|| Gate {
                first,
                hidden: Linear::new(shape.dimensions, shape.gate_units, random),
                output: Linear::new(shape.gate_units, stream.inputs, random),
                inner: Matrix::default(),
                weights: Matrix::default(),
                gradients: Default::default(),
            });
            let mlp = Mlp::new(stream, random);
            let outputs = stream.hidden.last().copied().unwrap_or(stream.inputs);
            Stream {
                gate,
                mlp,
                output: Linear::new(outputs, shape.heads, random),
                input: Matrix::default(),
                gradient: Matrix::default(),
            }
        });
        let chunks = last.map(|width| width / shape.chunks);
        let fusion = |_| (0..shape.chunks).map(|_| Linear::new(chunks[1], chunks[0], random)).collect();
        let fusions: Vec<_> = (0..shape.heads).map(fusion).collect();
        Self { streams, fusions, simd: Simd::best(), maps: vec![Matrix::default(); shape.heads] }
    }
}

impl Gate {
    fn forward(&mut self, input: &Matrix, simd: Simd, out: &mut Matrix) {
        let (rows, columns) = (input.rows(), input.columns);
        self.inner.reshape(rows, self.hidden.outputs());
        self.hidden.forward(input.part(self.first, self.hidden.weights.shape.0), (&mut self.inner, 0));
        self.inner.values.iter_mut().for_each(|value| *value = value.max(0.0));
        self.weights.reshape(rows, columns);
        self.output.forward(self.inner.all(), (&mut self.weights, 0));
        let size = BLOCK_ROWS * columns;
        let blocks = out.values.par_chunks_mut(size).zip(self.weights.values.par_chunks_mut(size));
        blocks.zip(input.values.par_chunks(size)).for_each(|((out, weights), input)| {
            weights.iter_mut().for_each(|weight| *weight = 2.0 / (1.0 + (-*weight).exp()));
            product(simd, out, weights, input);
        });
    }

    /// `gradient` is by the gate's output; adds that by its input to `to`.
    fn backward(&mut self, input: &Matrix, gradient: &Matrix, simd: Simd, to: &mut Matrix) {
        let (rows, columns) = (input.rows(), input.columns);
        let [by_weights, by_inner] = &mut self.gradients;
        by_weights.reshape(rows, columns);
        let size = BLOCK_ROWS * columns;
        let blocks = by_weights.values.par_chunks_mut(size).zip(to.values.par_chunks_mut(size));
        let blocks = blocks.zip(gradient.values.par_chunks(size).zip(input.values.par_chunks(size)));
        blocks.zip(self.weights.values.par_chunks(size)).for_each(
            |(((by_weights, to), (gradient, input)), weights)| {
                add_product(simd, to, gradient, weights);
                for (at, to) in by_weights.iter_mut().enumerate() {
                    // Of twice a sigmoid.
                    *to = gradient[at] * input[at] * (weights[at] - 0.5 * weights[at] * weights[at]);
                }
            },
        );
        self.output.backward(self.inner.all(), by_weights.all());
        by_inner.clear(rows, self.hidden.outputs());
        self.output.add_input_gradient(by_weights.all(), (by_inner, 0));
        for (gradient, value) in by_inner.values.iter_mut().zip(&self.inner.values) {
            *gradient = if *value > 0.0 { *gradient } else { 0.0 };
        }
        self.hidden.backward(input.part(self.first, self.hidden.weights.shape.0), by_inner.all());
        self.hidden.add_input_gradient(by_inner.all(), (to, self.first));
    }
}

impl Stream {
    fn forward(&mut self, input: &Matrix, mode: Mode, simd: Simd, logits: &mut Matrix) {
        let gated = match &mut self.gate {
            None => input,
            Some(gate) => {
                self.input.reshape(input.rows(), input.columns);
                gate.forward(input, simd, &mut self.input);
                &self.input
            }
        };
        self.mlp.forward(gated, mode);
        self.output.add_forward(self.mlp.output(gated).all(), logits);
    }

    /// The derivative by the network's output is already in its place.
    fn backward(&mut self, input: &Matrix, simd: Simd, to: &mut Matrix) {
        match &mut self.gate {
            None => self.mlp.backward(input, to),
            Some(gate) => {
                self.gradient.clear(input.rows(), input.columns);
                self.mlp.backward(&self.input, &mut self.gradient);
                gate.backward(input, &self.gradient, simd, to);
            }
        }
    }
}

impl Part for TwoStream {
    fn forward(&mut self, _: &Batch, input: &Matrix, mode: Mode, logits: &mut Matrix) {
        let simd = self.simd;
        for (at, stream) in self.streams.iter_mut().enumerate() {
            let mode = match mode {
                Mode::Train { seed } => Mode::Train { seed: seed.wrapping_add(64 * at as u64) },
                Mode::Evaluate => Mode::Evaluate,
            };
            stream.forward(input, mode, simd, logits);
        }
        let [one, two] = self.streams.each_ref().map(|stream| stream.mlp.output(input));
        let heads = logits.columns;
        for (head, (fusion, map)) in self.fusions.iter_mut().zip(&mut self.maps).enumerate() {
            map.clear(one.rows(), one.columns);
            let mut from = (0, 0);
            for chunk in fusion {
                let (inputs, outputs) = chunk.weights.shape;
                chunk.forward(two.part(from.1, inputs), (map, from.0));
                from = (from.0 + outputs, from.1 + inputs);
            }
            for (row, logits) in logits.values.chunks_exact_mut(heads).enumerate() {
                logits[head] += map.row(row).iter().zip(one.row(row)).map(|(a, b)| a * b).sum::<f32>();
            }
        }
    }

    fn backward(&mut self, _: &Batch, input: &Matrix, logits: &Matrix, gradient: &mut Matrix) {
        let (rows, heads, simd) = (logits.rows(), logits.columns, self.simd);
        let mut by_outputs: [Matrix; 2] = Default::default();
        for (stream, by_output) in self.streams.iter_mut().zip(&mut by_outputs) {
            let output = stream.mlp.output(input);
            by_output.clear(rows, output.columns);
            stream.output.backward(output.all(), logits.all());
            stream.output.add_input_gradient(logits.all(), (by_output, 0));
        }
        let [one, two] = self.streams.each_ref().map(|stream| stream.mlp.output(input));
        let [by_one, by_two] = &mut by_outputs;
        for (head, (fusion, map)) in self.fusions.iter_mut().zip(&mut self.maps).enumerate() {
            let width = one.columns;
            for row in 0..rows {
                let factor = logits.values[row * heads + head];
                let map = &mut map.values[row * width..][..width];
                let by_one = &mut by_one.values[row * width..][..width];
                for ((map, by_one), one) in map.iter_mut().zip(by_one).zip(one.row(row)) {
                    *by_one += factor * *map;
                    *map = factor * one;
                }
            }
            let mut from = (0, 0);
            for chunk in fusion {
                let (inputs, outputs) = chunk.weights.shape;
                chunk.backward(two.part(from.1, inputs), map.part(from.0, outputs));
                chunk.add_input_gradient(map.part(from.0, outputs), (by_two, from.1));
                from = (from.0 + outputs, from.1 + inputs);
            }
        }
        for (stream, by_output) in self.streams.iter_mut().zip(by_outputs) {
            *stream.mlp.output_gradient() = by_output;
            stream.backward(input, simd, gradient);
        }
    }

    fn visit(&mut self, visitor: &mut Visitor<'_>) {
        for (stream, name) in self.streams.iter_mut().zip(["stream_1", "stream_2"]) {
            if let Some(gate) = &mut stream.gate {
                gate.hidden.visit(&format!("{name}.gate"), visitor);
                gate.output.visit(&format!("{name}.gate.output"), visitor);
            }
            stream.mlp.visit(name, visitor);
            stream.output.visit(&format!("{name}.output"), visitor);
        }
        for (head, fusion) in self.fusions.iter_mut().enumerate() {
            for (at, chunk) in fusion.iter_mut().enumerate() {
                chunk.visit(&format!("fusion.{head}.{at}"), visitor);
            }
        }
    }
}
