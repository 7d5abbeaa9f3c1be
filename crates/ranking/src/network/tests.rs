use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Batch, Mode, Network};
use crate::dense::Matrix;
use crate::loss::Truth;
use crate::{Category, Fit, FitConfig, Loss, ModelKind, NetworkConfig, Row, RowSchema, TrainingRows};

fn schema() -> Arc<RowSchema> {
    RowSchema {
        numbers: vec!["a".to_owned(), "b".to_owned(), "c".to_owned()],
        categories: [("user", 7), ("item", 11), ("tags", 5)]
            .map(|(name, ids)| Category { name: name.to_owned(), ids })
            .to_vec(),
        heads: vec!["click".to_owned(), "like".to_owned()],
    }
    .shared()
}

fn rows(count: usize, seed: u64) -> TrainingRows {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut rows = TrainingRows::new(schema()).unwrap();
    for row in 0..count {
        if row % 4 == 0 {
            rows.begin_group();
        }
        let numbers: [f32; 3] = std::array::from_fn(|_| random.random_range(-1.0..1.0));
        let (user, item) = (random.random_range(0..7), random.random_range(0..11));
        let tags: Vec<u32> = (0..random.random_range(0..3)).map(|_| random.random_range(0..5)).collect();
        let chance = 0.2 + 0.05 * f64::from(item) + 0.2 * f64::from(numbers[0]);
        let labels = [random.random_bool(chance.clamp(0.0, 1.0)), random.random_bool(0.5)];
        rows.push(Row { numbers: &numbers, ids: &[&[user], &[item], &tags] }, &labels, random.random_range(0.5..2.0))
            .unwrap();
    }
    rows
}

fn config(kind: ModelKind) -> NetworkConfig {
    NetworkConfig {
        embedding_dimensions: 4,
        hidden: vec![12, 8],
        second_hidden: vec![10, 6],
        cross_layers: 2,
        fusion_chunks: 2,
        gate_units: 5,
        dropout: 0.3,
        ..NetworkConfig::of(kind)
    }
}

fn network(config: &NetworkConfig) -> Network {
    let mut network = Network::new(schema(), config, 3).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(5);
    // First embeddings are too small for anything to depend on them.
    network.visit(&mut |_, parameter| {
        parameter.values.iter_mut().for_each(|value| *value += random.random_range(-0.4..0.4));
    });
    network
}

/// The loss of a training pass, and all gradients by the parameter's name.
fn loss_and_gradients(network: &mut Network, rows: &TrainingRows) -> (f64, Vec<(String, Vec<f32>)>) {
    let mut batch = Batch::default();
    batch.gather(rows, &(0..rows.len() as u32).collect::<Vec<_>>());
    let (mut logits, mut derivatives) = (Matrix::default(), Matrix::default());
    network.forward(&batch, Mode::Train { seed: 9 }, &mut logits);
    let truth = Truth { labels: rows.labels(), weights: rows.weights(), groups: &[] };
    let loss = Loss::Pointwise.evaluate(&logits, truth, &mut derivatives);
    network.backward(&batch, &derivatives);
    let mut gradients = Vec::new();
    network.visit(&mut |name, parameter| {
        gradients.push((name.to_owned(), parameter.gradient.clone()));
        parameter.gradient.fill(0.0);
    });
    (loss, gradients)
}

fn moved(network: &mut Network, which: usize, place: usize, by: f32) {
    let mut at = 0;
    network.visit(&mut |_, parameter| {
        if at == which {
            parameter.values[place] += by;
        }
        at += 1;
    });
}

#[test]
fn every_gradient_of_every_layer_agrees_with_finite_differences() {
    let rows = rows(60, 1);
    for kind in ModelKind::ALL {
        for batch_norm in [true, false] {
            let config = NetworkConfig { batch_norm, ..config(kind) };
            let mut network = network(&config);
            let (here, gradients) = loss_and_gradients(&mut network, &rows);
            let (mut checked, mut kinks) = (0, 0);
            for (which, (name, gradient)) in gradients.iter().enumerate() {
                for place in (0..gradient.len()).step_by(1 + gradient.len() / 25) {
                    let step = 1.0 / 512.0;
                    let mut slope = |step: f32| {
                        moved(&mut network, which, place, step);
                        let there = loss_and_gradients(&mut network, &rows).0;
                        moved(&mut network, which, place, -step);
                        (there - here) / f64::from(step)
                    };
                    let (before, after) = (slope(-step), slope(step));
                    // Where the two differ, a ReLU bends at this place: there is no derivative to compare.
                    if (before - after).abs() > 2e-3 {
                        kinks += 1;
                        continue;
                    }
                    let (got, expected) = (f64::from(gradient[place]), (before + after) / 2.0);
                    checked += 1;
                    assert!((got - expected).abs() < 1e-3, "{kind} {name} {place}: {got}, {before} and {after}");
                }
            }
            assert!(checked > 20 && kinks * 4 < checked, "{kind}: {checked} checked, {kinks} left out");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let rows = rows(700, 2);
    for kind in ModelKind::ALL {
        let fit = |threads, seed| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let fit_config = FitConfig { epochs_max: 2, batch_rows: 300, ..FitConfig::default() };
            pool.install(|| {
                let mut fit = Fit::run(&rows, &config(kind), &fit_config, seed, &mut |_, _| 0.0).unwrap();
                fit.score(&rows).iter().map(|score| score.to_bits()).collect::<Vec<_>>()
            })
        };
        let one = fit(1, 7);
        assert_eq!(one, fit(2, 7), "{kind}");
        assert_eq!(one, fit(5, 7), "{kind}");
        if kind != ModelKind::LogisticRegression {
            assert_ne!(one, fit(1, 8), "{kind} does not listen to its seed");
        }
    }
}

#[test]
fn every_kind_and_loss_learns_what_was_planted() {
    let (rows, later) = (rows(4_000, 3), rows(2_000, 4));
    for kind in ModelKind::ALL {
        for loss in [Loss::Pointwise, Loss::Pairwise, Loss::Listwise] {
            let fit_config = FitConfig {
                loss,
                epochs_max: 12,
                batch_rows: 250,
                learning_rate: 0.01,
                embedding_l2: 0.0,
                patience: 12,
                ..FitConfig::default()
            };
            let mut fit = Fit::run(&rows, &config(kind), &fit_config, 1, &mut |_, epoch| epoch.number as f64).unwrap();
            let scores = fit.score(&later);
            let won = pairs_won(&scores, later.labels());
            assert!(won > 0.62, "{kind} {loss:?}: {won}");
        }
    }
}

/// Share of the pairs of a positive and a negative row in the right order, by the first outcome.
fn pairs_won(scores: &[f32], labels: &[bool]) -> f64 {
    let of = |label: bool| -> Vec<f32> {
        scores.iter().zip(labels).step_by(2).filter(|(_, l)| **l == label).map(|(s, _)| *s).collect()
    };
    let (high, low) = (of(true), of(false));
    let won: usize = high.iter().map(|high| low.iter().filter(|low| high > *low).count()).sum();
    won as f64 / (high.len() * low.len()) as f64
}
