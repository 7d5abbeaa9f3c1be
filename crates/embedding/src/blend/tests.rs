use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortlist_types::{EmbeddingTable, ItemIdx, UserIdx};

use super::*;
use crate::{
    EaseConfig, EmbeddingError, GraphFilterConfig, IalsConfig, Interactions, ItemToItemConfig, ItemToItemModel,
    LinearFilterConfig, SoftmaxConfig, VectorModelConfig,
};

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

fn config() -> BlendConfig {
    let ials = IalsConfig { dimensions: 6, ..IalsConfig::default() };
    let filter = GraphFilterConfig { dimensions: 4, ..GraphFilterConfig::default() };
    let softmax = SoftmaxConfig { dimensions: 5, epochs: 2, ..SoftmaxConfig::default() };
    let vectors = [
        (1.0, VectorModelConfig::Ials(ials)),
        (0.5, VectorModelConfig::GraphFilter(filter)),
        (0.1, VectorModelConfig::Softmax(softmax)),
    ];
    let rows = [
        (0.3, ItemToItemConfig::Ease(EaseConfig::default())),
        (0.2, ItemToItemConfig::LinearFilter(LinearFilterConfig::default())),
    ];
    BlendConfig {
        vectors: vectors.map(|(weight, model)| VectorPartConfig { weight, model }).to_vec(),
        item_to_item: rows.map(|(weight, model)| RowPartConfig { weight, model }).to_vec(),
    }
}

fn fit(interactions: &Interactions, config: &BlendConfig) -> Blend {
    Blend::fit(interactions, config, 7, &mut |_| ()).unwrap()
}

fn events_of(interactions: &Interactions, row: usize) -> Vec<(ItemIdx, f32)> {
    interactions.by_user().row(row).map(|(item, weight)| (interactions.items()[item], weight)).collect()
}

/// Every item's score for one user.
fn scores(blend: &Blend, joined: Option<&EmbeddingTable>, events: &[(ItemIdx, f32)], items: &[ItemIdx]) -> Vec<f32> {
    let taste = blend.taste(events, &mut TasteScratch::default()).unwrap();
    let score = |item: &ItemIdx| blend.score(&taste, *item, joined.and_then(|table| table.get(*item)));
    items.iter().map(|item| score(item).unwrap()).collect()
}

#[test]
fn a_score_is_the_sum_of_the_parts_in_units_of_their_usual_deviation() {
    let interactions = random(60, 40, 0.2);
    let (config, items) = (config(), interactions.items());
    let blend = fit(&interactions, &config);
    let joined = blend.joined_vectors().unwrap();
    let alone = |part: BlendConfig| {
        let blend = fit(&interactions, &part);
        let joined = blend.joined_vectors().unwrap();
        move |events: &[(ItemIdx, f32)]| scores(&blend, joined.as_deref(), events, items)
    };
    let of_vectors = |part: &VectorPartConfig| BlendConfig { vectors: vec![part.clone()], ..BlendConfig::default() };
    let of_rows = |part: &RowPartConfig| BlendConfig { item_to_item: vec![part.clone()], ..BlendConfig::default() };
    let parts: Vec<_> =
        config.vectors.iter().map(of_vectors).chain(config.item_to_item.iter().map(of_rows)).map(alone).collect();
    for user in [0, 7, 31] {
        let events = events_of(&interactions, user);
        let blended = scores(&blend, joined.as_deref(), &events, items);
        let sums = parts.iter().map(|part| part(&events)).fold(vec![0.0; items.len()], |sums: Vec<f32>, part| {
            sums.iter().zip(part).map(|(sum, score)| sum + score).collect()
        });
        for (blended, sum) in blended.iter().zip(&sums) {
            assert!((blended - sum).abs() < 1e-3 * (1.0 + sum.abs()), "user {user}: {blended} {sum}");
        }
    }
}

