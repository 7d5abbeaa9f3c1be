use shortlist_embedding::EmbeddingError;
use shortlist_evaluation::EvaluationError;
use shortlist_features::FoldError;
use shortlist_ranking::RankingError;
use shortlist_recommender::{BundleError, RecommendError, RestoreError};
use shortlist_retrieval::RetrievalError;
use shortlist_store::StoreError;
use shortlist_types::{InvalidInput, LogSeq, Timestamp};

use crate::served_rows::LeftOut;
use crate::tuning::TuningError;

/// Why training or evaluation ended without a result. Nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The log holds no event at all.
    #[error("the log holds no events: import some, or send them to a running server, then train")]
    NoEvents,
    /// Nobody was shown an experiment's variants.
    #[error(
        "the served log holds nobody who was shown a variant of {experiment:?}: `shortlist serve` with this configuration \
         keeps them as they ask with their user_id"
    )]
    NothingShown {
        /// Its name.
        experiment: String,
    },
    /// One of the slices of time has nothing to learn or measure from.
    #[error(
        "too little to learn from: {what} in the slice from {from} to {until}; the log spans {log_from} to {log_until}"
    )]
    TooLittle {
        /// What is missing.
        what: &'static str,
        /// Begin of the slice.
        from: Timestamp,
        /// End of the slice.
        until: Timestamp,
        /// First event of the log.
        log_from: Timestamp,
        /// Last event of the log.
        log_until: Timestamp,
    },
    /// What was folded away cannot be hidden any more.
    #[error(
        "retention has removed the first {} records of this log, and what they held cannot be hidden; evaluate a backup \
         of before, or a store that keeps all", .start.0
    )]
    LogIsCut {
        /// The last record that was removed.
        start: LogSeq,
    },
    /// One of the ranker's outcomes never comes, or always.
    #[error(
        "outcome {outcome} came of {positives} of {rows} rows between {from} and {until}, and what does not vary cannot be \
         learned: take it out of `outcomes` of [training.ranker] until there are more such events"
    )]
    OneSidedOutcome {
        /// Its name.
        outcome: String,
        /// Rows of which it came.
        positives: usize,
        /// All rows.
        rows: usize,
        /// Begin of the slice.
        from: Timestamp,
        /// End of it.
        until: Timestamp,
    },
    /// Nothing can be hidden and found again.
    #[error(
        "no two items and no two users have both attributes and events: put items or users with attributes, then ask \
         again"
    )]
    NothingDescribed,
    /// No request was kept.
    #[error(
        "the store has no served log: `shortlist serve` keeps a share of its requests, `served_share` of [store], in \
         served.db"
    )]
    NothingServed,
    /// None of the requests that were kept makes a row.
    #[error(
        "nothing was served between {from} and {until} that a ranker could learn from: of the requests kept, {} read \
         other features than [features] names, {} were ranked by no model, and no event carries the request_id of {}; \
         raise `served_share` of [store] and send events with their request_id, or set `rows = \"replayed\"` in \
         [training]", .left_out.other_features, .left_out.unranked, .left_out.without_outcome
    )]
    NothingServedToLearnFrom {
        /// Begin of the ranker's slice.
        from: Timestamp,
        /// End of it.
        until: Timestamp,
        /// Why not.
        left_out: LeftOut,
    },
    /// There is no bundle to evaluate.
    #[error("the store has no promoted bundle: run `shortlist train` first")]
    NoBundle,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state that a cut log begins with could not be had.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// A record did not fit the fold.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The first stage could not be fitted.
    #[error("first stage: {0}")]
    Embedding(#[from] EmbeddingError),
    /// No hyper-parameters could be chosen.
    #[error("choosing the first stage: {0}")]
    Tuning(#[from] TuningError),
    /// The neighbour index could not be built.
    #[error("neighbour index: {0}")]
    Retrieval(#[from] RetrievalError),
    /// The ranker could not be fitted.
    #[error("ranker: {0}")]
    Ranking(#[from] RankingError),
    /// A bundle could not be written or read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A metric was asked of nothing.
    #[error("evaluation: {0}")]
    Evaluation(#[from] EvaluationError),
    /// A request that training made itself was refused.
    #[error(transparent)]
    Recommend(#[from] RecommendError),
    /// A configuration that an encoder or a surface refused.
    #[error("{0}")]
    Request(#[from] InvalidInput),
    /// A part of the report or the provenance does not serialise.
    #[error("report: {0}")]
    Json(#[from] serde_json::Error),
}
