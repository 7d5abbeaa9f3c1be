//! The second stage's models alone: an epoch of training, and scoring a request's candidates. Prints one
//! JSON object, which `benches/peers/ranking.py` sets beside PyTorch and onnxruntime.

#![allow(clippy::print_stdout, reason = "the result")]
#![allow(clippy::unwrap_used, reason = "a benchmark whose subject fails has to stop")]

use std::time::Instant;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortlist_ranking::{
    Candidates, Category, Epoch, Fit, FitConfig, NetworkConfig, Precision, RankingModel, Row, RowSchema,
    ScoringScratch, TrainingRows,
};

const FIELDS: usize = 10;
const IDS_PER_FIELD: usize = 538;
const CANDIDATES: usize = 500;
const INPUTS: usize = 64;
/// Of the inputs, those that the user and the context give in the case with shares.
const SHARED: usize = 32;

fn main() {
    let smoke = std::env::args().any(|argument| argument == "--test");
    let value = |name: &str, default: usize| {
        let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
        arguments.next().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let threads = value("--threads", 2);
    let rows = value("--rows", if smoke { 2_000 } else { 200_000 });
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let epoch_seconds = if value("--train", 1) == 1 { pool.install(|| epoch_seconds(rows)) } else { Vec::new() };
    let rounds = if smoke { 3 } else { value("--rounds", 2_000) };
    let [f32, int8] = [Precision::F32, Precision::Int8].map(scorer);
    let all = |model: &RankingModel| microseconds(model, 0, rounds);
    println!(
        r#"{{"epoch_seconds": {epoch_seconds:?}, "f32_us": {:.1}, "int8_us": {:.1}, "f32_shared_us": {:.1}}}"#,
        all(&f32),
        all(&int8),
        microseconds(&f32, SHARED, rounds)
    );
}

/// Seconds of each epoch of hidden layers 400, 400, 400 over embeddings of 10, with batch normalisation and
/// dropout, in batches of 4,096 rows.
fn epoch_seconds(rows: usize) -> Vec<f64> {
    let category = |field: usize| Category { name: field.to_string(), ids: IDS_PER_FIELD };
    let schema = RowSchema::of_categories((0..FIELDS).map(category).collect()).shared();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut data = TrainingRows::new(schema).unwrap();
    for _ in 0..rows {
        let ids: [[u32; 1]; FIELDS] = std::array::from_fn(|_| [random.random_range(0..IDS_PER_FIELD as u32)]);
        let ids = ids.each_ref().map(|id| id.as_slice());
        data.push(Row { numbers: &[], ids: &ids }, &[random.random_bool(0.3)], 1.0).unwrap();
    }
    let config = FitConfig { epochs_max: 3, patience: 9, ..FitConfig::default() };
    let mut last = Instant::now();
    let mut seconds = Vec::new();
    Fit::run(&data, &NetworkConfig::default(), &config, 1, &mut |_, _: &Epoch| {
        seconds.push(last.elapsed().as_secs_f64());
        last = Instant::now();
        1.0
    })
    .unwrap();
    seconds
}

/// Hidden layers 256, 128 over 64 numbers.
fn scorer(precision: Precision) -> RankingModel {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut rows = TrainingRows::of_numbers(INPUTS).unwrap();
    for _ in 0..2_000 {
        let numbers: [f32; INPUTS] = std::array::from_fn(|_| random.random_range(-1.0..1.0));
        rows.push_numbers(&numbers, random.random_bool(0.5), 1.0).unwrap();
    }
    let network = NetworkConfig { hidden: vec![256, 128], ..NetworkConfig::default() };
    let config = FitConfig { epochs_max: 1, ..FitConfig::default() };
    RankingModel::of(&mut Fit::run(&rows, &network, &config, 1, &mut |_, _| 1.0).unwrap(), precision)
}

/// Median time of a request on this thread.
fn microseconds(model: &RankingModel, shared: usize, rounds: usize) -> f64 {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut draw = |count: usize| -> Vec<f32> { (0..count).map(|_| random.random_range(-1.0..1.0)).collect() };
    let (shared_numbers, numbers) = (draw(shared), draw(CANDIDATES * (INPUTS - shared)));
    let candidates = Candidates { count: CANDIDATES, shared_numbers: &shared_numbers, numbers: &numbers, ids: &[] };
    let (mut scratch, mut out) = (ScoringScratch::default(), Vec::new());
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let begin = Instant::now();
            model.score(std::hint::black_box(&candidates), &mut scratch, &mut out).unwrap();
            begin.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}
