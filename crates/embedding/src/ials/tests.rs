use proptest::prelude::*;
use rand::Rng;
use shortlist_types::{UserIdx, dot};

use super::*;
use crate::ials::RowSolver;

fn fit(interactions: &Interactions, config: &IalsConfig) -> IalsModel {
    IalsModel::fit(interactions, config, 7, &mut |_| ()).unwrap()
}

/// Users and items in `groups` that never mix; a user has about `density` of his group's items.
fn planted(groups: u32, users: u32, items: u32, density: f64) -> Interactions {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut triples = Vec::new();
    for user in 0..users {
        for item in (0..items).filter(|item| item % groups == user % groups) {
            if rng.random_bool(density) {
                triples.push((UserIdx(user), ItemIdx(item), rng.random_range(0.5..3.0)));
            }
        }
    }
    Interactions::parse(triples).unwrap()
}

fn events_of(interactions: &Interactions, user_row: usize) -> impl Iterator<Item = (ItemIdx, f32)> {
    interactions.by_user().row(user_row).map(|(item, weight)| (interactions.items()[item], weight))
}

fn folded(model: &IalsModel, interactions: &Interactions) -> Vec<Vec<f32>> {
    let mut scratch = FoldInScratch::default();
    (0..interactions.users().len())
        .map(|row| model.fold_in(events_of(interactions, row), &mut scratch).unwrap().into())
        .collect()
}

/// The gradient of the loss by one row, in doubles and straight from its definition, and the length of
/// its largest part.
fn gradient(row: &[f32], entries: &[(usize, f32)], fixed: &[Vec<f32>], config: &IalsConfig) -> (f64, f64) {
    let product = |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum() };
    let frequency: f64 = entries.iter().map(|entry| f64::from(entry.1)).sum();
    let alpha = config.unobserved_weight;
    let ridge = config.regularization * (frequency + alpha * fixed.len() as f64).powf(config.frequency_exponent);
    let (mut total, mut pull) = (vec![0.0; row.len()], vec![0.0; row.len()]);
    for d in 0..row.len() {
        for &(entry, weight) in entries {
            let y = f64::from(fixed[entry][d]);
            total[d] -= 2.0 * f64::from(weight) * (1.0 - product(row, &fixed[entry])) * y;
            pull[d] += 2.0 * f64::from(weight) * y;
        }
        for y in fixed {
            total[d] += 2.0 * alpha * product(row, y) * f64::from(y[d]);
        }
        total[d] += 2.0 * ridge * f64::from(row[d]);
    }
    let length = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    (length(&total), length(&pull))
}

#[test]
fn a_folded_in_user_is_the_minimum_of_the_loss() {
    for (dimensions, exponent) in [(5, 1.0), (16, 0.5), (24, 0.0)] {
        let interactions = planted(4, 60, 80, 0.6);
        let config = IalsConfig {
            dimensions,
            epochs: 3,
            frequency_exponent: exponent,
            regularization: 0.1,
            ..IalsConfig::default()
        };
        let model = fit(&interactions, &config);
        let items: Vec<Vec<f32>> = (0..model.table().len()).map(|r| model.table().row(r).to_vec()).collect();
        for (row, user) in folded(&model, &interactions).iter().enumerate() {
            let entries: Vec<_> = interactions.by_user().row(row).collect();
            let (length, pull) = gradient(user, &entries, &items, &config);
            assert!(length < 1e-4 * pull, "{dimensions}: user {row}: {length} beside {pull}");
        }
    }
}

#[test]
fn at_convergence_the_gradient_of_items_vanishes_too() {
    let interactions = planted(3, 40, 30, 0.7);
    let config = IalsConfig { dimensions: 4, epochs: 400, regularization: 0.05, ..IalsConfig::default() };
    let model = fit(&interactions, &config);
    let users = folded(&model, &interactions);
    for row in 0..model.table().len() {
        let entries: Vec<_> = interactions.by_item().row(row).collect();
        let (length, pull) = gradient(model.table().row(row), &entries, &users, &config);
        assert!(length < 1e-3 * pull, "item {row}: {length} beside {pull}");
    }
}

