use faer::Mat;
use proptest::prelude::*;
use shortlist_types::UserIdx;

use super::test_data::{dense, random, user_events};
use super::*;
use crate::{CoOccurrenceConfig, EaseConfig, LinearFilterConfig};

fn ease(neighbors: usize) -> EaseConfig {
    EaseConfig { l2: 2.0, user_degree_exponent: 0.6, item_ridge_exponent: 0.4, neighbors, row_length: 2_000 }
}

fn matrix(model: &ItemToItemModel) -> Mat<f64> {
    let mut matrix = Mat::zeros(model.len(), model.len());
    for i in 0..model.len() {
        model.row(i).for_each(|(j, weight)| matrix[(i, j)] = f64::from(weight));
    }
    matrix
}

#[test]
fn exact_ease_is_the_minimum_of_its_loss() {
    let interactions = random(50, 30, 0.25);
    let config = ease(1);
    let b = matrix(&exact_ease::fit(&interactions, &config).unwrap());
    let r = dense(interactions.by_user(), b.nrows());
    let user_weights: Vec<f64> =
        r.row_iter().map(|row| row.iter().sum::<f64>().powf(-config.user_degree_exponent)).collect();
    let gram = Mat::from_fn(b.nrows(), b.nrows(), |i, j| {
        (0..r.nrows()).map(|u| user_weights[u] * r[(u, i)] * r[(u, j)]).sum::<f64>()
    });
    let mean = (0..b.nrows()).map(|i| gram[(i, i)]).sum::<f64>() / b.nrows() as f64;
    // Half the gradient: G (B - I) + diag(ridge) B, zero wherever B is free.
    let product = &gram * &b;
    for i in 0..b.nrows() {
        let ridge = config.l2 * mean * (gram[(i, i)] / mean).powf(config.item_ridge_exponent);
        for j in 0..b.nrows() {
            if i == j {
                assert!(b[(i, i)].abs() < 1e-12);
            } else {
                let gradient = product[(i, j)] - gram[(i, j)] + ridge * b[(i, j)];
                assert!(gradient.abs() < 1e-4, "{i} {j}: {gradient} beside {}", gram[(i, j)]);
            }
        }
    }
}

#[test]
fn local_ease_with_all_items_as_neighbours_is_exact_ease() {
    // Everybody has one item in common, so that every item has met every other.
    let mut triples: Vec<_> = (0..80).map(|user| (UserIdx(user), ItemIdx(1_000), 1.0)).collect();
    let others = random(80, 40, 0.5);
    for user in 0..others.users().len() {
        triples.extend(user_events(&others, user).map(|(item, weight)| (others.users()[user], item, weight)));
    }
    let interactions = Interactions::parse(triples).unwrap();
    let exact = matrix(&exact_ease::fit(&interactions, &ease(1)).unwrap());
    let local = matrix(&local_ease::fit(&interactions, &ease(500)).unwrap());
    assert!((&exact - &local).norm_max() < 1e-5, "{}", (&exact - &local).norm_max());
    let few = matrix(&local_ease::fit(&interactions, &ease(5)).unwrap());
    for j in 0..few.ncols() {
        assert!(few.col(j).iter().filter(|weight| weight.abs() > 0.0).count() <= 5);
    }
}

#[test]
fn threads_do_not_change_a_bit_and_a_loaded_model_equals_the_fitted_one() {
    let interactions = random(200, 120, 0.2);
    let fits: [fn(&Interactions) -> ItemToItemModel; 4] = [
        |data| ItemToItemModel::fit(data, &ItemToItemConfig::CoOccurrence(CoOccurrenceConfig::default())).unwrap(),
        |data| ItemToItemModel::fit(data, &ItemToItemConfig::LinearFilter(LinearFilterConfig::default())).unwrap(),
        |data| ItemToItemModel::fit(data, &ItemToItemConfig::Ease(ease(9))).unwrap(),
        |data| local_ease::fit(data, &ease(20)).unwrap(),
    ];
    for fit in fits {
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit(&interactions))
        };
        let one = with_threads(1);
        assert_eq!(one, with_threads(2));
        assert_eq!(one, with_threads(5));
        let (items, offsets) = (one.items().to_vec(), one.offsets().to_vec());
        let loaded = ItemToItemModel::from_parts(items, offsets, one.columns().to_vec(), one.weights().to_vec());
        assert_eq!(loaded.unwrap(), one);
        assert!(one.bytes() > 8 * one.columns().len());
    }
}

#[test]
fn rows_are_held_to_the_configured_length() {
    let interactions = random(50, 60, 0.4);
    let config = EaseConfig { row_length: 7, ..ease(50) };
    let short = exact_ease::fit(&interactions, &config).unwrap();
    let long = exact_ease::fit(&interactions, &ease(50)).unwrap();
    for row in 0..short.len() {
        let kept: Vec<_> = short.row(row).collect();
        let least = kept.iter().map(|entry| entry.1.abs()).fold(f32::INFINITY, f32::min);
        assert_eq!(kept.len(), 7);
        let greater = long.row(row).filter(|entry| entry.1.abs() >= least).collect::<Vec<_>>();
        assert_eq!(greater, kept);
    }
}

