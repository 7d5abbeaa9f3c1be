use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::Interactions;
use crate::softmax::SoftmaxConfig;
use crate::softmax::batch::Batch;
use crate::softmax::chunk::Chunk;
use crate::softmax::deal::{Deal, Hand, runs_of_pairs};
use crate::softmax::negative_sampler::{NegativeSample, NegativeSampler};
use crate::softmax::row_gradients::RowGradients;
use crate::softmax::trained_table::{Step, TrainedTable};

/// Pairs that one thread takes at a time: enough for a matrix product, few enough for many threads.
const CHUNK_PAIRS: usize = 256;

/// A fit in progress.
///
/// A batch is cut into chunks at borders that depend on the data alone, and the gradients of the chunks
/// are added in their order: the same bits on any number of threads.
pub(crate) struct Trainer<'a> {
    interactions: &'a Interactions,
    config: &'a SoftmaxConfig,
    rng: ChaCha8Rng,
    sampler: NegativeSampler,
    items: TrainedTable,
    /// Kept from one batch to the next, as are the next two.
    negatives: NegativeSample,
    negative_values: Vec<f32>,
    chunks: Vec<Chunk>,
    steps: usize,
}

impl<'a> Trainer<'a> {
    /// Random vectors for all items.
    pub(crate) fn new(interactions: &'a Interactions, config: &'a SoftmaxConfig, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let items = TrainedTable::new(interactions.items().len(), config.dimensions, &mut rng);
        Self {
            interactions,
            config,
            rng,
            sampler: NegativeSampler::new(interactions.by_item(), config),
            items,
            negatives: NegativeSample::default(),
            negative_values: Vec::new(),
            chunks: Vec::new(),
            steps: 0,
        }
    }

    /// Learns from every pair once and returns the mean loss over them; zero if there are no pairs, that
    /// is, no user has two items. `done` of the config's epochs were before.
    pub(crate) fn epoch(&mut self, done: usize) -> f64 {
        let deal = Deal::new(self.interactions.by_user(), &mut self.rng);
        let batches: Vec<&[Hand]> = runs_of_pairs(deal.hands(), self.config.batch_pairs).collect();
        let (mut loss, mut weight) = (0.0, 0.0);
        for (b, hands) in batches.iter().enumerate() {
            let progress = (done as f64 + b as f64 / batches.len() as f64) / self.config.epochs as f64;
            let of_batch = deal.weight(hands, self.interactions.by_user());
            loss += of_batch * self.batch(&deal, hands, of_batch, 1.0 - progress);
            weight += of_batch;
        }
        if weight > 0.0 { loss / weight } else { 0.0 }
    }

    /// Takes one step, `pace` times the learning rate, and returns the mean loss before it.
    fn batch(&mut self, deal: &Deal, hands: &[Hand], weight: f64, pace: f64) -> f64 {
        self.sampler.draw(&mut self.rng, &mut self.negatives);
        let (items, dimensions) = (self.items.values(), self.config.dimensions);
        self.negative_values.clear();
        for &item in &self.negatives.items {
            let start = item as usize * dimensions;
            self.negative_values.extend_from_slice(&items[start..start + dimensions]);
        }
        let batch = Batch {
            rows: self.interactions.by_user(),
            deal,
            config: self.config,
            items,
            negatives: &self.negatives,
            negative_values: &self.negative_values,
            weight,
        };
        let runs: Vec<&[Hand]> = runs_of_pairs(hands, CHUNK_PAIRS).collect();
        self.chunks.resize_with(runs.len(), Chunk::default);
        let chunks = self.chunks.par_iter_mut().zip_eq(&runs);
        chunks.for_each_init(Vec::new, |logits, (chunk, run)| chunk.learn(&batch, run, logits));

        self.steps += 1;
        let step = Step { learning_rate: (self.config.learning_rate * pace) as f32, count: self.steps };
        let gradients: Vec<RowGradients<'_>> = self.chunks.iter().map(Chunk::gradients).collect();
        self.items.step(&gradients, &step);
        self.chunks.iter().map(Chunk::loss).sum()
    }

    /// The vectors, one row per item.
    pub(crate) fn into_values(self) -> Vec<f32> {
        self.items.into_values()
    }
}
