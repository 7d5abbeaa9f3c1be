use std::sync::Arc;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use shortlist_types::InvalidInput;

use crate::adam::Adam;
use crate::dense::Matrix;
use crate::loss::Truth;
use crate::network::{Batch, Mode, Network};
use crate::{Loss, NetworkConfig, RankingError, TrainingRows};

/// Rows that are scored at once while a model is judged.
const SCORED_ROWS: usize = 8_192;

/// How a network learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FitConfig {
    /// What is minimised.
    pub loss: Loss,
    /// Step size of the optimiser at the beginning.
    pub learning_rate: f32,
    /// What the step size is multiplied with after an epoch that did not help.
    pub learning_rate_decay: f32,
    /// Epochs without a better result after which the fit ends.
    pub patience: usize,
    /// Most passes over the rows.
    pub epochs_max: usize,
    /// Rows of one step, about: requests are not divided where rows are compared.
    pub batch_rows: usize,
    /// Penalty on the vectors and weights of the ids that a step touches.
    pub embedding_l2: f32,
}

impl Default for FitConfig {
    fn default() -> Self {
        Self {
            loss: Loss::Pointwise,
            learning_rate: 1e-3,
            learning_rate_decay: 0.1,
            patience: 2,
            epochs_max: 100,
            batch_rows: 4_096,
            embedding_l2: 0.05,
        }
    }
}

impl FitConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field out of range.
    pub fn check(&self) -> Result<(), InvalidInput> {
        let number = |name: &'static str, value: f32, least: f32, most: f32| {
            let reason = || format!("must lie in {least} to {most}, got {value}");
            if (least..=most).contains(&value) { Ok(()) } else { Err(InvalidInput::new(name, reason())) }
        };
        number("learning_rate", self.learning_rate, 1e-6, 1.0)?;
        number("learning_rate_decay", self.learning_rate_decay, 0.0, 1.0)?;
        number("embedding_l2", self.embedding_l2, 0.0, 100.0)?;
        let count = |name: &'static str, value: usize, most: usize| {
            let reason = || format!("must lie in 1 to {most}, got {value}");
            if (1..=most).contains(&value) { Ok(()) } else { Err(InvalidInput::new(name, reason())) }
        };
        count("patience", self.patience, 1_000)?;
        count("epochs_max", self.epochs_max, 10_000)?;
        count("batch_rows", self.batch_rows, 1_000_000)
    }
}

/// What a fit says of itself after each epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// From 1.
    pub number: usize,
    /// Mean loss over the training rows as they were met.
    pub loss: f64,
    /// What the judge said; higher is better.
    pub quality: f64,
    /// Step size.
    pub learning_rate: f32,
}

/// A network that is being fitted, from which a model is made.
pub struct Fit {
    pub(crate) network: Network,
    pub(crate) loss: Loss,
    batch: Batch,
    logits: Matrix,
}

