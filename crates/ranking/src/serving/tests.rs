use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Candidates, Ids, ModelManifest, ModelTensor, Precision, RankingModel, ScoringScratch};
use crate::{Category, Fit, FitConfig, ModelKind, NetworkConfig, RankingError, Row, RowSchema, TrainingRows};

/// Candidates of one request in columns, and as training rows.
struct Request {
    shared: [f32; 2],
    numbers: Vec<f32>,
    user: [u32; 1],
    items: Vec<u32>,
    tags: (Vec<u32>, Vec<u32>),
    count: usize,
}

const OWN: usize = 3;

fn schema() -> RowSchema {
    let category = |(name, ids): (&str, usize)| Category { name: name.to_owned(), ids };
    RowSchema {
        numbers: ["hour", "age", "price", "rate", "rank"].map(str::to_owned).to_vec(),
        categories: [("user", 5), ("item", 400), ("tags", 9)].map(category).to_vec(),
        heads: vec!["click".to_owned(), "like".to_owned()],
    }
}

fn request(count: usize, seed: u64) -> Request {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let shared = std::array::from_fn(|_| random.random_range(-2.0..2.0));
    let numbers = (0..count * OWN).map(|_| random.random_range(-2.0..2.0)).collect();
    let items = (0..count).map(|_| random.random_range(0..400)).collect();
    let mut tags = (Vec::new(), Vec::new());
    for _ in 0..count {
        (0..random.random_range(0..4)).for_each(|_| tags.0.push(random.random_range(0..9)));
        tags.1.push(tags.0.len() as u32);
    }
    Request { shared, numbers, user: [random.random_range(0..5)], items, tags, count }
}

impl Request {
    fn ids(&self) -> [Ids<'_>; 3] {
        [Ids::Shared(&self.user), Ids::Each(&self.items), Ids::Lists { ids: &self.tags.0, ends: &self.tags.1 }]
    }

    fn score(&self, model: &RankingModel) -> Vec<f32> {
        let mut out = Vec::new();
        let candidates =
            Candidates { count: self.count, shared_numbers: &self.shared, numbers: &self.numbers, ids: &self.ids() };
        model.score(&candidates, &mut ScoringScratch::default(), &mut out).unwrap();
        out
    }

    /// The candidate at `place` alone.
    fn only(&self, place: usize) -> Self {
        let tags = self.ids()[2].of(place).to_vec();
        let ends = vec![tags.len() as u32];
        let numbers = self.numbers[place * OWN..][..OWN].to_vec();
        Self { numbers, items: vec![self.items[place]], tags: (tags, ends), count: 1, ..*self }
    }

    fn add_to(&self, rows: &mut TrainingRows, random: &mut ChaCha8Rng) {
        rows.begin_group();
        for place in 0..self.count {
            let numbers = [&self.shared[..], &self.numbers[place * OWN..][..OWN]].concat();
            let labels = [random.random_bool(0.3), random.random_bool(0.5)];
            let ids: [&[u32]; 3] = [&self.user, &self.items[place..=place], self.ids()[2].of(place)];
            rows.push(Row { numbers: &numbers, ids: &ids }, &labels, 1.0).unwrap();
        }
    }
}

