use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cross_net::{CrossNet, CrossScratch};
use super::dense_stack::{DenseStack, FloatLayer, StackScratch};
use super::first_layer::{FirstLayer, FirstScratch};
use super::linear_terms::LinearTerms;
use super::two_streams::{StreamsScratch, TwoStreams};
use super::{BLOCK, Candidates, ModelManifest, ModelTensor, model_file};
use crate::dense::Columns;
use crate::network::{Network, Parameter, mean_of};
use crate::simd::Simd;
use crate::{Fit, ModelKind, RankingError, RowSchema};

/// In what the hidden layers' weights are kept while they serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// As they were learned.
    #[default]
    F32,
    /// One byte per weight and input: several times faster, at the price of rounding. The cross network,
    /// gates and outputs stay as they are.
    Int8,
}

/// A model as it serves: scores all candidates of a request, never changes.
#[derive(Debug)]
pub struct RankingModel {
    manifest: ModelManifest,
    tensors: Vec<ModelTensor>,
    schema: Arc<RowSchema>,
    simd: Simd,
    /// What makes the input of the parts that read it whole.
    tables: Vec<Parameter>,
    dimensions: usize,
    linear: Option<LinearTerms>,
    has_pairs: bool,
    deep: Option<DeepNet>,
    cross: Option<CrossNet>,
    streams: Option<TwoStreams>,
}

#[derive(Debug)]
struct DeepNet {
    first: FirstLayer,
    rest: DenseStack,
    output: FloatLayer,
}

/// Buffers that requests take over from each other.
#[derive(Debug, Default)]
pub struct ScoringScratch {
    first: FirstScratch,
    hidden: Vec<f32>,
    stack: StackScratch,
    scores: Vec<f32>,
    input: Vec<f32>,
    cross: CrossScratch,
    streams: StreamsScratch,
}

impl RankingModel {
    /// The model of a fit.
    pub fn of(fit: &mut Fit, precision: Precision) -> Self {
        let manifest = model_file::manifest(fit);
        let tensors = model_file::tensors(&mut fit.network);
        Self::compile(&fit.network, manifest, tensors, precision)
    }

    /// The model of a file's parts.
    ///
    /// # Errors
    /// A shape that does not fit itself, or a tensor that is missing, of another shape, or not finite.
    pub fn from_parts(
        manifest: ModelManifest,
        tensors: Vec<ModelTensor>,
        precision: Precision,
    ) -> Result<Self, RankingError> {
        let network = model_file::network(&manifest, &tensors)?;
        Ok(Self::compile(&network, manifest, tensors, precision))
    }

    fn compile(network: &Network, manifest: ModelManifest, tensors: Vec<ModelTensor>, precision: Precision) -> Self {
        let as_bytes = precision == Precision::Int8;
        let (parts, embeddings) = (&network.parts, network.embeddings.as_ref());
        let deep = parts.deep.as_ref().zip(embeddings).map(|(deep, embeddings)| {
            let (weights, bias) = super::dense_stack::folded(&deep.mlp, 0);
            DeepNet {
                first: FirstLayer::of(embeddings, &weights, bias, as_bytes),
                rest: DenseStack::of(&deep.mlp, as_bytes),
                output: FloatLayer::of(&deep.output),
            }
        });
        Self {
            schema: Arc::clone(&network.schema),
            simd: Simd::best(),
            tables: embeddings.map(|embeddings| embeddings.tables.clone()).unwrap_or_default(),
            dimensions: embeddings.map_or(0, |embeddings| embeddings.dimensions),
            linear: parts.first_order.as_ref().map(LinearTerms::of),
            has_pairs: parts.second_order.is_some(),
            deep,
            cross: parts.cross.as_ref().map(CrossNet::of),
            streams: parts.two_stream.as_ref().map(|part| TwoStreams::of(part, as_bytes)),
            manifest,
            tensors,
        }
    }

    /// What the model reads.
    pub fn schema(&self) -> &Arc<RowSchema> {
        &self.schema
    }

    /// Its kind.
    pub fn kind(&self) -> ModelKind {
        self.manifest.network.kind
    }

    /// Everything of it but the numbers.
    pub fn manifest(&self) -> &ModelManifest {
        &self.manifest
    }

    /// Its numbers by name.
    pub fn tensors(&self) -> &[ModelTensor] {
        &self.tensors
    }

