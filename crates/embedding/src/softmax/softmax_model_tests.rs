use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortlist_types::{UserIdx, dot};

use super::*;

fn config() -> SoftmaxConfig {
    SoftmaxConfig { dimensions: 16, epochs: 15, batch_pairs: 128, negatives: 32, ..SoftmaxConfig::default() }
}

fn fit(interactions: &Interactions, config: &SoftmaxConfig) -> SoftmaxModel {
    SoftmaxModel::fit(interactions, config, 7, &mut |_| ()).unwrap()
}

fn interactions(pairs: impl IntoIterator<Item = (u32, u32)>) -> Interactions {
    Interactions::parse(pairs.into_iter().map(|(user, item)| (UserIdx(user), ItemIdx(item), 1.0)).collect()).unwrap()
}

/// Users like the items of their group of four, the first ones most, and now and then any other.
fn planted() -> Vec<(u32, u32)> {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut pairs = Vec::new();
    for user in 0..200 {
        for item in 0..80 {
            let own = if item % 4 == user % 4 { 0.5 } else { 0.02 };
            if rng.random_bool(own * if item < 20 { 1.5 } else { 1.0 }) {
                pairs.push((user, item));
            }
        }
    }
    pairs
}

fn assert_finite(model: &SoftmaxModel) {
    assert!(model.losses().iter().all(|loss| loss.is_finite()), "{:?}", model.losses());
    for row in 0..model.table().len() {
        let vector = model.table().row(row);
        assert!((dot(vector, vector) - 1.0).abs() < 1e-4, "row {row}: {vector:?}");
    }
}

#[test]
fn a_planted_structure_is_found_better_than_by_popularity() {
    let (held, known): (Vec<_>, Vec<_>) = planted().into_iter().partition(|&(user, item)| (user * 7 + item) % 5 == 0);
    let data = interactions(known.iter().copied());
    let model = fit(&data, &config());
    let mut scratch = FoldInScratch::default();
    let (mut by_model, mut by_popularity) = (0, 0);
    for (row, user) in data.users().iter().enumerate() {
        let own: Vec<usize> = data.by_user().row(row).map(|entry| entry.0).collect();
        let vector = model.fold_in(own.iter().map(|&i| (data.items()[i], 1.0)), &mut scratch).unwrap();
        let hits = |score: &dyn Fn(usize) -> f32| {
            let mut order: Vec<usize> = (0..data.items().len()).filter(|item| !own.contains(item)).collect();
            order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
            order[..5].iter().filter(|&&item| held.contains(&(user.0, data.items()[item].0))).count()
        };
        by_model += hits(&|item| dot(vector.as_slice(), model.table().row(item)));
        by_popularity += hits(&|item| data.by_item().row(item).len() as f32);
    }
    assert!(by_model > 2 * by_popularity, "{by_model} hits beside {by_popularity}");
}

#[test]
fn the_loss_falls_and_every_epoch_is_heard() {
    let mut heard = Vec::new();
    let model = SoftmaxModel::fit(&interactions(planted()), &config(), 7, &mut |epoch| heard.push(epoch)).unwrap();
    assert_eq!(heard, (1..=15).collect::<Vec<_>>());
    assert_eq!(model.losses().len(), 15);
    assert!(model.losses()[14] < 0.9 * model.losses()[0], "{:?}", model.losses());
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let data = interactions(planted());
    // Several chunks per batch and several blocks of rows per step.
    let config = SoftmaxConfig { batch_pairs: 1_000, epochs: 3, ..config() };
    let bits = |threads: usize, seed: u64| -> Vec<u32> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let model = pool.install(|| SoftmaxModel::fit(&data, &config, seed, &mut |_| ()).unwrap());
        model.table().values().iter().map(|x| x.to_bits()).collect()
    };
    let one = bits(1, 7);
    for threads in [2, 3, 5] {
        assert_eq!(one, bits(threads, 7), "{threads} threads");
    }
    assert_ne!(one, bits(1, 8));
}

