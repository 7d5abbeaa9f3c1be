use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortlist_types::{AttributeValue, dot};

use super::*;

fn attributes(json: &str) -> Attributes {
    serde_json::from_str(json).unwrap()
}

/// A fit of `(attributes, vector)`, all with ten events.
fn fit(items: &[(Attributes, Vec<f32>)], config: &ContentTowerConfig) -> Result<ContentTower, EmbeddingError> {
    let examples = items.iter().map(|(attributes, vector)| ContentExample { attributes, vector, weight: 10.0 });
    ContentTower::fit(examples, config, 7, &mut |_| ())
}

fn embed(tower: &ContentTower, attributes: &Attributes) -> Option<Vec<f32>> {
    tower.embed(attributes, &mut EncoderScratch::default()).map(Into::into)
}

fn place(tower: &ContentTower, json: &str) -> Vec<f32> {
    embed(tower, &attributes(json)).unwrap()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn random(rng: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Items of every brand and colour but one in ten, whose vectors are the sum of both's and some noise,
/// and what was left out, without the noise.
fn planted(noise: f32) -> [Vec<(Attributes, Vec<f32>)>; 2] {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (brands, colours) = (random(&mut rng, 20 * 8), random(&mut rng, 20 * 8));
    let (mut given, mut left_out) = (Vec::new(), Vec::new());
    for brand in 0..20 {
        for colour in 0..20 {
            let held = (brand * 20 + colour) % 10 == brand % 10;
            let attributes = attributes(&format!(r#"{{"brand": "b{brand}", "colour": ["c{colour}"]}}"#));
            let sides = brands[brand * 8..].iter().zip(&colours[colour * 8..]).take(8);
            let spread = if held { 0.0 } else { noise };
            let vector = sides.map(|(b, c)| b + c + spread * rng.random_range(-1.0..1.0)).collect();
            if held { &mut left_out } else { &mut given }.push((attributes, vector));
        }
    }
    [given, left_out]
}

#[test]
fn a_planted_linear_relation_is_recovered_for_items_never_seen() {
    let [given, left_out] = planted(0.0);
    let tower = fit(&given, &ContentTowerConfig::default()).unwrap();
    for (attributes, vector) in &left_out {
        let cosine = cosine(&embed(&tower, attributes).unwrap(), vector);
        assert!(cosine > 0.99, "{attributes:?}: {cosine}");
    }
}

#[test]
fn the_ridge_grows_with_the_noise() {
    let ridge = |noise| fit(&planted(noise)[0], &ContentTowerConfig::default()).unwrap().config().ridge.unwrap();
    assert!(ridge(0.0) < ridge(3.0) && ridge(3.0) < ridge(100.0), "{} {} {}", ridge(0.0), ridge(3.0), ridge(100.0));
}

#[test]
fn a_number_bends_between_its_quantiles_and_stands_still_beyond_them() {
    let items: Vec<_> = (0..400)
        .map(|i| (attributes(&format!(r#"{{"year": {}}}"#, 1900.5 + f64::from(i) / 4.0)), vec![i as f32 / 400.0, 1.0]))
        .collect();
    let tower = fit(&items, &ContentTowerConfig { ridge: Some(0.01), ..ContentTowerConfig::default() }).unwrap();
    let at = |year: f64| place(&tower, &format!(r#"{{"year": {year}}}"#))[0];
    assert!(at(1920.1) + 0.05 < at(1940.1) && at(1940.1) + 0.05 < at(1980.1), "{} {}", at(1920.1), at(1980.1));
    assert_eq!(at(3000.0).to_bits(), at(f64::MAX).to_bits());
    assert_eq!(at(0.0).to_bits(), at(f64::MIN).to_bits());
}

#[test]
fn unknown_attributes_are_ignored_and_items_with_nothing_known_have_no_place() {
    let tower = fit(&planted(0.1)[0], &ContentTowerConfig::default()).unwrap();
    let known = place(&tower, r#"{"brand": "b3"}"#);
    assert_eq!(place(&tower, r#"{"brand": "b3", "colour": "unseen", "weight": 3.5, "new": true}"#), known);
    assert_eq!(place(&tower, r#"{"brand": " B3 "}"#), known, "neither case nor blanks count");
    for nothing in ["{}", r#"{"brand": "b99"}"#, r#"{"make": "b3"}"#, r#"{"brand": ""}"#, r#"{"brand": 3}"#] {
        assert_eq!(embed(&tower, &attributes(nothing)), None, "{nothing}");
    }
}

#[test]
fn an_attribute_that_all_share_changes_little() {
    let [given, left_out] = planted(0.0);
    let with_constant = |(known, vector): (Attributes, Vec<f32>)| {
        let kind = ("kind".to_owned(), AttributeValue::Text("film".to_owned()));
        let pairs = known.iter().map(|(name, value)| (name.to_owned(), value.clone())).chain([kind]);
        (Attributes::parse(pairs).unwrap(), vector)
    };
    let given: Vec<_> = given.into_iter().map(with_constant).collect();
    let tower = fit(&given, &ContentTowerConfig::default()).unwrap();
    for (attributes, vector) in left_out.into_iter().map(with_constant) {
        let cosine = cosine(&embed(&tower, &attributes).unwrap(), &vector);
        assert!(cosine > 0.99, "{attributes:?}: {cosine}");
    }
}

#[test]
fn items_that_are_all_the_same_and_one_alone_stand_at_their_mean() {
    let same = attributes(r#"{"title": "One and only", "price": 3}"#);
    let items: Vec<_> = (0..100_u16).map(|i| (same.clone(), vec![f32::from(i % 2), 4.0, 0.0])).collect();
    for config in
        [ContentTowerConfig::default(), ContentTowerConfig { ridge: Some(1e-3), ..ContentTowerConfig::default() }]
    {
        let of_all = embed(&fit(&items, &config).unwrap(), &same).unwrap();
        let of_one = embed(&fit(&items[..1], &config).unwrap(), &same).unwrap();
        for (got, expected) in of_all.iter().zip([0.5, 4.0, 0.0]).chain(of_one.iter().zip([0.0, 4.0, 0.0])) {
            assert!((got - expected).abs() < 1e-4, "{of_all:?} {of_one:?}");
        }
    }
}

#[test]
fn more_events_pull_harder_where_trust_is_given() {
    let attributes = attributes(r#"{"brand": "x"}"#);
    let sides: [(&[f32], f32); 2] = [(&[1.0], 100.0), (&[0.0], 1.0)];
    let at = |trust_exponent| {
        let examples = sides.map(|(vector, weight)| ContentExample { attributes: &attributes, vector, weight });
        let config = ContentTowerConfig { trust_exponent, ..ContentTowerConfig::default() };
        embed(&ContentTower::fit(examples, &config, 7, &mut |_| ()).unwrap(), &attributes).unwrap()[0]
    };
    assert!((at(0.0) - 0.5).abs() < 1e-3 && (at(1.0) - 100.0 / 101.0).abs() < 1e-3, "{} {}", at(0.0), at(1.0));
}

#[test]
fn what_cannot_be_learned_from_is_refused_by_name() {
    let config = ContentTowerConfig::default();
    let known = attributes(r#"{"a": "b"}"#);
    assert_eq!(fit(&[], &config).unwrap_err(), EmbeddingError::NoExamples);
    assert_eq!(fit(&[(Attributes::default(), vec![1.0])], &config).unwrap_err(), EmbeddingError::NoExamples);
    let refusal = |vector: Vec<f32>| {
        fit(&[(known.clone(), vec![1.0, 2.0]), (known.clone(), vector)], &config).unwrap_err().to_string()
    };
    assert!(refusal(vec![1.0]).contains("examples[1].vector: must have 2 dimensions, got 1"));
    assert!(refusal(vec![1.0, f32::NAN]).contains("examples[1].vector: components must lie in"));
    assert!(refusal(vec![1.0, 1e16]).contains("got 10000000000000000"));
    assert!(fit(&[(known.clone(), Vec::new())], &config).unwrap_err().to_string().contains("must have 1 to 4096"));
    for weight in [0.0, f32::NAN, 1e7] {
        let example = ContentExample { attributes: &known, vector: &[1.0], weight };
        let error = ContentTower::fit([example], &config, 7, &mut |_| ()).unwrap_err();
        assert!(error.to_string().contains("examples[0].weight: must lie in"), "{error}");
    }
    let wrong = ContentTowerConfig { features_max: 0, ..config };
    assert!(matches!(fit(&[(known, vec![1.0])], &wrong), Err(EmbeddingError::Config(_))));
}

#[test]
fn threads_do_not_change_a_bit_but_the_seed_counts() {
    // More features than a block of sums and more items than a run, so that their order matters.
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let items: Vec<_> = (0..6_000)
        .map(|_| {
            let words: Vec<String> = (0..4).map(|_| format!("w{}", rng.random_range(0..6_000))).collect();
            let known = format!(r#"{{"title": "{}", "price": {}}}"#, words.join(" "), rng.random_range(0..100));
            (attributes(&known), random(&mut rng, 5))
        })
        .collect();
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fit(&items, &ContentTowerConfig::default()).unwrap())
    };
    let one = with_threads(1);
    assert!(one.vocabulary.len() > 6_000);
    assert_eq!(one, with_threads(2));
    assert_eq!(one, with_threads(5));
    let examples = items.iter().map(|(attributes, vector)| ContentExample { attributes, vector, weight: 1.0 });
    let other = ContentTower::fit(examples, &ContentTowerConfig::default(), 8, &mut |_| ()).unwrap();
    assert_ne!(one.vocabulary, other.vocabulary);
}

#[test]
fn progress_hears_every_solve() {
    let [given, _] = planted(0.1);
    let heard = |ridge| {
        let mut heard = Vec::new();
        let examples = given.iter().map(|(attributes, vector)| ContentExample { attributes, vector, weight: 1.0 });
        let config = ContentTowerConfig { ridge, ..ContentTowerConfig::default() };
        ContentTower::fit(examples, &config, 7, &mut |solves| heard.push(solves)).unwrap();
        heard
    };
    assert_eq!(heard(None), (1..=10).collect::<Vec<_>>());
    assert_eq!(heard(Some(1.0)), [1]);
}

#[test]
fn a_loaded_tower_equals_the_fitted_one_and_spoilt_parts_are_refused() {
    let items = [
        (attributes(r#"{"a": "b c", "n": 3}"#), vec![1.0, 2.0]),
        (attributes(r#"{"a": "c d", "n": 5}"#), vec![0.0, 1.0]),
    ];
    let tower = fit(&items, &ContentTowerConfig::default()).unwrap();
    let parts = tower.to_parts();
    assert_eq!(ContentTower::from_parts(parts.clone()).unwrap(), tower);

    let refusal = |spoil: &dyn Fn(&mut ContentTowerParts)| {
        let mut spoilt = parts.clone();
        spoil(&mut spoilt);
        ContentTower::from_parts(spoilt).unwrap_err().to_string()
    };
    assert!(refusal(&|p| p.weights[0] = f32::NAN).contains("weights: row 0 must lie in"));
    assert!(refusal(&|p| p.weights[0] = f32::MAX).contains("weights: row 0 must lie in"));
    assert!(refusal(&|p| p.weights.truncate(1)).contains("weights: must have"));
    assert!(refusal(&|p| p.buckets.swap(0, 1)).contains("buckets: must ascend"));
    assert!(refusal(&|p| p.buckets.truncate(1)).contains("weights: must have"));
    assert!(refusal(&|p| p.bias[1] = f32::INFINITY).contains("bias: must lie in"));
    assert!(refusal(&|p| p.bias.clear()).contains("bias: must have 1 to"));
    assert!(refusal(&|p| p.config.ridge = Some(0.0)).contains("ridge: must lie in"));
}

fn any_value() -> impl Strategy<Value = AttributeValue> {
    let text = prop::sample::select(vec!["", "a", "b b", "ß Σ", "x-y-z", "long word after word"]);
    let number = prop::sample::select(vec![0.0, -0.0, 1.0, 1e300, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324]);
    prop_oneof![
        any::<bool>().prop_map(AttributeValue::Bool),
        number.prop_map(AttributeValue::Number),
        text.clone().prop_map(|text| AttributeValue::Text(text.to_owned())),
        prop::collection::vec(text.prop_map(str::to_owned), 0..3).prop_map(AttributeValue::List),
    ]
}

fn any_attributes() -> impl Strategy<Value = Attributes> {
    let name = prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned);
    prop::collection::btree_map(name, any_value(), 0..4).prop_map(|pairs| Attributes::parse(pairs).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn whatever_is_learned_from_every_place_is_finite(
        items in prop::collection::vec((any_attributes(), -6..=6_i32, 0..4_usize), 1..80),
        asked in prop::collection::vec(any_attributes(), 1..10),
        scale in prop::sample::select(vec![0.0, 1e-40, 1e-20, 1.0, 1e15]),
        trust_exponent in prop::sample::select(vec![0.0, 0.5, 1.0]),
        ridge in prop::sample::select(vec![None, Some(1e-3), Some(1e6)]),
    ) {
        let vectors = [[0.0, scale], [scale, -scale], [0.0, 0.0], [-scale, 0.3 * scale]];
        let examples = items.iter().map(|(attributes, power, vector)| {
            ContentExample { attributes, vector: &vectors[*vector], weight: 10_f32.powi(*power).clamp(1e-6, 1e6) }
        });
        let config = ContentTowerConfig { trust_exponent, ridge, ..ContentTowerConfig::default() };
        if let Ok(tower) = ContentTower::fit(examples, &config, 1, &mut |_| ()) {
            let all = asked.iter().chain(items.iter().map(|item| &item.0));
            for attributes in all {
                let known = tower.encoder.clone();
                let mut scratch = EncoderScratch::default();
                known.encode(attributes, &mut scratch);
                let is_known = scratch.features.iter().any(|f| tower.vocabulary.buckets.contains(&f.0));
                // An embedding refuses what is not finite, so a place is a finite one.
                prop_assert_eq!(embed(&tower, attributes).is_some(), is_known);
            }
        } else {
            prop_assert!(items.iter().all(|item| item.0.is_empty()));
        }
    }
}
