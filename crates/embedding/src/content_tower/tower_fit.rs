use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::content_tower::content_tower_parts::ContentTowerParts;
use crate::content_tower::design_matrix::DesignMatrix;
use crate::content_tower::ridge_system::RidgeSystem;
use crate::content_tower::{AttributeEncoder, ContentExample, EncoderScratch, NumberKnots};
use crate::{ContentTower, ContentTowerConfig, EmbeddingError};

/// Ridges to choose from, strongest first: each solve starts from the one before.
const RIDGES: [f64; 9] = [1_000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1];
/// Ridge where too few examples are there to choose on.
const RIDGE_DEFAULT: f64 = 3.0;
/// Fewest examples to choose the ridge on.
const CHOICE_EXAMPLES_MIN: usize = 50;
/// Most examples to choose the ridge on, evenly spread: the best one hardly moves with more.
const CHOICE_EXAMPLES_MAX: usize = 50_000;
/// One example in so many is held out for the choice.
const HELD_OUT: usize = 10;

/// Examples made ready for solves with several ridges.
pub(crate) struct TowerFit<'a> {
    examples: &'a [ContentExample<'a>],
    config: ContentTowerConfig,
    encoder: AttributeEncoder,
    matrix: DesignMatrix,
    weights: Vec<f32>,
    mean: Vec<f32>,
    scale: f32,
}

impl<'a> TowerFit<'a> {
    /// Prepares examples that are checked, not empty and in descending order of weight.
    pub(crate) fn prepare(examples: &'a [ContentExample<'a>], config: &ContentTowerConfig, seed: u64) -> Self {
        let attributes: Vec<_> = examples.iter().map(|example| example.attributes).collect();
        let encoder = AttributeEncoder::new(seed, NumberKnots::fit(&attributes));
        let matrix = DesignMatrix::build(examples, &encoder, config.features_max);
        let examples = &examples[..matrix.rows.rows()];
        let trusts: Vec<f64> = examples.iter().map(|example| trust(example, config)).collect();
        let factor = examples.len() as f64 / trusts.iter().sum::<f64>();
        let weights: Vec<f32> = trusts.iter().map(|trust| (trust * factor) as f32).collect();
        let mean = weighted_mean(examples, &weights);
        let greatest = examples.iter().flat_map(|example| example.vector).fold(0.0, |max: f32, x| max.max(x.abs()));
        let scale = if greatest > 0.0 { greatest } else { 1.0 };
        Self { examples, config: *config, encoder, matrix, weights, mean, scale }
    }

    /// The towers of these ridges, one after the other.
    pub(crate) fn solve_each(&self, ridges: &[f64], mut each: impl FnMut(f64, ContentTowerParts)) {
        let system = RidgeSystem {
            rows: &self.matrix.rows,
            columns: &self.matrix.columns,
            weights: &self.weights,
            dimensions: self.mean.len(),
        };
        let target = system.target(|row, to| {
            for ((to, x), mean) in to.iter_mut().zip(self.examples[row].vector).zip(&self.mean) {
                *to = (x - mean) / self.scale;
            }
        });
        let mut solution = vec![0.0; target.len()];
        for &ridge in ridges {
            system.solve(ridge as f32, &target, &mut solution);
            each(ridge, self.parts(ridge, &solution));
        }
    }

    fn parts(&self, ridge: f64, solution: &[f32]) -> ContentTowerParts {
        let mut weights: Vec<f32> = solution.iter().map(|x| x * self.scale).collect();
        let common = weights.split_off(self.matrix.vocabulary.len() * self.mean.len());
        ContentTowerParts {
            config: ContentTowerConfig { ridge: Some(ridge), ..self.config },
            seed: self.encoder.seed(),
            numbers: self.encoder.numbers().clone(),
            buckets: self.matrix.vocabulary.buckets.clone(),
            weights,
            bias: self.mean.iter().zip(&common).map(|(mean, common)| mean + common).collect(),
        }
    }
}

/// The ridge whose tower, fitted without a tenth of the examples, comes closest to them; `progress` hears
/// the number of ridges tried.
///
/// The distance is the loss of the fit itself. The cosine was tried and chooses too strong a ridge: it
/// does not see the length of a vector, in which popularity lies.
///
/// # Errors
/// A tower that is not valid.
pub(crate) fn choose_ridge(
    examples: &[ContentExample],
    config: &ContentTowerConfig,
    seed: u64,
    progress: &mut dyn FnMut(usize),
) -> Result<f64, EmbeddingError> {
    let stride = examples.len().div_ceil(CHOICE_EXAMPLES_MAX).max(1);
    let spread: Vec<ContentExample> = examples.iter().copied().step_by(stride).collect();
    if spread.len() < CHOICE_EXAMPLES_MIN {
        return Ok(RIDGE_DEFAULT);
    }
    let mut held_out = vec![false; spread.len()];
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for place in index::sample(&mut rng, spread.len(), spread.len() / HELD_OUT) {
        held_out[place] = true;
    }
    let of = |side: bool| -> Vec<ContentExample> {
        spread.iter().zip(&held_out).filter(|(_, held)| **held == side).map(|(example, _)| *example).collect()
    };
    let (train, test) = (of(false), of(true));
    let mut best = (f64::INFINITY, RIDGE_DEFAULT);
    let mut done = 0;
    let mut failure = None;
    TowerFit::prepare(&train, config, seed).solve_each(&RIDGES, |ridge, parts| {
        match ContentTower::from_parts(parts) {
            Ok(tower) => {
                let error = squared_error(&tower, &test, config);
                if error < best.0 {
                    best = (error, ridge);
                }
            }
            Err(error) => failure = Some(error),
        }
        done += 1;
        progress(done);
    });
    failure.map_or(Ok(best.1), Err)
}

/// The squared distance of prediction and vector, weighed as in the fit, over all examples; where no
/// attribute is known the prediction is 0.
fn squared_error(tower: &ContentTower, test: &[ContentExample], config: &ContentTowerConfig) -> f64 {
    let errors: Vec<f64> = test
        .par_iter()
        .map_init(EncoderScratch::default, |scratch, example| {
            let predicted = tower.embed(example.attributes, scratch);
            let predicted = predicted.as_ref().map_or(&[][..], |vector| vector.as_slice());
            let padded = predicted.iter().copied().chain(std::iter::repeat(0.0));
            let squares = example.vector.iter().zip(padded).map(|(x, p)| (f64::from(*x) - f64::from(p)).powi(2));
            trust(example, config) * squares.sum::<f64>()
        })
        .collect();
    errors.iter().sum()
}

/// How much an example counts.
fn trust(example: &ContentExample, config: &ContentTowerConfig) -> f64 {
    f64::from(example.weight).powf(config.trust_exponent)
}

fn weighted_mean(examples: &[ContentExample], weights: &[f32]) -> Vec<f32> {
    let dimensions = examples.first().map_or(0, |example| example.vector.len());
    let mut sums = vec![0.0_f64; dimensions];
    for (example, weight) in examples.iter().zip(weights) {
        for (sum, x) in sums.iter_mut().zip(example.vector) {
            *sum += f64::from(*weight) * f64::from(*x);
        }
    }
    // The weights sum to the number of examples.
    sums.iter().map(|sum| (sum / examples.len() as f64) as f32).collect()
}