#[test]
fn a_stored_model_folds_in_as_the_fitted_one() {
    let fitted = fit(&interactions(planted()), &SoftmaxConfig { epochs: 2, ..config() });
    let loaded = SoftmaxModel::from_parts(Arc::clone(fitted.table()), fitted.config()).unwrap();
    let events = || [3, 7, 40].into_iter().map(|item| (ItemIdx(item), 1.0));
    let mut scratch = FoldInScratch::default();
    let vector = fitted.fold_in(events(), &mut scratch).unwrap();
    assert_eq!(loaded.fold_in(events(), &mut scratch).unwrap(), vector);
    assert!((dot(vector.as_slice(), vector.as_slice()).sqrt() - 10.0).abs() < 1e-3);
}

#[test]
fn events_without_a_known_item_or_a_positive_weight_give_no_vector() {
    let model = fit(&interactions(planted()), &SoftmaxConfig { epochs: 1, ..config() });
    let mut scratch = FoldInScratch::default();
    let mut vector = |events: &[(u32, f32)]| {
        model.fold_in(events.iter().map(|&(item, weight)| (ItemIdx(item), weight)), &mut scratch)
    };
    assert_eq!(vector(&[]), None);
    assert_eq!(vector(&[(999, 1.0), (3, 0.0), (3, -1.0), (3, f32::NAN)]), None);
    let known = vector(&[(3, 2.0), (7, 1.0)]);
    assert!(known.is_some());
    assert_eq!(vector(&[(7, 1.0), (999, 5.0), (3, 0.5), (3, 2.0), (8, f32::NAN)]), known);
}

#[test]
fn the_smallest_data_gives_finite_vectors() {
    let config = SoftmaxConfig { epochs: 3, ..config() };
    let pair = |_| [(1, 1)].to_vec();
    let one_item = (0..9).flat_map(pair).collect::<Vec<_>>();
    let same_item = (0..9).map(|user| (user, 4)).collect();
    let one_user = (0..9).map(|item| (2, item)).collect();
    let identical = (0..9).flat_map(|user| (0..6).map(move |item| (user, item))).collect();
    let two_items = vec![(0, 0), (0, 1)];
    for pairs in [one_item, same_item, one_user, identical, two_items] {
        assert_finite(&fit(&interactions(pairs), &config));
    }
}

#[test]
fn a_user_with_a_single_item_teaches_nothing() {
    let config = SoftmaxConfig { epochs: 2, ..config() };
    let model = fit(&interactions((0..20).map(|user| (user, user % 5))), &config);
    assert!(model.losses().iter().all(|loss| *loss <= 0.0), "{:?}", model.losses());
    assert_finite(&model);
}

#[test]
fn a_table_of_another_model_is_refused() {
    let table = |dimensions: usize, value: f32| {
        Arc::new(EmbeddingTable::parse(dimensions, vec![ItemIdx(1)], vec![value; dimensions]).unwrap())
    };
    let refused = SoftmaxModel::from_parts(table(3, 1.0), &config()).unwrap_err();
    assert_eq!(refused, EmbeddingError::DimensionsDiffer { expected: 16, got: 3 });
    let refused = SoftmaxModel::from_parts(table(16, 1e30), &config()).unwrap_err();
    assert_eq!(refused, EmbeddingError::GramNotFinite);
    let wrong = SoftmaxConfig { temperature: 0.0, ..config() };
    assert!(matches!(SoftmaxModel::from_parts(table(16, 1.0), &wrong), Err(EmbeddingError::Config(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_data_and_any_settings_give_finite_vectors(
        pairs in prop::collection::vec((0_u32..8, 0_u32..12, -6.0_f32..6.0), 1..60),
        (dimensions, batch_pairs, negatives) in (1_usize..9, 1_usize..40, 1_usize..50),
        (temperature, learning_rate) in (-2.0_f64..2.0, 1e-4_f64..1.0),
        (negative_exponent, popularity_discount) in (0.0_f64..2.0, 0.0_f64..2.0),
    ) {
        let triples = pairs.into_iter().map(|(user, item, power)| {
            (UserIdx(user), ItemIdx(item), 10.0_f32.powf(power).clamp(crate::WEIGHT_MIN, crate::WEIGHT_MAX))
        });
        let data = Interactions::parse(triples.collect()).unwrap();
        let temperature = 10.0_f64.powf(temperature).clamp(0.01, 100.0);
        let config = SoftmaxConfig {
            dimensions, epochs: 4, learning_rate, temperature, batch_pairs, negatives, negative_exponent,
            popularity_discount,
        };
        assert_finite(&fit(&data, &config));
    }
}