fn fit(kind: ModelKind) -> (Fit, TrainingRows) {
    let mut rows = TrainingRows::new(schema().shared()).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    (0..40).for_each(|seed| request(30, seed).add_to(&mut rows, &mut random));
    let network = NetworkConfig {
        embedding_dimensions: 6,
        hidden: vec![70, 50, 20],
        second_hidden: vec![40, 20],
        cross_layers: 3,
        fusion_chunks: 5,
        gate_units: 7,
        ..NetworkConfig::of(kind)
    };
    let config =
        FitConfig { epochs_max: 3, batch_rows: 200, embedding_l2: 0.0, learning_rate: 0.01, ..FitConfig::default() };
    let fit = Fit::run(&rows, &network, &config, 1, &mut |_, epoch| epoch.number as f64).unwrap();
    (fit, rows)
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn serving_gives_what_the_training_pass_gives() {
    for kind in ModelKind::ALL {
        let (mut fit, _) = fit(kind);
        let request = request(150, 99);
        let mut rows = TrainingRows::new(schema().shared()).unwrap();
        request.add_to(&mut rows, &mut ChaCha8Rng::seed_from_u64(1));
        let expected = fit.score(&rows);
        let got = request.score(&RankingModel::of(&mut fit, Precision::F32));
        let size = expected.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        assert!(size > 0.1, "{kind}: nothing was learned");
        for (got, expected) in got.iter().zip(&expected) {
            assert!((got - expected).abs() <= 1e-5 * size, "{kind}: {got} {expected}");
        }
        let bytes = request.score(&RankingModel::of(&mut fit, Precision::Int8));
        let worst = bytes.iter().zip(&expected).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(worst <= 0.05 * size, "{kind} in bytes: {worst} of {size}");
    }
}

#[test]
fn a_candidate_gets_the_same_bits_in_any_batch_order_and_place() {
    for kind in ModelKind::ALL {
        for precision in [Precision::F32, Precision::Int8] {
            let model = RankingModel::of(&mut fit(kind).0, precision);
            let request = request(150, 98);
            let all = request.score(&model);
            for place in 0..request.count {
                let alone = request.only(place).score(&model);
                assert_eq!(bits(&alone), bits(&all[place * 2..][..2]), "{kind} {precision:?} {place}");
            }
        }
    }
}

#[test]
fn numbers_alone_are_scored_in_bytes_too() {
    let mut rows = TrainingRows::of_numbers(64).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..600 {
        let numbers: Vec<f32> = (0..64).map(|_| random.random_range(-1.0..1.0)).collect();
        rows.push_numbers(&numbers, numbers[0] > random.random_range(-1.0..1.0), 1.0).unwrap();
    }
    let network = NetworkConfig { hidden: vec![64, 32], ..NetworkConfig::default() };
    let config = FitConfig { epochs_max: 5, batch_rows: 100, ..FitConfig::default() };
    let mut fit = Fit::run(&rows, &network, &config, 1, &mut |_, epoch| epoch.number as f64).unwrap();
    let expected = fit.score(&rows);
    let candidates = Candidates { count: rows.len(), shared_numbers: &[], numbers: rows.numbers(), ids: &[] };
    let mut out = Vec::new();
    for (precision, tolerance) in [(Precision::F32, 1e-5), (Precision::Int8, 0.03)] {
        let model = RankingModel::of(&mut fit, precision);
        model.score(&candidates, &mut ScoringScratch::default(), &mut out).unwrap();
        let size = expected.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let worst = out.iter().zip(&expected).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(worst <= tolerance * size, "{precision:?}: {worst} of {size}");
    }
}

#[test]
fn candidates_that_the_model_cannot_read_are_refused_by_the_name_of_the_feature() {
    let model = RankingModel::of(&mut fit(ModelKind::DcnV2).0, Precision::F32);
    let request = request(4, 5);
    let ids = request.ids();
    let good = Candidates { count: 4, shared_numbers: &request.shared, numbers: &request.numbers, ids: &ids };
    let mut numbers = request.numbers.clone();
    numbers[7] = f32::NAN;
    let mut huge = request.numbers.clone();
    huge.fill(3e38);
    let unseen = [ids[0], Ids::Each(&[1, 2, 3, 400]), ids[2]];
    let short = [ids[0], Ids::Each(&[1, 2, 3]), ids[2]];
    let torn = [ids[0], ids[1], Ids::Lists { ids: &[1, 2], ends: &[2, 1, 2, 2] }];
    for (candidates, expected) in [
        (Candidates { numbers: &numbers, ..good }, "feature rate must be finite, got NaN"),
        (Candidates { shared_numbers: &[f32::INFINITY, 0.0], ..good }, "feature hour must be finite, got inf"),
        (Candidates { numbers: &numbers[1..], ..good }, "expected rows of 5 features"),
        (Candidates { ids: &unseen, ..good }, "feature item has ids below 400, got 400"),
        (Candidates { ids: &short, ..good }, "feature item needs ids for each of 4 candidates"),
        (Candidates { ids: &torn, ..good }, "feature tags needs ids for each of 4 candidates"),
        (Candidates { ids: &ids[1..], ..good }, "3 categories, got 5 and 2"),
        (Candidates { numbers: &huge, ..good }, "far outside what the model was trained on"),
    ] {
        let mut out = vec![1.0];
        let error = model.score(&candidates, &mut ScoringScratch::default(), &mut out).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(out.is_empty(), "no stale score is left behind");
    }
}

/// A manifest and tensors on their way to be damaged.
type Parts = (ModelManifest, Vec<ModelTensor>);
type Damage<'a> = &'a dyn Fn(&mut Parts);

#[test]
fn a_damaged_or_foreign_model_file_is_refused_by_the_name_of_the_tensor() {
    let model = RankingModel::of(&mut fit(ModelKind::Mlp).0, Precision::F32);
    let parts = || -> Parts { (model.manifest().clone(), model.tensors().to_vec()) };
    let load = |(manifest, tensors): Parts| RankingModel::from_parts(manifest, tensors, Precision::F32);
    let same = load(parts()).unwrap();
    assert_eq!(bits(&request(9, 1).score(&same)), bits(&request(9, 1).score(&model)));
    let damage: [(Damage<'_>, &str); 8] = [
        (&|(_, tensors)| tensors[1].values[3] = f32::NAN, "tensor embeddings.item: value 3 must be finite, got NaN"),
        (
            &|(_, tensors)| tensors[3].values[0] = f32::INFINITY,
            "tensor deep.0.weights: value 0 must be finite, got inf",
        ),
        (&|(_, tensors)| tensors[8].values[0] = -1.0, "deep.0.norm.running_variance: value 0 must be finite and not"),
        (&|(_, tensors)| tensors[3].shape = (70, 23), "tensor deep.0.weights: expected shape (23, 70), got (70, 23)"),
        (&|(_, tensors)| drop(tensors.remove(4)), "tensor deep.0.bias: expected next"),
        (&|(_, tensors)| tensors.push(tensors[0].clone()), "tensor embeddings.user: a model of this kind has no such"),
        (&|(manifest, _)| manifest.schema.categories[1].ids += 1, "tensor embeddings.item: expected shape (401, 6)"),
        (&|(manifest, _)| manifest.network.hidden[0] = 5_000, "hidden: must lie in 1 to 4096, got 5000"),
    ];
    for (damage, expected) in damage {
        let mut parts = parts();
        damage(&mut parts);
        let error = load(parts).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(matches!(error, RankingError::Tensor { .. } | RankingError::Config(_)));
    }
}
