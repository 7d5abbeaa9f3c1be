use faer::Mat;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortlist_types::{UserIdx, dot};

use super::*;

fn fit(interactions: &Interactions, config: &GraphFilterConfig) -> GraphFilterModel {
    GraphFilterModel::fit(interactions, config, 7, &mut |_| ()).unwrap()
}

fn config(dimensions: usize, iterations: usize) -> GraphFilterConfig {
    // The published exponents: those of the definitions below.
    let (user_exponent, item_exponent, target_exponent) = (0.5, 0.5, 0.5);
    GraphFilterConfig {
        dimensions,
        iterations,
        user_exponent,
        item_exponent,
        target_exponent,
        ..GraphFilterConfig::default()
    }
}

fn random(users: u32, items: u32, density: f64) -> Interactions {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut triples = Vec::new();
    for user in 0..users {
        for item in 0..items {
            if rng.random_bool(density) {
                triples.push((UserIdx(user), ItemIdx(item), rng.random_range(0.5..3.0)));
            }
        }
    }
    Interactions::parse(triples).unwrap()
}

fn degree(entries: impl Iterator<Item = (usize, f32)>) -> f64 {
    entries.map(|entry| f64::from(entry.1)).sum()
}

/// `D_u^-1/2 R D_i^-1/2` in doubles and straight from its definition.
fn normalized(interactions: &Interactions) -> Mat<f64> {
    let mut matrix = Mat::zeros(interactions.users().len(), interactions.items().len());
    for user in 0..matrix.nrows() {
        for (item, weight) in interactions.by_user().row(user) {
            let of_user = degree(interactions.by_user().row(user));
            let of_item = degree(interactions.by_item().row(item));
            matrix[(user, item)] = f64::from(weight) / (of_user * of_item).sqrt();
        }
    }
    matrix
}

fn events_of(interactions: &Interactions, user_row: usize) -> impl Iterator<Item = (ItemIdx, f32)> {
    interactions.by_user().row(user_row).map(|(item, weight)| (interactions.items()[item], weight))
}

#[test]
fn scores_are_those_of_the_exact_decomposition() {
    for (users, items, dimensions) in [(60, 40, 5), (30, 50, 12)] {
        let interactions = random(users, items, 0.3);
        let model = fit(&interactions, &config(dimensions, 60));
        let svd = normalized(&interactions).thin_svd().unwrap();
        let projector = svd.V().subcols(0, dimensions) * svd.V().subcols(0, dimensions).transpose();
        let mut scratch = FoldInScratch::default();
        for user in 0..interactions.users().len() {
            let vector = model.fold_in(events_of(&interactions, user), &mut scratch).unwrap();
            for item in 0..interactions.items().len() {
                let score = f64::from(dot(vector.as_slice(), model.table().row(item)));
                let to = degree(interactions.by_item().row(item)).sqrt();
                let terms = interactions.by_user().row(user).map(|(from, weight)| {
                    let from_degree = degree(interactions.by_item().row(from));
                    f64::from(weight) / from_degree.sqrt() * projector[(from, item)] * to
                });
                let exact: f64 = terms.sum();
                assert!((score - exact).abs() < 1e-4, "user {user}, item {item}: {score} {exact}");
            }
        }
    }
}

#[test]
fn vectors_span_a_fixed_space_of_the_filter_and_are_orthonormal() {
    let interactions = random(80, 60, 0.2);
    let model = fit(&interactions, &config(10, 60));
    let matrix = normalized(&interactions);
    let items = interactions.items().len();
    let v = Mat::from_fn(items, 10, |item, d| {
        f64::from(model.table().row(item)[d]) / f64::from(model.degrees()[item]).sqrt()
    });
    let image = matrix.transpose() * (&matrix * &v);
    // The directions span what the filter maps onto itself, and are orthonormal.
    let residual = &image - &v * (v.transpose() * &image);
    assert!(residual.norm_max() < 1e-4, "{}", residual.norm_max());
    let products = v.transpose() * &v - Mat::<f64>::identity(10, 10);
    assert!(products.norm_max() < 1e-4, "{}", products.norm_max());
}

#[test]
fn threads_do_not_change_a_bit_and_the_seed_counts() {
    // More rows than one block of the Gram matrix and of the products, so that their order matters.
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let triples: Vec<_> =
        (0..20_000).map(|_| (UserIdx(rng.random_range(0..3_000)), ItemIdx(rng.random_range(0..2_500)), 1.0)).collect();
    let interactions = Interactions::parse(triples).unwrap();
    let config = config(40, 2);
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fit(&interactions, &config))
    };
    let (one, two, five) = (with_threads(1), with_threads(2), with_threads(5));
    assert_eq!(one.table(), two.table());
    assert_eq!(one.table(), five.table());
    let other = GraphFilterModel::fit(&interactions, &config, 8, &mut |_| ()).unwrap();
    assert_ne!(one.table(), other.table());
}