    /// Writes the score of every candidate for every outcome to `out`, which is emptied before.
    ///
    /// A candidate's bits do not depend on the others, on their number or on its place.
    ///
    /// **Shapes**: `out` candidates x heads.
    /// **Cost**: docs/ranking.md; nothing is allocated once `scratch` has grown.
    ///
    /// # Errors
    /// Candidates that are not as the schema says, by the name of the feature, or a score that is not
    /// finite; `out` is empty then.
    pub fn score(
        &self,
        candidates: &Candidates<'_>,
        scratch: &mut ScoringScratch,
        out: &mut Vec<f32>,
    ) -> Result<(), RankingError> {
        out.clear();
        candidates.check(&self.schema)?;
        let heads = self.schema.heads.len();
        out.resize(candidates.count * heads, 0.0);
        if let Some(linear) = &self.linear {
            linear.add(&self.schema, candidates, out);
        }
        if let Some(deep) = &self.deep {
            deep.first.prepare(candidates, &mut scratch.first);
        }
        for (block, out) in out.chunks_mut(BLOCK * heads).enumerate() {
            self.score_block(candidates, block * BLOCK, scratch, out);
        }
        if let Some(place) = out.iter().position(|score| !score.is_finite()) {
            let error = RankingError::ScoreNotFinite { candidate: place / heads, score: out[place] };
            out.clear();
            return Err(error);
        }
        Ok(())
    }

    fn score_block(&self, candidates: &Candidates<'_>, first: usize, scratch: &mut ScoringScratch, out: &mut [f32]) {
        let rows = out.len() / self.schema.heads.len();
        if let Some(deep) = &self.deep {
            let ScoringScratch { first: shared, hidden, stack, scores, .. } = scratch;
            hidden.resize(rows * deep.first.outputs(), 0.0);
            deep.first.apply(&self.schema, candidates, first, shared, hidden);
            let top = deep.rest.apply(rows, hidden, stack);
            scores.resize(out.len(), 0.0);
            let width = top.len() / rows;
            let top = Columns { values: top, stride: width, first: 0, count: width };
            deep.output.apply(self.simd, top, false, scores);
            out.iter_mut().zip(scores).for_each(|(to, score)| *to += *score);
        }
        if self.cross.is_none() && self.streams.is_none() && !self.has_pairs {
            return;
        }
        let input = self.gather(candidates, first, rows, &mut scratch.input);
        if self.has_pairs {
            self.add_pairs(input, out);
        }
        if let Some(cross) = &self.cross {
            cross.add(input, &mut scratch.cross, out);
        }
        if let Some(streams) = &self.streams {
            streams.add(input, &mut scratch.streams, out);
        }
    }

    /// The whole input of some candidates: embeddings, then numbers.
    fn gather<'a>(
        &self,
        candidates: &Candidates<'_>,
        first: usize,
        rows: usize,
        input: &'a mut Vec<f32>,
    ) -> Columns<'a> {
        let (width, own) = (self.tables.len() * self.dimensions, candidates.own_numbers(&self.schema));
        let stride = width + self.schema.numbers.len();
        input.resize(rows * stride, 0.0);
        for (place, to) in input.chunks_exact_mut(stride).enumerate() {
            let candidate = first + place;
            let (vectors, numbers) = to.split_at_mut(width);
            let vectors = vectors.chunks_exact_mut(self.dimensions.max(1));
            for ((table, ids), to) in self.tables.iter().zip(candidates.ids).zip(vectors) {
                mean_of(table, ids.of(candidate), to);
            }
            let (shared, numbers) = numbers.split_at_mut(candidates.shared_numbers.len());
            shared.copy_from_slice(candidates.shared_numbers);
            numbers.copy_from_slice(&candidates.numbers[candidate * own..][..own]);
        }
        Columns { values: input, stride, first: 0, count: stride }
    }

    /// Adds the inner products of all pairs of embeddings, as [`crate::network::SecondOrder`].
    fn add_pairs(&self, input: Columns<'_>, out: &mut [f32]) {
        let heads = self.schema.heads.len();
        for (row, out) in input.values.chunks_exact(input.stride).zip(out.chunks_exact_mut(heads)) {
            let mut both = 0.0;
            for dimension in 0..self.dimensions {
                let (mut sum, mut squares) = (0.0, 0.0);
                for category in 0..self.tables.len() {
                    let value = row[category * self.dimensions + dimension];
                    sum += value;
                    squares += value * value;
                }
                both += sum * sum - squares;
            }
            out.iter_mut().for_each(|out| *out += 0.5 * both);
        }
    }
}
