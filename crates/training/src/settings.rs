use std::sync::Arc;

use serde::Serialize;
use shortlist_features::FeatureSchema;
use shortlist_recommender::{CategorySchema, Surfaces};
use shortlist_types::EventTypes;

use crate::TrainingConfig;

/// What decides what is learned, besides the log. A bundle's provenance keeps it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Settings<'a> {
    /// How event types are read.
    pub events: &'a Arc<EventTypes>,
    /// The surfaces; `home` is trained for, and evaluated.
    pub surfaces: &'a Surfaces,
    /// The numbers that the ranker reads.
    pub features: &'a FeatureSchema,
    /// The texts that it embeds.
    pub categories: &'a CategorySchema,
    /// How a bundle is made.
    pub training: &'a TrainingConfig,
    /// Seed of everything random.
    #[serde(skip)] // the provenance has it as a field of its own
    pub seed: u64,
}