#[test]
fn a_user_folded_in_from_his_training_events_equals_the_fitted_one() {
    let interactions = planted(4, 60, 80, 0.6);
    let config = IalsConfig { dimensions: 12, ..IalsConfig::default() };
    let model = fit(&interactions, &config);
    let mut fitted = vec![0.0; interactions.users().len() * 12];
    let mut solver = RowSolver::default();
    for (row, to) in fitted.chunks_exact_mut(12).enumerate() {
        model.half_step().solve_row(interactions.by_user().row(row), &mut solver, to);
    }
    let mut scratch = FoldInScratch::default();
    for (row, fitted) in fitted.chunks_exact(12).enumerate() {
        // In reverse, and every event twice: neither order nor repetition counts.
        let mut events: Vec<_> = events_of(&interactions, row).collect();
        events.extend(events.clone());
        let folded = model.fold_in(events.into_iter().rev(), &mut scratch).unwrap();
        assert_eq!(folded.as_slice(), fitted, "user {row}");
    }
}

#[test]
fn a_stored_user_without_new_events_stays_and_new_ones_move_him_to_the_minimum() {
    let interactions = planted(4, 60, 80, 0.6);
    let model = fit(&interactions, &IalsConfig { dimensions: 12, ..IalsConfig::default() });
    let users = folded(&model, &interactions);
    let mut scratch = FoldInScratch::default();
    let events: Vec<_> = events_of(&interactions, 0).collect();
    let stiffness = model.stiffness(&events);
    let stored = KnownUser { vector: &users[0], stiffness, items: &[] };
    let same = model.moved(&stored, std::iter::empty(), &mut scratch).unwrap();
    assert_eq!(same.as_slice(), users[0]);
    // Fewer and more new events than dimensions: both forms of the solve.
    for count in [5, 40] {
        let new: Vec<_> =
            model.table().items().iter().skip(1).step_by(2).take(count).map(|item| (*item, 2.0)).collect();
        let moved = model.moved(&stored, new.iter().copied(), &mut scratch).unwrap();
        for d in 0..12 {
            let mut gradient = f64::from(stiffness) * f64::from(moved.as_slice()[d] - users[0][d]);
            for (item, weight) in &new {
                let y = model.table().get(*item).unwrap();
                gradient -= f64::from(*weight) * (1.0 - f64::from(dot(moved.as_slice(), y))) * f64::from(y[d]);
            }
            assert!(gradient.abs() < 1e-3, "{count} events, component {d}: {gradient}");
        }
    }
    let other = KnownUser { vector: &users[0][..5], ..stored };
    assert!(model.moved(&other, std::iter::empty(), &mut scratch).is_none());
}

#[test]
fn held_out_items_of_the_own_group_come_before_all_others() {
    let groups = 4;
    let interactions = planted(groups, 120, 80, 0.6);
    let config = IalsConfig { dimensions: 4, regularization: 0.05, ..IalsConfig::default() };
    let model = fit(&interactions, &config);
    for (row, user) in folded(&model, &interactions).iter().enumerate() {
        let group = interactions.users()[row].0 % groups;
        let score = |item: &ItemIdx| dot(user, model.table().get(*item).unwrap());
        let seen: Vec<_> = events_of(&interactions, row).map(|event| event.0).collect();
        let (own, others): (Vec<ItemIdx>, Vec<ItemIdx>) =
            model.table().items().iter().filter(|item| !seen.contains(item)).partition(|item| item.0 % groups == group);
        let least = own.iter().map(score).fold(f32::INFINITY, f32::min);
        let greatest = others.iter().map(score).fold(f32::NEG_INFINITY, f32::max);
        assert!(least > greatest, "user {row}: {least} {greatest}");
    }
}

