//! The pipeline: which k items should this user see now?
//!
//! [`Recommender`] holds the fold's state and the current [`Bundle`]; a request reads one state under
//! one guard and one snapshot, and walks [`Pipeline`]: taste -> candidate sources -> filters ->
//! merge -> features -> ranker -> reranker -> the first k. A stage that fails or comes late costs quality, not the
//! answer: the answer says what was degraded.
//!
//! Training and evaluation walk the same pipeline over a replayed state, so what is measured is what
//! is served.

mod answer;
mod breakers;
mod bundle;
mod candidate;
mod categories;
mod deadline;
mod dial;
mod durable_state;
mod experiments;
mod feature_ranker;
mod filters;
mod fitted_ranker;
mod given_space;
mod item_space;
mod models;
mod pages;
mod pipeline;
mod provenance;
mod ranker;
mod recall_probe;
mod recommender;
mod request;
mod request_context;
mod rerank;
mod retrieved;
mod scratch;
mod search;
mod served;
mod similar;
mod sources;
mod stage_name;
mod surface;
mod watch;
mod why_not;

pub use answer::{Answer, Decided, Degraded, Explanation, RecommendedItem, ScoreKind, SimilarItem, StageTiming};
pub use bundle::{Bundle, BundleError};
pub use candidate::{Candidate, SourceHit};
pub use categories::{
    CategoryEncoders, CategoryIds, CategorySchema, CategorySource, Encoding, RawCategories, RawRow, Whose,
};
pub use deadline::Deadline;
pub use durable_state::{DurableState, HeldCheckpoints, LogOwner, RestoreError};
pub use experiments::{Experiment, ExperimentFiles, Experiments, Variant};
pub use feature_ranker::FeatureRanker;
pub use filters::{Expression, Filter};
pub use fitted_ranker::{Contributions, FittedRanker, NetworkRanker, Outcome, RankerModel, WANTED};
pub use item_space::{ItemSpace, ItemVector};
pub use models::Models;
pub use pipeline::Pipeline;
pub use provenance::Provenance;
pub use ranker::{Ranker, StageError};
pub use recommender::{RecommendError, Recommender, Snapshot};
pub use request::{DEFAULT_SURFACE, Page, RANK_SURFACE, RecentEvent, Request, SIMILAR_ITEMS_SURFACE};
pub use request_context::RequestContext;
pub use rerank::{Boost, Cap, Explore, Pin, RerankConfig};
pub use retrieved::{Ranked, Retrieved};
pub use scratch::Scratch;
pub use search::VectorQuery;
pub use served::Served;
pub use similar::Similar;
pub use sources::{Proposed, Source};
pub use stage_name::StageName;
pub use surface::{About, FilterConfig, RankBy, SourceConfig, SourceKind, SurfaceConfig, Surfaces};
pub use watch::Watch;
pub use why_not::{Fate, WhyNot};
