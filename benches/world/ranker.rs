use anyhow::Context;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortlist_features::{FeatureScratch, FeatureState};
use shortlist_ranking::{
    Fit, FitConfig, LogisticConfig, LogisticRegression, ModelKind, NetworkConfig, Precision, RankingModel, Row,
    RowSchema, Standardization, TrainingRows,
};
use shortlist_recommender::{
    CategoryEncoders, CategorySchema, FittedRanker, Models, NetworkRanker, Outcome, Pipeline, RankerModel,
    RawCategories, Request, Scratch, WANTED,
};
use shortlist_types::{EmbeddingTable, Timestamp, Unlimited, dot};

use super::users::SyntheticUser;
use super::{K, SEED};

/// Users whose candidates make rows.
const USERS_MAX: usize = 100;
/// Of so many candidates one makes a row.
const CANDIDATES_PER_ROW: usize = 5;
/// Log-odds that a user takes up an item: for one at right angles to his taste, and how much more
/// for one that is his taste.
const LOG_ODDS_BASE: f32 = -4.0;
const LOG_ODDS_OF_TASTE: f32 = 5.0;

/// Which second stage a world has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RankerKind {
    /// Logistic regression on the default features.
    Logistic,
    /// Hidden layers of 256 and 128 units over 64 inputs: the 29 default features, and five categories of items and
    /// users, seven numbers each.
    Mlp(Precision),
}

/// What the network embeds.
const CATEGORIES: &str = r#"{
    "brand_id": {"of": "item", "attribute": "brand"},
    "category_id": {"of": "item", "attribute": "category"},
    "country_id": {"of": "user", "attribute": "country"},
    "genre_id": {"of": "item", "attribute": "genre"},
    "price_bucket": {"of": "item", "attribute": "price", "encoding": "quantiles"}
}"#;
const CATEGORY_NUMBERS: usize = 7;

/// Fits the second stage on the candidates that the pipeline returns, labelled by the users' tastes.
pub(crate) fn fit(
    kind: RankerKind,
    state: &FeatureState,
    models: &Models,
    table: &EmbeddingTable,
    users: &[SyntheticUser],
    now: Timestamp,
) -> anyhow::Result<FittedRanker> {
    let pipeline = Pipeline::default();
    let (schema, precision) = match kind {
        RankerKind::Logistic => (CategorySchema::default(), None),
        RankerKind::Mlp(precision) => (serde_json::from_str(CATEGORIES)?, Some(precision)),
    };
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let (mut raw, mut raw_rows) = (RawCategories::new(&schema), Vec::new());
    let mut numbers = TrainingRows::new(RowSchema::of_numbers(models.features.names()).shared())?;
    let (mut scratch, mut buffer) = (Scratch::default(), FeatureScratch::default());
    for user in users.iter().take(USERS_MAX) {
        let request = Request::of(user.id.clone(), K as usize);
        let retrieved = pipeline.retrieve(state, Some(models), &request, now, &Unlimited, &mut scratch)?;
        retrieved.feature_rows(&[], &mut buffer);
        let of_candidates = buffer.rows.chunks_exact(models.features.width()).zip(&retrieved.candidates);
        for (row, candidate) in of_candidates.step_by(CANDIDATES_PER_ROW) {
            let likeness = table.get(candidate.item).map_or(0.0, |vector| cosine(vector, &user.taste));
            let log_odds = LOG_ODDS_BASE + LOG_ODDS_OF_TASTE * likeness;
            let taken = random.random::<f32>() < shortlist_ranking::probability(log_odds);
            numbers.push_numbers(row, taken, 1.0)?;
            raw_rows.push(raw.read(&retrieved.context, candidate.item).context("a candidate is in the catalogue")?);
        }
    }
    let Some(precision) = precision else {
        let fitted = LogisticRegression::fit(&numbers, &LogisticConfig::default(), &mut |_| ())?;
        return Ok(FittedRanker::logistic(fitted));
    };
    let categories = CategoryEncoders::fit(&schema, &raw, &raw_rows)?;
    let with_ids = RowSchema { categories: categories.categories(), ..RowSchema::clone(numbers.schema()) };
    let standardization = Standardization::of(&numbers);
    let (mut rows, width) = (TrainingRows::new(with_ids.shared())?, models.features.width());
    let mut told = vec![0.0; width];
    categories.encode_rows(&raw, &raw_rows, |row, ids| {
        standardization.apply(&numbers.numbers()[row * width..(row + 1) * width], &mut told);
        rows.push(Row { numbers: &told, ids }, numbers.labels_of(row), 1.0)
    })?;
    let network = NetworkConfig {
        hidden: vec![256, 128],
        embedding_dimensions: CATEGORY_NUMBERS,
        ..NetworkConfig::of(ModelKind::Mlp)
    };
    let config = FitConfig { epochs_max: 3, batch_rows: 256, ..FitConfig::default() };
    let mut fit = Fit::run(&rows, &network, &config, SEED, &mut |_, epoch| epoch.number as f64)?;
    let model = RankingModel::of(&mut fit, precision);
    let network = NetworkRanker { model, precision, numbers: standardization, categories, log_odds: None };
    let outcomes = vec![Outcome { name: WANTED.to_owned(), calibration: None }];
    Ok(FittedRanker { outcomes, model: RankerModel::Network(Box::new(network)) })
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f32::MIN_POSITIVE)
}