#[test]
fn threads_do_not_change_a_bit_and_a_loaded_model_equals_the_fitted_one() {
    // More items than one block of the Gram matrix, so that its order matters.
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let triples: Vec<_> =
        (0..20_000).map(|_| (UserIdx(rng.random_range(0..3_000)), ItemIdx(rng.random_range(0..2_500)), 1.0)).collect();
    let interactions = Interactions::parse(triples).unwrap();
    let config = IalsConfig { dimensions: 10, epochs: 2, ..IalsConfig::default() };
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fit(&interactions, &config))
    };
    let (one, two, five) = (with_threads(1), with_threads(2), with_threads(5));
    assert_eq!(one.table(), two.table());
    assert_eq!(one.table(), five.table());
    assert_eq!(one.spectrum, two.spectrum);
    let loaded = IalsModel::from_parts(Arc::clone(one.table()), &config).unwrap();
    assert_eq!(loaded.spectrum, one.spectrum);
    let other = IalsModel::fit(&interactions, &config, 8, &mut |_| ()).unwrap();
    assert_ne!(one.table(), other.table(), "the seed counts");
}

#[test]
fn events_that_say_nothing_place_nobody() {
    let model = fit(&planted(2, 10, 10, 0.9), &IalsConfig { dimensions: 4, ..IalsConfig::default() });
    let mut scratch = FoldInScratch::default();
    let known = model.table().items()[0];
    let mut none = |events: &[(ItemIdx, f32)]| model.fold_in(events.iter().copied(), &mut scratch).is_none();
    assert!(none(&[]));
    assert!(none(&[(ItemIdx(4_000_000_000), 1.0)]));
    assert!(none(&[(known, 0.0), (known, -1.0), (known, f32::NAN), (known, f32::NEG_INFINITY)]));
    assert!(!none(&[(known, 1.0)]));
    assert!(!none(&[(known, f32::INFINITY)]));
    assert!(!none(&[(known, 1.0), (known, f32::NAN)]), "one bad event does not spoil the others");
}

#[test]
fn progress_hears_every_epoch_and_parts_of_two_models_are_refused() {
    let interactions = planted(2, 10, 10, 0.9);
    let config = IalsConfig { dimensions: 4, epochs: 3, ..IalsConfig::default() };
    let mut heard = Vec::new();
    let model = IalsModel::fit(&interactions, &config, 1, &mut |epochs| heard.push(epochs)).unwrap();
    assert_eq!(heard, [1, 2, 3]);

    let other = IalsConfig { dimensions: 5, ..config };
    let error = IalsModel::from_parts(Arc::clone(model.table()), &other).unwrap_err();
    assert_eq!(error, EmbeddingError::DimensionsDiffer { expected: 5, got: 4 });
    let long = EmbeddingTable::parse(4, vec![ItemIdx(0)], vec![1e30; 4]).unwrap();
    assert_eq!(IalsModel::from_parts(Arc::new(long), &config).unwrap_err(), EmbeddingError::NotPrincipalAxes);
    let wrong = IalsConfig { epochs: 0, ..config };
    assert!(matches!(IalsModel::fit(&interactions, &wrong, 1, &mut |_| ()), Err(EmbeddingError::Config(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn degenerate_data_gives_finite_vectors(
        pairs in prop::collection::vec((0..6_u32, 0..6_u32, -6..=6_i32), 1..30),
        dimensions in 1..20_usize,
        regularization in prop::sample::select(vec![1e-30, 1e-9, 0.003, 1.0, 1e6]),
        unobserved_weight in prop::sample::select(vec![0.0, 1e-30, 0.1, 1e6]),
        frequency_exponent in prop::sample::select(vec![0.0, 1.0, 2.0]),
    ) {
        let triples = pairs.iter().map(|&(u, i, w)| (UserIdx(u), ItemIdx(i), 10_f32.powi(w).clamp(1e-6, 1e6)));
        let interactions = Interactions::parse(triples.collect()).unwrap();
        let config = IalsConfig { dimensions, epochs: 3, regularization, unobserved_weight, frequency_exponent };
        // The table and the embedding refuse what is not finite, so an answer is a finite one.
        let model = IalsModel::fit(&interactions, &config, 1, &mut |_| ()).unwrap();
        prop_assert_eq!(folded(&model, &interactions).len(), interactions.users().len());
    }
}
