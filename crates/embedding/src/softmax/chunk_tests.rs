use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::SparseRows;
use crate::softmax::SoftmaxConfig;
use crate::softmax::deal::Deal;
use crate::softmax::negative_sampler::{NegativeSample, NegativeSampler};

const ITEMS: usize = 30;
const DIMENSIONS: usize = 5;

/// Five users with 1, 2, 5, 9 and 20 items at random weights.
fn rows() -> SparseRows {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut entries = Vec::new();
    for (user, len) in [1, 2, 5, 9, 20].into_iter().enumerate() {
        let first = rng.random_range(0..=ITEMS as u32 - len);
        entries.extend((first..first + len).map(|item| (user as u32, item, rng.random_range(0.5..3.0))));
    }
    SparseRows::from_sorted(5, ITEMS, entries.into_iter())
}

fn vectors(seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut vectors: Vec<f32> = (0..ITEMS * DIMENSIONS).map(|_| rng.random_range(-1.0..1.0)).collect();
    for vector in vectors.chunks_exact_mut(DIMENSIONS) {
        rescale(vector, 1.0);
    }
    vectors
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// The mean loss over all pairs in doubles, straight from its definition: the full softmax over the
/// target and all items that the user does not have, weighted by `extra`.
fn full_softmax(rows: &SparseRows, items: &[Vec<f64>], temperature: f64, extra: &[f64]) -> f64 {
    let (mut total, mut weights) = (0.0, 0.0);
    for user in (0..rows.rows()).filter(|&user| rows.row(user).len() > 1) {
        for (target, weight) in rows.row(user) {
            let mut x = vec![0.0; DIMENSIONS];
            for (item, weight) in rows.row(user).filter(|entry| entry.0 != target) {
                for (sum, z) in x.iter_mut().zip(&items[item]) {
                    *sum += f64::from(weight) * z;
                }
            }
            let length = product(&x, &x).sqrt();
            let logit = |item: usize| product(&x, &items[item]) / length / temperature;
            let own: Vec<usize> = rows.row(user).map(|entry| entry.0).collect();
            let others: f64 = (0..ITEMS).filter(|n| !own.contains(n)).map(|n| extra[n] * logit(n).exp()).sum();
            total += f64::from(weight) * ((logit(target).exp() + others).ln() - logit(target));
            weights += f64::from(weight);
        }
    }
    total / weights
}

/// Runs one chunk with all pairs.
fn learn(rows: &SparseRows, items: &[f32], config: &SoftmaxConfig, negatives: &NegativeSample) -> Chunk {
    let deal = Deal::new(rows, &mut ChaCha8Rng::seed_from_u64(9));
    let values: Vec<f32> =
        negatives.items.iter().flat_map(|&n| &items[n as usize * DIMENSIONS..][..DIMENSIONS]).copied().collect();
    let weight = deal.weight(deal.hands(), rows);
    let batch = Batch { rows, deal: &deal, config, items, negatives, negative_values: &values, weight };
    let mut chunk = Chunk::default();
    // A buffer that another chunk has used.
    chunk.learn(&batch, deal.hands(), &mut vec![f32::NAN; 7]);
    chunk
}

/// Every item once, with a correction of zero.
fn all_items(config: &SoftmaxConfig, rows: &SparseRows) -> NegativeSample {
    assert_eq!((config.negatives, config.negative_exponent), (ITEMS, 0.0));
    let sampler = NegativeSampler::new(&rows.transposed(), config);
    let mut sample = NegativeSample::default();
    sampler.draw(&mut ChaCha8Rng::seed_from_u64(1), &mut sample);
    sample
}

fn config() -> SoftmaxConfig {
    SoftmaxConfig {
        dimensions: DIMENSIONS,
        temperature: 0.4,
        negatives: ITEMS,
        negative_exponent: 0.0,
        ..SoftmaxConfig::default()
    }
}

/// Every item has a user, so that none has a probability of zero.
fn covered_rows() -> SparseRows {
    let rows = rows();
    let entries = (0..rows.rows()).flat_map(|user| rows.row(user).map(move |(i, w)| (user as u32, i as u32, w)));
    let everyone = (0..ITEMS as u32).filter(|i| i % 2 == 0).map(|i| (5, i, 1.5));
    let rest = (0..ITEMS as u32).filter(|i| i % 2 == 1).map(|i| (6, i, 0.7));
    SparseRows::from_sorted(7, ITEMS, entries.chain(everyone).chain(rest))
}

fn doubles(items: &[f32]) -> Vec<Vec<f64>> {
    items.chunks_exact(DIMENSIONS).map(|row| row.iter().map(|&x| f64::from(x)).collect()).collect()
}

#[test]
fn with_all_items_as_negatives_the_loss_is_that_of_the_full_softmax() {
    let (rows, items, config) = (covered_rows(), vectors(3), config());
    let chunk = learn(&rows, &items, &config, &all_items(&config, &rows));
    let expected = full_softmax(&rows, &doubles(&items), config.temperature, &[1.0; ITEMS]);
    assert!((chunk.loss() - expected).abs() < 1e-5, "{} beside {expected}", chunk.loss());
}

#[test]
fn with_all_items_drawn_by_popularity_the_correction_gives_the_full_softmax_too() {
    // So many draws that the counts are as good as the probabilities.
    let config = SoftmaxConfig { negatives: 65_536, negative_exponent: 1.0, ..config() };
    let (rows, items) = (covered_rows(), vectors(3));
    let sampler = NegativeSampler::new(&rows.transposed(), &config);
    let mut sample = NegativeSample::default();
    sampler.draw(&mut ChaCha8Rng::seed_from_u64(1), &mut sample);
    let chunk = learn(&rows, &items, &config, &sample);
    let expected = full_softmax(&rows, &doubles(&items), config.temperature, &[1.0; ITEMS]);
    assert!((chunk.loss() - expected).abs() < 1e-3, "{} beside {expected}", chunk.loss());
}

#[test]
fn the_gradient_agrees_with_finite_differences_of_the_definition() {
    let (rows, items) = (covered_rows(), vectors(4));
    for popularity_discount in [0.0, 0.7] {
        let config = SoftmaxConfig { popularity_discount, ..config() };
        let negatives = all_items(&config, &rows);
        let extra: Vec<f64> = negatives.corrections.iter().map(|&c| f64::from(c).exp()).collect();
        let chunk = learn(&rows, &items, &config, &negatives);
        let mut gradient = vec![0.0_f64; items.len()];
        for entry in chunk.gradients().entries {
            for (d, slope) in chunk.gradients().vector(entry, DIMENSIONS).iter().enumerate() {
                gradient[entry.row as usize * DIMENSIONS + d] += f64::from(entry.weight * slope);
            }
        }
        let mut greatest = 0.0_f64;
        for (at, slope) in gradient.iter().enumerate() {
            let loss = |step: f64| {
                let mut moved = doubles(&items);
                moved[at / DIMENSIONS][at % DIMENSIONS] += step;
                full_softmax(&rows, &moved, config.temperature, &extra)
            };
            let expected = (loss(1e-5) - loss(-1e-5)) / 2e-5;
            assert!((slope - expected).abs() < 1e-6, "component {at}: {slope} beside {expected}");
            greatest = greatest.max(expected.abs());
        }
        assert!(greatest > 0.01, "{greatest}");
    }
}

#[test]
fn a_target_does_not_reach_its_own_input() {
    let rows = SparseRows::from_sorted(1, ITEMS, (0..20).map(|item| (0, item, 1.0 + item as f32 * 1e5)));
    let config = config();
    let pooled = |items: &[f32]| -> Vec<(usize, Vec<u32>)> {
        let chunk = learn(&rows, items, &config, &all_items(&config, &covered_rows()));
        let bits = chunk.users.chunks_exact(DIMENSIONS).map(|user| user.iter().map(|x| x.to_bits()).collect());
        chunk.pairs.iter().map(|pair| pair.item).zip(bits).collect()
    };
    let items = vectors(6);
    let before = pooled(&items);
    assert_eq!(before.len(), 20);
    for moved in 0..20 {
        let mut others = items.clone();
        others[moved * DIMENSIONS..(moved + 1) * DIMENSIONS].fill(0.3);
        for (was, is) in before.iter().zip(pooled(&others)) {
            assert_eq!(was.0, is.0);
            assert_eq!(was.1 == is.1, was.0 == moved, "item {} with item {moved} moved", was.0);
        }
    }
}
