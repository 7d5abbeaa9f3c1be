use super::dense_stack::{DenseStack, FloatLayer, StackScratch, folded};
use crate::dense::{Columns, Packed};
use crate::network::{Linear, TwoStream};
use crate::simd::Simd;
use crate::simd::elementwise::product;

/// Two gated networks and their bilinear form, over the whole input of each candidate.
#[derive(Debug)]
pub(crate) struct TwoStreams {
    simd: Simd,
    streams: [GatedStack; 2],
    /// Per outcome and chunk: weights and bias, and the chunk's columns in the second and first stream.
    fusions: Vec<Vec<Chunk>>,
}

#[derive(Debug)]
struct Chunk {
    layer: FloatLayer,
    from: usize,
    inputs: usize,
    to: usize,
    outputs: usize,
}

#[derive(Debug)]
struct GatedStack {
    gate: Option<Gate>,
    first: FloatLayer,
    rest: DenseStack,
    output: FloatLayer,
}

#[derive(Debug)]
struct Gate {
    first: usize,
    inputs: usize,
    hidden: FloatLayer,
    output: FloatLayer,
}

#[derive(Debug, Default)]
pub(crate) struct StreamsScratch {
    inner: Vec<f32>,
    weights: Vec<f32>,
    gated: Vec<f32>,
    hidden: Vec<f32>,
    stack: StackScratch,
    outputs: [Vec<f32>; 2],
    map: Vec<f32>,
    scores: Vec<f32>,
}

impl TwoStreams {
    pub(crate) fn of(part: &TwoStream, as_bytes: bool) -> Self {
        let streams = part.streams.each_ref().map(|stream| {
            let (weights, bias) = folded(&stream.mlp, 0);
            let (steps, columns) = stream.mlp.layers[0].linear.weights.shape;
            GatedStack {
                gate: stream.gate.as_ref().map(|gate| Gate {
                    first: gate.first,
                    inputs: gate.hidden.weights.shape.0,
                    hidden: FloatLayer::of(&gate.hidden),
                    output: FloatLayer::of(&gate.output),
                }),
                first: FloatLayer { weights: Packed::of(&weights, steps, columns), bias },
                rest: DenseStack::of(&stream.mlp, as_bytes),
                output: FloatLayer::of(&stream.output),
            }
        });
        let fusions = part.fusions.iter().map(|chunks| {
            let (mut from, mut to) = (0, 0);
            let chunk = |linear: &Linear| {
                let (inputs, outputs) = linear.weights.shape;
                let chunk = Chunk { layer: FloatLayer::of(linear), from, inputs, to, outputs };
                (from, to) = (from + inputs, to + outputs);
                chunk
            };
            chunks.iter().map(chunk).collect()
        });
        Self { simd: Simd::best(), fusions: fusions.collect(), streams }
    }

    /// Adds to `out`.
    ///
    /// **Shapes**: `input` rows x inputs; `out` rows x heads.
    pub(crate) fn add(&self, input: Columns<'_>, scratch: &mut StreamsScratch, out: &mut [f32]) {
        let heads = self.fusions.len();
        let rows = out.len() / heads;
        let mut place = 0..2;
        for stream in &self.streams {
            stream.run(self.simd, rows, input, place.next().unwrap_or(0), scratch, out);
        }
        let StreamsScratch { outputs: [one, two], map, .. } = scratch;
        let (one_width, two_width) = (one.len() / rows, two.len() / rows);
        for (head, chunks) in self.fusions.iter().enumerate() {
            for chunk in chunks {
                map.resize(rows * chunk.outputs, 0.0);
                let from = Columns { values: two, stride: two_width, first: chunk.from, count: chunk.inputs };
                chunk.layer.apply(self.simd, from, false, map);
                for (row, map) in map.chunks_exact(chunk.outputs).enumerate() {
                    let one = &one[row * one_width + chunk.to..][..chunk.outputs];
                    out[row * heads + head] += map.iter().zip(one).map(|(a, b)| a * b).sum::<f32>();
                }
            }
        }
    }
}

impl GatedStack {
    fn run(
        &self,
        simd: Simd,
        rows: usize,
        input: Columns<'_>,
        place: usize,
        scratch: &mut StreamsScratch,
        out: &mut [f32],
    ) {
        let StreamsScratch { inner, weights, gated, hidden, stack, outputs, scores, .. } = scratch;
        let mut values = input.values;
        if let Some(gate) = &self.gate {
            inner.resize(rows * gate.hidden.bias.len(), 0.0);
            gate.hidden.apply(simd, Columns { first: gate.first, count: gate.inputs, ..input }, true, inner);
            let width = gate.hidden.bias.len();
            weights.resize(input.values.len(), 0.0);
            let inner = Columns { values: inner, stride: width, first: 0, count: width };
            gate.output.apply(simd, inner, false, weights);
            weights.iter_mut().for_each(|weight| *weight = 2.0 / (1.0 + (-*weight).exp()));
            gated.resize(input.values.len(), 0.0);
            product(simd, gated, weights, input.values);
            values = gated;
        }
        hidden.resize(rows * self.first.bias.len(), 0.0);
        self.first.apply(simd, Columns { values, ..input }, true, hidden);
        let top = self.rest.apply(rows, hidden, stack);
        scores.resize(out.len(), 0.0);
        let width = top.len() / rows;
        self.output.apply(simd, Columns { values: top, stride: width, first: 0, count: width }, false, scores);
        out.iter_mut().zip(scores).for_each(|(to, score)| *to += *score);
        outputs[place].clear();
        outputs[place].extend_from_slice(top);
    }
}
