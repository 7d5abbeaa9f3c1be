//! The fold over the log, and the features read from it.
//!
//! Everything that is known about users and items is [`FeatureState`]: a fold over the ordered log,
//! `state.apply(seq, &record)`. The server applies records as they arrive; the trainer replays the
//! same records through the same code and reads the features just before each decision. There is
//! no second implementation that could differ, so training sees exactly what serving sees.
//!
//! On a request's path: [`UserState`] says what the user did, [`RequestFeatures`] turns him, an item
//! and the time into the vector that a ranker reads. Time always comes in as an argument.

mod attribute_bitmaps;
mod attribute_key;
mod attribute_names;
mod audience;
mod catalog;
mod checkpoint;
mod given_embeddings;
mod half_life;
mod item_stats;
mod leaderboard;
mod portable_math;
mod request_features;
mod schema;
mod seen_items;
mod state;
mod tally;
mod text_stats;
mod user_state;

pub use attribute_key::AttributeKey;
pub use catalog::{Catalog, CatalogItem, LabelIdx, compress};
pub use checkpoint::StateError;
pub use half_life::HalfLife;
pub use item_stats::ItemStats;
pub use request_features::{CandidateList, CandidateSignals, FeatureScratch, RequestFeatures};
pub use schema::{About, FeatureKind, FeatureSchema, SIMILAR_MAX, Take, TimePart, Weekday};
pub use state::{FeatureState, FoldError};
pub use tally::Tally;
pub use user_state::{Action, Opinion, UserItem, UserState};
