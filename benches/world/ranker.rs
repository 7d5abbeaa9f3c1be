use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortlist_features::{FeatureScratch, FeatureState};
use shortlist_ranking::{LogisticConfig, LogisticRegression, TrainingRows};
use shortlist_recommender::{Models, Pipeline, Request, Scratch};
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

/// Fits the second stage on the candidates that the pipeline returns, labelled by the users' tastes.
pub(crate) fn fit(
    state: &FeatureState,
    models: &Models,
    table: &EmbeddingTable,
    users: &[SyntheticUser],
    now: Timestamp,
) -> anyhow::Result<LogisticRegression> {
    let pipeline = Pipeline::default();
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut rows = TrainingRows::of_numbers(models.features.width())?;
    let (mut scratch, mut buffer) = (Scratch::default(), FeatureScratch::default());
    for user in users.iter().take(USERS_MAX) {
        let request = Request::of(user.id.clone(), K);
        let retrieved = pipeline.retrieve(state, Some(models), &request, now, &Unlimited, &mut scratch)?;
        retrieved.feature_rows(&[], &mut buffer);
        let of_candidates = buffer.rows.chunks_exact(models.features.width()).zip(&retrieved.candidates);
        for (row, candidate) in of_candidates.step_by(CANDIDATES_PER_ROW) {
            let likeness = table.get(candidate.item).map_or(0.0, |vector| cosine(vector, &user.taste));
            let log_odds = LOG_ODDS_BASE + LOG_ODDS_OF_TASTE * likeness;
            let taken = random.random::<f32>() < shortlist_ranking::probability(log_odds);
            rows.push_numbers(row, taken, 1.0)?;
        }
    }
    Ok(LogisticRegression::fit(&rows, &LogisticConfig::default(), &mut |_| ())?)
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f32::MIN_POSITIVE)
}