#[test]
fn a_configuration_out_of_range_is_refused() {
    let config = ItemToItemConfig::Ease(EaseConfig { l2: 0.0, ..EaseConfig::default() });
    assert!(matches!(ItemToItemModel::fit(&random(5, 5, 0.9), &config), Err(EmbeddingError::Config(_))));
}

type Parts = (Vec<ItemIdx>, Vec<usize>, Vec<u32>, Vec<f32>);

fn parts() -> Parts {
    (vec![ItemIdx(1), ItemIdx(5), ItemIdx(6)], vec![0, 2, 2, 3], vec![0, 2, 1], vec![0.5, -1.0, 2.0])
}

fn parse((items, offsets, columns, weights): Parts) -> Result<ItemToItemModel, EmbeddingError> {
    ItemToItemModel::from_parts(items, offsets, columns, weights)
}

#[test]
fn parts_that_do_not_fit_together_are_refused_by_name() {
    let refusal = |change: fn(&mut Parts)| {
        let mut parts = parts();
        change(&mut parts);
        parse(parts).unwrap_err().to_string()
    };
    assert!(parse(parts()).is_ok());
    assert!(refusal(|p| p.0[1] = ItemIdx(1)).contains("items: must ascend"));
    assert!(refusal(|p| p.1 = vec![0, 2, 3]).contains("offsets: expected 4, one more than items, got 3"));
    assert!(refusal(|p| p.1 = vec![1, 2, 2, 3]).contains("offsets: must ascend from 0"));
    assert!(refusal(|p| p.1 = vec![0, 3, 2, 3]).contains("offsets: must ascend from 0"));
    assert!(refusal(|p| p.1 = vec![0, 2, 2, 2]).contains("offsets: must ascend from 0"));
    assert!(refusal(|p| p.2[2] = 3).contains("columns: row 2 names row 3 of 3"));
    assert!(refusal(|p| p.2[1] = 0).contains("columns: those of row 0 must ascend"));
    assert!(refusal(|p| p.3.push(1.0)).contains("weights: expected one per column, 3, got 4"));
    assert!(refusal(|p| p.3[0] = f32::NAN).contains("weights: must lie in"));
    assert!(refusal(|p| p.3[0] = -2e6).contains("weights: must lie in"));
    let long = refusal(|p| {
        p.0 = (0..=ROW_LENGTH_MAX as u32).map(ItemIdx).collect();
        p.2 = (0..=ROW_LENGTH_MAX as u32).collect();
        p.3 = vec![1.0; ROW_LENGTH_MAX + 1];
        p.1 = vec![ROW_LENGTH_MAX + 1; ROW_LENGTH_MAX + 2];
        p.1[0] = 0;
    });
    assert!(long.contains("offsets: row 0 may have at most 2000 entries, got 2001"), "{long}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_parts_are_refused_or_safe_to_sum(
        items in prop::collection::vec(0..6_u32, 0..4),
        offsets in prop::collection::vec(0..5_usize, 0..5),
        columns in prop::collection::vec(0..4_u32, 0..5),
        weights in prop::collection::vec(prop::sample::select(vec![0.0, 1.0, -2.0, f32::NAN, 1e30]), 0..5),
    ) {
        let items: Vec<_> = items.into_iter().map(ItemIdx).collect();
        if let Ok(model) = parse((items, offsets, columns, weights)) {
            let mut sums = RowSums::default();
            model.sum((0..6).map(|item| (ItemIdx(item), 1.0)), &mut sums);
            prop_assert!(sums.standard_deviation().is_finite());
            sums.top(&model, 3, |_| true);
        }
    }

    #[test]
    fn degenerate_data_gives_finite_models(
        pairs in prop::collection::vec((0..6_u32, 0..6_u32, -6..=6_i32), 1..30),
        l2 in prop::sample::select(vec![1e-300, 1e-9, 1.0, 1e9]),
        user_degree_exponent in prop::sample::select(vec![0.0, 0.5, 2.0]),
        item_ridge_exponent in prop::sample::select(vec![0.0, 1.0, 2.0]),
    ) {
        let triples = pairs.iter().map(|&(u, i, w)| (UserIdx(u), ItemIdx(i), 10_f32.powi(w).clamp(1e-6, 1e6)));
        let interactions = Interactions::parse(triples.collect()).unwrap();
        let ease = EaseConfig { l2, user_degree_exponent, item_ridge_exponent, ..EaseConfig::default() };
        // A model refuses what is not finite, so an answer is a finite one.
        let few = EaseConfig { neighbors: 3, ..ease };
        prop_assert!(exact_ease::fit(&interactions, &ease).is_ok());
        prop_assert!(local_ease::fit(&interactions, &few).is_ok());
        for config in [
            ItemToItemConfig::CoOccurrence(CoOccurrenceConfig { shrinkage: 0.0, row_length: 4 }),
            ItemToItemConfig::LinearFilter(LinearFilterConfig { row_length: 4, ..LinearFilterConfig::default() }),
        ] {
            prop_assert!(ItemToItemModel::fit(&interactions, &config).is_ok());
        }
    }
}