#[test]
fn directions_beyond_the_rank_are_zeros() {
    // Three groups that never mix, in each everyone has everything: rank 3.
    let triples = (0..12).flat_map(|user| {
        (0..9).filter(move |item| item % 3 == user % 3).map(move |item| (UserIdx(user), ItemIdx(item), 1.0))
    });
    let interactions = Interactions::parse(triples.collect()).unwrap();
    let model = fit(&interactions, &config(6, 5));
    let mut scratch = FoldInScratch::default();
    let is_zero = |d: &usize| (0..9).all(|row| model.table().row(row)[*d].abs() < 1e-6);
    assert_eq!((0..6).filter(is_zero).count(), 3);
    for row in 0..9 {
        let vector = model.fold_in([(ItemIdx(row as u32), 1.0)].into_iter(), &mut scratch).unwrap();
        for item in 0..9 {
            let score = dot(vector.as_slice(), model.table().row(item));
            let expected = if item % 3 == row % 3 { 1.0 / 3.0 } else { 0.0 };
            assert!((score - expected).abs() < 1e-5, "{row} {item}: {score}");
        }
    }
}

#[test]
fn events_that_say_nothing_place_nobody() {
    let model = fit(&random(10, 10, 0.5), &config(4, 3));
    let mut scratch = FoldInScratch::default();
    let known = model.table().items()[0];
    let mut none = |events: &[(ItemIdx, f32)]| model.fold_in(events.iter().copied(), &mut scratch).is_none();
    assert!(none(&[]));
    assert!(none(&[(ItemIdx(4_000_000_000), 1.0)]));
    assert!(none(&[(known, 0.0), (known, -1.0), (known, f32::NAN), (known, f32::NEG_INFINITY)]));
    assert!(!none(&[(known, f32::INFINITY)]));
    assert!(!none(&[(known, 1.0), (known, f32::NAN)]), "one bad event does not spoil the others");
}

#[test]
fn progress_hears_every_iteration_and_parts_that_do_not_fit_are_refused() {
    let interactions = random(10, 10, 0.5);
    let config = config(4, 3);
    let mut heard = Vec::new();
    let model = GraphFilterModel::fit(&interactions, &config, 1, &mut |done| heard.push(done)).unwrap();
    assert_eq!(heard, [1, 2, 3]);

    let from = |table: &Arc<EmbeddingTable>, degrees: &[f32], config: &GraphFilterConfig| {
        GraphFilterModel::from_parts(Arc::clone(table), degrees.to_vec(), config)
    };
    let (table, degrees) = (model.table(), model.degrees());
    assert!(from(table, degrees, &config).is_ok());
    let other = GraphFilterConfig { dimensions: 5, ..config };
    let error = from(table, degrees, &other).unwrap_err();
    assert_eq!(error, EmbeddingError::DimensionsDiffer { expected: 5, got: 4 });
    assert!(matches!(from(table, &degrees[1..], &config), Err(EmbeddingError::Parts(_))));
    for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let mut degrees = degrees.to_vec();
        degrees[2] = bad;
        let error = from(table, &degrees, &config).unwrap_err().to_string();
        assert!(error.contains("degrees: that of row 2 must be finite and above 0"), "{error}");
    }
    let long = Arc::new(EmbeddingTable::parse(4, vec![ItemIdx(0)], vec![1e30; 4]).unwrap());
    assert_eq!(from(&long, &[1.0], &config).unwrap_err(), EmbeddingError::GramNotFinite);
    let wrong = GraphFilterConfig { iterations: 0, ..config };
    assert!(matches!(from(table, degrees, &wrong), Err(EmbeddingError::Config(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn degenerate_data_gives_finite_vectors(
        pairs in prop::collection::vec((0..6_u32, 0..6_u32, -6..=6_i32), 1..30),
        dimensions in 1..20_usize,
        oversampling in 0..3_usize,
    ) {
        let triples = pairs.iter().map(|&(u, i, w)| (UserIdx(u), ItemIdx(i), 10_f32.powi(w).clamp(1e-6, 1e6)));
        let interactions = Interactions::parse(triples.collect()).unwrap();
        let config = GraphFilterConfig { dimensions, iterations: 3, oversampling, ..GraphFilterConfig::default() };
        // The table and the embedding refuse what is not finite, so an answer is a finite one.
        let model = GraphFilterModel::fit(&interactions, &config, 1, &mut |_| ()).unwrap();
        let mut scratch = FoldInScratch::default();
        for user in 0..interactions.users().len() {
            let vector = model.fold_in(events_of(&interactions, user), &mut scratch);
            prop_assert!(vector.is_some());
        }
    }
}