#[test]
fn threads_do_not_change_a_bit_and_what_is_kept_gives_the_same_blend() {
    let interactions = random(80, 50, 0.2);
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fit(&interactions, &config()))
    };
    let (one, three) = (with_threads(1), with_threads(3));
    let joined = one.joined_vectors().unwrap().unwrap();
    assert_eq!(joined, three.joined_vectors().unwrap().unwrap());
    assert_eq!(one.item_to_item(), three.item_to_item());

    let vectors = one.vectors().iter().zip(one.config().vectors);
    let vectors = vectors.map(|(part, config)| (config, part.factor(), part.model().item_values().to_vec()));
    let rows = one.item_to_item().map(|model| {
        let (offsets, columns) = (model.offsets().to_vec(), model.columns().to_vec());
        ItemToItemModel::from_parts(model.items().to_vec(), offsets, columns, model.weights().to_vec()).unwrap()
    });
    let kept = Blend::from_parts(Some(&joined), vectors.collect(), rows, one.config().item_to_item).unwrap();
    assert_eq!(kept.config(), one.config());
    let events = events_of(&interactions, 5);
    let of = |blend: &Blend| scores(blend, Some(&joined), &events, interactions.items());
    assert_eq!(of(&kept), of(&one));
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let interactions = random(30, 20, 0.3);
    let blend = fit(&interactions, &config());
    let joined = blend.joined_vectors().unwrap().unwrap();
    let parts = || {
        let vectors = blend.vectors().iter().zip(blend.config().vectors);
        vectors.map(|(part, config)| (config, part.factor(), part.model().item_values().to_vec())).collect::<Vec<_>>()
    };
    let refused = |joined: Option<&EmbeddingTable>, parts: Vec<(VectorPartConfig, f32, Vec<f32>)>| {
        Blend::from_parts(joined, parts, None, Vec::new()).unwrap_err()
    };
    assert_eq!(refused(None, parts()), EmbeddingError::PartsDiffer);
    let fewer = parts().into_iter().take(1).collect();
    assert_eq!(refused(Some(&joined), fewer), EmbeddingError::DimensionsDiffer { expected: 6, got: 15 });
    for factor in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let mut parts = parts();
        parts[0].1 = factor;
        assert!(refused(Some(&joined), parts).to_string().contains("factor: must be finite and above 0"));
    }
    let none = BlendConfig::default().check().unwrap_err();
    assert!(none.to_string().contains("parts: must name at least one model"), "{none}");
}

#[test]
fn a_user_of_whom_nothing_is_known_has_no_taste() {
    let interactions = random(20, 15, 0.4);
    let blend = fit(&interactions, &config());
    let mut scratch = TasteScratch::default();
    let known = interactions.items()[0];
    for events in [&[][..], &[(ItemIdx(4_000_000), 1.0)], &[(known, 0.0)], &[(known, f32::NAN)]] {
        assert!(blend.taste(events, &mut scratch).is_none(), "{events:?}");
    }
    assert!(blend.taste(&[(known, 1.0)], &mut scratch).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn degenerate_data_gives_finite_scores(
        pairs in prop::collection::vec((0..5_u32, 0..5_u32, -3..=3_i32), 1..20),
    ) {
        let triples = pairs.iter().map(|&(user, item, weight)| (UserIdx(user), ItemIdx(item), 10_f32.powi(weight)));
        let interactions = Interactions::parse(triples.collect()).unwrap();
        let blend = fit(&interactions, &config());
        let joined = blend.joined_vectors().unwrap();
        for user in 0..interactions.users().len() {
            // A user whose only item no model can tell from others may have no taste.
            if let Some(taste) = blend.taste(&events_of(&interactions, user), &mut TasteScratch::default()) {
                for item in interactions.items() {
                    let vector = joined.as_deref().and_then(|table| table.get(*item));
                    prop_assert!(blend.score(&taste, *item, vector).is_some_and(f32::is_finite));
                }
            }
        }
    }
}
