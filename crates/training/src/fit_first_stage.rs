use shortlist_embedding::{
    Blend, BlendConfig, ContentExample, ContentTower, ContentTowerConfig, History, Interactions, TasteScratch,
};
use shortlist_features::{FeatureState, UserState};
use shortlist_recommender::Models;
use shortlist_retrieval::{FrozenIndex, IndexConfig};
use shortlist_types::UserIdx;

use crate::{Progress, TrainingError};

/// Who showed interest in what, according to the fold.
///
/// # Errors
/// Nobody in anything.
pub(crate) fn interactions(state: &FeatureState) -> Result<Interactions, TrainingError> {
    let interests = state
        .users()
        .flat_map(|(user, known)| known.interests().into_iter().map(move |entry| (user, entry.item, entry.interest)));
    Ok(Interactions::parse(interests.collect())?)
}

/// Fits the first stage on all that users of `state` showed interest in, and indexes it. Without a
/// ranker.
pub(crate) fn fit_first_stage(
    state: &FeatureState,
    interactions: &Interactions,
    config: &BlendConfig,
    index: &IndexConfig,
    seed: u64,
    progress: &mut dyn Progress,
) -> Result<Models, TrainingError> {
    progress.begin("fitting the first stage", Some(Blend::rounds(config) as u64));
    let blend = Blend::fit(interactions, config, seed, &mut |rounds| progress.at(rounds as u64))?;
    let (users, items) = (interactions.users().len(), interactions.items().len());
    progress.end(&format!("{}: {users} users, {items} items", config.name()));
    progress.begin("building the neighbour index", Some(items as u64));
    let mut models = Models::of_blend(blend, index, &mut |count| progress.at(count as u64))?;
    progress.end(&format!("{items} items"));
    models.known_users = models.blend.known_users(&long_histories(state))?;
    if let Some(space) = models.space.take() {
        let item_tower = item_tower(state, interactions, space.learned(), seed, progress)?;
        models.user_tower = user_tower(state, &models.blend, seed, progress)?;
        models.space = Some(space.with_tower(item_tower));
    }
    Ok(models)
}

/// Interests from which on a user's vector is stored: to fold in so many at every request takes longer
/// than all other work on his taste.
const LONG_HISTORY: usize = 256;

/// What users with long histories did, ascending by user.
fn long_histories(state: &FeatureState) -> Vec<History> {
    let history = |(user, known): (UserIdx, &UserState)| {
        let interests = known.interests();
        let events = interests.iter().map(|entry| (entry.item, entry.interest)).collect();
        (interests.len() >= LONG_HISTORY).then_some(History { user, events })
    };
    state.users().filter_map(history).collect()
}

/// Fewest items or users with attributes that a tower is fitted from.
const EXAMPLES_MIN: usize = 20;
/// Most values of a tower's weights, 256 MB: with more dimensions, fewer attribute values are told
/// apart.
const TOWER_VALUES_MAX: usize = 64_000_000;
/// Most users that a tower is fitted from, evenly spread.
const TOWER_USERS_MAX: usize = 50_000;

/// Places items by their attributes; none if hardly any item has attributes.
fn item_tower(
    state: &FeatureState,
    interactions: &Interactions,
    learned: &FrozenIndex,
    seed: u64,
    progress: &mut dyn Progress,
) -> Result<Option<ContentTower>, TrainingError> {
    let rows = interactions.items().iter().enumerate();
    let examples = rows.filter_map(|(row, item)| {
        let attributes = &state.catalog().get(*item)?.attributes;
        let weight = interactions.by_item().row(row).len() as f32;
        Some(ContentExample { attributes, vector: learned.vector(*item)?, weight })
    });
    fit_tower("placing items by attributes", examples.collect(), seed, progress)
}

/// Places users by their attributes; none if hardly any user has attributes.
fn user_tower(
    state: &FeatureState,
    blend: &Blend,
    seed: u64,
    progress: &mut dyn Progress,
) -> Result<Option<ContentTower>, TrainingError> {
    let mut scratch = TasteScratch::default();
    let described: Vec<_> =
        state.users().filter(|(_, user)| !user.attributes().is_empty() && !user.is_empty()).collect();
    let step = described.len().div_ceil(TOWER_USERS_MAX).max(1);
    let placed: Vec<_> = described
        .into_iter()
        .step_by(step)
        .filter_map(|(_, user)| {
            let events: Vec<_> = user.interests().iter().map(|entry| (entry.item, entry.interest)).collect();
            let taste = blend.taste(&events, &mut scratch)?;
            Some((user.attributes(), taste.query?, events.len() as f32))
        })
        .collect();
    let examples = placed.iter().map(|(attributes, query, weight)| ContentExample {
        attributes,
        vector: query.as_slice(),
        weight: *weight,
    });
    fit_tower("placing users by attributes", examples.collect(), seed, progress)
}

fn fit_tower(
    stage: &'static str,
    mut examples: Vec<ContentExample<'_>>,
    seed: u64,
    progress: &mut dyn Progress,
) -> Result<Option<ContentTower>, TrainingError> {
    examples.retain(|example| !example.attributes.is_empty());
    let Some(first) = examples.first().filter(|_| examples.len() >= EXAMPLES_MIN) else { return Ok(None) };
    let default = ContentTowerConfig::default();
    let features_max = default.features_max.min(TOWER_VALUES_MAX / first.vector.len());
    let config = ContentTowerConfig { features_max, ..default };
    progress.begin(stage, None);
    let count = examples.len();
    let tower = ContentTower::fit(examples, &config, seed, &mut |done| progress.at(done as u64))?;
    progress.end(&format!("from {count} examples"));
    Ok(Some(tower))
}