impl Fit {
    /// Fits a network on `rows`; after each epoch `judge` scores it, and the best epoch is kept.
    ///
    /// The same rows, configuration and seed give the same bits on any number of threads.
    ///
    /// **Cost**: per epoch three products with every weight matrix per row; see docs/ranking.md.
    ///
    /// # Errors
    /// A configuration out of range, no rows, or rows with one outcome only.
    pub fn run(
        rows: &TrainingRows,
        network: &NetworkConfig,
        config: &FitConfig,
        seed: u64,
        judge: &mut dyn FnMut(&mut Self, &Epoch) -> f64,
    ) -> Result<Self, RankingError> {
        config.check().map_err(RankingError::Config)?;
        check_outcomes(rows)?;
        let network = Network::new(Arc::clone(rows.schema()), network, seed).map_err(RankingError::Config)?;
        let mut fit = Self { network, loss: config.loss, batch: Batch::default(), logits: Matrix::default() };
        let mut adam = Adam::new(config.learning_rate, config.embedding_l2);
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x5EED);
        let mut best = (f64::MIN, fit.snapshot());
        let mut idle = 0;
        for number in 1..=config.epochs_max {
            let loss = fit.epoch(rows, config, &mut adam, &mut random, seed.wrapping_add(number as u64));
            let learning_rate = adam.learning_rate;
            let epoch = Epoch { number, loss, quality: 0.0, learning_rate };
            let quality = judge(&mut fit, &epoch);
            if quality > best.0 {
                best = (quality, fit.snapshot());
                idle = 0;
                continue;
            }
            idle += 1;
            if idle >= config.patience {
                break;
            }
            adam.learning_rate *= config.learning_rate_decay;
        }
        fit.restore(&best.1);
        Ok(fit)
    }

    fn epoch(
        &mut self,
        rows: &TrainingRows,
        config: &FitConfig,
        adam: &mut Adam,
        random: &mut ChaCha8Rng,
        seed: u64,
    ) -> f64 {
        let mut steps = Steps::draw(rows, config, random);
        let (mut loss, mut total) = (0.0, 0.0);
        let mut derivatives = Matrix::default();
        let heads = rows.heads();
        let (mut labels, mut weights) = (Vec::new(), Vec::new());
        while let Some((chosen, groups)) = steps.next() {
            self.batch.gather(rows, chosen);
            labels.clear();
            weights.clear();
            for row in chosen {
                labels.extend_from_slice(&rows.labels()[*row as usize * heads..][..heads]);
                weights.push(rows.weights()[*row as usize]);
            }
            let step_seed = (seed << 20).wrapping_add(total as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            self.network.forward(&self.batch, Mode::Train { seed: step_seed }, &mut self.logits);
            let truth = Truth { labels: &labels, weights: &weights, groups };
            let mean = self.loss.evaluate(&self.logits, truth, &mut derivatives);
            self.network.backward(&self.batch, &derivatives);
            adam.step(&mut self.network);
            loss += mean * chosen.len() as f64;
            total += chosen.len() as f64;
        }
        loss / total.max(1.0)
    }

    /// The scores of all rows as serving would give them, rows x heads.
    pub fn score(&mut self, rows: &TrainingRows) -> Vec<f32> {
        let all: Vec<u32> = (0..rows.len() as u32).collect();
        let mut scores = Vec::with_capacity(rows.len() * rows.heads());
        for chosen in all.chunks(SCORED_ROWS) {
            self.batch.gather(rows, chosen);
            self.network.forward(&self.batch, Mode::Evaluate, &mut self.logits);
            scores.extend_from_slice(&self.logits.values);
        }
        scores
    }

    fn snapshot(&mut self) -> Vec<Vec<f32>> {
        let mut values = Vec::new();
        self.network.visit(&mut |_, parameter| values.push(parameter.values.clone()));
        values
    }

    fn restore(&mut self, values: &[Vec<f32>]) {
        let mut values = values.iter();
        self.network.visit(&mut |_, parameter| {
            if let Some(values) = values.next() {
                parameter.values.clone_from(values);
            }
        });
    }
}

fn check_outcomes(rows: &TrainingRows) -> Result<(), RankingError> {
    for head in 0..rows.heads() {
        let positives = rows.labels().iter().skip(head).step_by(rows.heads()).filter(|label| **label).count();
        if positives == 0 || positives == rows.len() {
            return Err(RankingError::OneClass { positives, rows: rows.len() });
        }
    }
    Ok(())
}

/// The rows of an epoch in the order in which its steps take them.
struct Steps {
    order: Vec<u32>,
    /// Where requests end in the order.
    ends: Vec<u32>,
    batch_rows: usize,
    at: usize,
    group: usize,
    groups: Vec<u32>,
}

impl Steps {
    fn draw(rows: &TrainingRows, config: &FitConfig, random: &mut ChaCha8Rng) -> Self {
        let (mut order, mut ends): (Vec<u32>, Vec<u32>) = Default::default();
        if config.loss.compares() {
            let mut groups: Vec<_> = rows.groups().collect();
            groups.shuffle(random);
            for group in groups {
                order.extend(group.map(|row| row as u32));
                ends.push(order.len() as u32);
            }
        } else {
            order = (0..rows.len() as u32).collect();
            order.shuffle(random);
        }
        Self { order, ends, batch_rows: config.batch_rows, at: 0, group: 0, groups: Vec::new() }
    }

    /// The rows of the next step, and where its requests end among them.
    fn next(&mut self) -> Option<(&[u32], &[u32])> {
        let start = self.at;
        if start >= self.order.len() {
            return None;
        }
        self.groups.clear();
        if self.ends.is_empty() {
            self.at = (start + self.batch_rows).min(self.order.len());
        } else {
            while self.at < (start + self.batch_rows).min(self.order.len()) {
                self.at = self.ends[self.group] as usize;
                self.groups.push((self.at - start) as u32);
                self.group += 1;
            }
        }
        Some((&self.order[start..self.at], &self.groups))
    }
}
