use std::sync::Arc;

use serde::Serialize;
use shortlist_features::FeatureState;
use shortlist_ranking::LogisticRegression;
use shortlist_recommender::{Bundle, Models, Pipeline, PipelineConfig, Provenance};
use shortlist_retrieval::HnswIndex;
use shortlist_store::{BundleId, PublishStep, Store};
use shortlist_types::{EventTypes, LogSeq, Timestamp};

use crate::decision::training_decisions;
use crate::embedding_search::fit_best;
use crate::evaluation::Evaluation;
use crate::gate::gate;
use crate::replay::replay;
use crate::rows::training_rows;
use crate::split::Split;
use crate::timeline::Timeline;
use crate::{GateDecision, Progress, Report, TrainingConfig, TrainingError};

/// When a new bundle is put into service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Promote {
    /// When the gate lets it through.
    #[default]
    IfGatePasses,
    /// Whatever the gate says.
    Always,
    /// Never: it is published and waits.
    Never,
}

/// What training made.
#[derive(Debug)]
pub struct Trained {
    /// The new bundle.
    pub bundle: BundleId,
    /// How good it is.
    pub report: Report,
    /// What the gate said.
    pub gate: GateDecision,
    /// Whether it serves now.
    pub promoted: bool,
}

/// The parts of the configuration that decide what is learned.
#[derive(Debug, Clone, Serialize)]
struct LearnedFrom<'a> {
    events: &'a EventTypes,
    pipeline: &'a PipelineConfig,
    training: &'a TrainingConfig,
}

/// Replays the store's log, fits both stages, evaluates them as served and publishes one bundle.
///
/// The same log, configuration and seed give the same bundle, byte for byte.
///
/// **Cost**: three passes over the log; the fit of the embeddings dominates.
///
/// # Errors
/// Too little to learn from, a damaged log, or a store that cannot be written.
pub fn train(
    store: &Store,
    event_types: &Arc<EventTypes>,
    pipeline_config: &PipelineConfig,
    config: &TrainingConfig,
    seed: u64,
    promote: Promote,
    now: Timestamp,
    progress: &mut dyn Progress,
) -> Result<Trained, TrainingError> {
    let log = store.reader()?;
    let head = log.head()?;
    let timeline = Timeline::read(&log, head.log_seq, event_types, progress)?;
    let split = Split::of(&timeline, head.log_seq, config)?;
    let pipeline = Pipeline::new(pipeline_config.clone());

    let mut state = FeatureState::new(Arc::clone(event_types));
    replay(&log, &mut state, before(split.ranker_from), &mut |_, _, _| Ok(()))?;
    let slice = timeline.between(split.ranker_from, split.evaluation_from);
    let decisions = training_decisions(slice, config.decisions_per_user, config.decisions_max, seed);
    let too_little = |what, from, until| TrainingError::TooLittle {
        what,
        from,
        until,
        log_from: split.log_from_time,
        log_until: split.until_time,
    };
    if state.users().all(|(_, user)| user.wanted().is_empty()) {
        let what = "no positive event";
        return Err(too_little(what, split.log_from_time, split.ranker_from_time));
    }
    if decisions.is_empty() {
        let what = "no user with a positive event";
        return Err(too_little(what, split.ranker_from_time, split.evaluation_from_time));
    }

    let ranker_until = before(split.evaluation_from);
    let embedding = fit_best(&log, &state, ranker_until, &decisions, config, seed, progress)?;
    progress.begin("building the neighbour index", Some(embedding.table().len() as u64));
    let index =
        HnswIndex::build(Arc::clone(embedding.table()), &config.index, &mut |inserted| progress.at(inserted as u64))?;
    progress.end(&format!("{} items", embedding.table().len()));
    let mut models = Models { embedding, index, ranker: None };

    let rows = training_rows(&log, &mut state, ranker_until, &decisions, &pipeline, &models, config, seed, progress)?;
    progress.begin("fitting the ranker", None);
    models.ranker = Some(LogisticRegression::fit(&rows, &config.ranker, &mut |iteration| {
        progress.at(iteration.number as u64);
    })?);
    progress.end(&format!("{} rows", rows.len()));
    drop(rows);

    let evaluation = Evaluation {
        timeline: &timeline,
        from: split.evaluation_from,
        from_time: split.evaluation_from_time,
        until: split.until,
        pipeline: &pipeline,
        models: &models,
        seed,
    };
    let report = evaluation.run(&log, state.clone(), progress)?;
    let gate = gate(&state, &pipeline, &models, &report, split.evaluation_from_time);

    let learned_from = LearnedFrom { events: event_types, pipeline: pipeline_config, training: config };
    let provenance = Provenance {
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        arithmetic: "fixed lanes".to_owned(),
        seed,
        log_seq: head.log_seq,
        log_chain: Provenance::chain_text(head.chain),
        embeddings_until: split.ranker_from_time,
        ranker_until: split.evaluation_from_time,
        trained_log_seq: ranker_until,
        config: serde_json::to_value(learned_from)?,
    };
    let files = Bundle::to_files(&models, &provenance, &report)?;
    let registry = store.registry();
    let bundle = registry.publish(&files, now, &mut |step: PublishStep| tracing::debug!(?step, "publishing"))?;
    let promoted = match promote {
        Promote::Always => true,
        Promote::Never => false,
        Promote::IfGatePasses => gate == GateDecision::Passed,
    };
    if promoted {
        registry.promote(&bundle, now)?;
    }
    Ok(Trained { bundle, report, gate, promoted })
}

/// The position before `log_seq`.
fn before(log_seq: LogSeq) -> LogSeq {
    LogSeq(log_seq.0.saturating_sub(1))
}
