use std::sync::Arc;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use shortlist_types::InvalidInput;

use super::mlp::MlpShape;
use super::two_stream::TwoStreamShape;
use super::{Batch, Cross, Deep, Embeddings, FirstOrder, Mode, Part, SecondOrder, TwoStream, Visitor};
use crate::dense::Matrix;
use crate::{ModelKind, NetworkConfig, RowSchema};

/// Deviation of the first embeddings. Small, so that what an id has not earned does not speak.
const EMBEDDING_DEVIATION: f32 = 1e-4;

/// A model of any kind, while it learns: embeddings, and parts whose log-odds are added.
pub(crate) struct Network {
    pub(crate) schema: Arc<RowSchema>,
    pub(crate) config: NetworkConfig,
    pub(crate) embeddings: Option<Embeddings>,
    pub(crate) parts: Parts,
    input: Matrix,
    gradient: Matrix,
}

/// The parts that a kind of model is made of; those that it lacks are not there.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) first_order: Option<FirstOrder>,
    pub(crate) second_order: Option<SecondOrder>,
    pub(crate) cross: Option<Cross>,
    pub(crate) deep: Option<Deep>,
    pub(crate) two_stream: Option<TwoStream>,
}

impl Parts {
    fn all(&mut self) -> impl Iterator<Item = &mut dyn Part> {
        fn part<P: Part>(part: &mut Option<P>) -> Option<&mut dyn Part> {
            part.as_mut().map(|part| part as &mut dyn Part)
        }
        let Self { first_order, second_order, cross, deep, two_stream } = self;
        [part(first_order), part(second_order), part(cross), part(deep), part(two_stream)].into_iter().flatten()
    }
}

impl Network {
    /// # Errors
    /// A configuration that does not fit itself or the schema.
    pub(crate) fn new(schema: Arc<RowSchema>, config: &NetworkConfig, seed: u64) -> Result<Self, InvalidInput> {
        schema.check()?;
        config.check()?;
        let random = &mut ChaCha8Rng::seed_from_u64(seed);
        let heads = schema.heads.len();
        let mut parts = Parts::default();
        let embed = |random: &mut ChaCha8Rng| {
            let dimensions = config.embedding_dimensions;
            Embeddings::new("embeddings", &schema, dimensions, EMBEDDING_DEVIATION, random)
        };
        let inputs = config.inputs(&schema);
        let shape = |hidden| MlpShape { inputs, hidden, batch_norm: config.batch_norm, dropout: config.dropout };
        let embeddings = match config.kind {
            ModelKind::LogisticRegression => {
                parts.first_order = Some(FirstOrder::new(&schema, random));
                None
            }
            ModelKind::FactorizationMachine => {
                let embeddings = embed(random);
                parts.first_order = Some(FirstOrder::new(&schema, random));
                let (fields, dimensions) = (schema.categories.len(), config.embedding_dimensions);
                parts.second_order = Some(SecondOrder { fields, dimensions });
                Some(embeddings)
            }
            ModelKind::Mlp => {
                let embeddings = embed(random);
                parts.deep = Some(Deep::new(shape(&config.hidden), heads, random));
                Some(embeddings)
            }
            ModelKind::DcnV2 => {
                let embeddings = embed(random);
                parts.cross = Some(Cross::new(inputs, config.cross_layers, heads, random));
                parts.deep = Some(Deep::new(shape(&config.hidden), heads, random));
                Some(embeddings)
            }
            ModelKind::TwoStream => {
                let embeddings = embed(random);
                let shape = TwoStreamShape {
                    streams: [shape(&config.hidden), shape(&config.second_hidden)],
                    chunks: config.fusion_chunks,
                    heads,
                    gate_units: config.gate_units,
                    dimensions: config.embedding_dimensions,
                    categories: schema.categories.len(),
                };
                parts.two_stream = Some(TwoStream::new(shape, random));
                Some(embeddings)
            }
        };
        let (input, gradient) = Default::default();
        Ok(Self { schema, config: config.clone(), embeddings, parts, input, gradient })
    }

    /// Writes the log-odds of every row.
    ///
    /// **Shapes**: `logits` becomes rows x heads.
    pub(crate) fn forward(&mut self, batch: &Batch, mode: Mode, logits: &mut Matrix) {
        let Self { input, embeddings, parts, .. } = self;
        logits.clear(batch.rows(), self.schema.heads.len());
        if let Some(embeddings) = embeddings {
            let (width, numbers) = (embeddings.width(), batch.numbers.columns);
            input.reshape(batch.rows(), width + numbers);
            if width > 0 {
                embeddings.forward(batch, input);
            }
            for (row, to) in input.values.chunks_exact_mut(width + numbers).enumerate().filter(|_| numbers > 0) {
                to[width..].copy_from_slice(batch.numbers.row(row));
            }
        }
        for part in parts.all() {
            part.forward(batch, input, mode, logits);
        }
    }

    /// Adds to the gradients of all parameters, given the loss's derivative by the log-odds.
    pub(crate) fn backward(&mut self, batch: &Batch, logits: &Matrix) {
        let Self { input, gradient, embeddings, parts, .. } = self;
        gradient.clear(batch.rows(), input.columns);
        for part in parts.all() {
            part.backward(batch, input, logits, gradient);
        }
        if let Some(embeddings) = embeddings {
            embeddings.backward(batch, gradient);
        }
    }

    pub(crate) fn visit(&mut self, visitor: &mut Visitor<'_>) {
        if let Some(embeddings) = &mut self.embeddings {
            embeddings.visit(visitor);
        }
        for part in self.parts.all() {
            part.visit(visitor);
        }
    }
}
