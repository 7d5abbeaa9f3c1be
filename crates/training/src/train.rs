use std::sync::Arc;

use shortlist_recommender::{Bundle, DurableState, Models, Pipeline, Provenance};
use shortlist_store::{BundleId, PublishStep, Store};
use shortlist_types::Timestamp;

use crate::calibrate::ImpressionReplay;
use crate::evaluation::Evaluation;
use crate::first_stage::{FirstStage, Setting};
use crate::fit_ranker::fit_ranker;
use crate::gate::gate;
use crate::importance::importance;
use crate::split::Split;
use crate::timeline::Timeline;
use crate::{GateDecision, Progress, Report, Settings, TrainingError};

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

/// Replays the store's log, fits both stages, evaluates them as served and publishes one bundle.
///
/// The same log, configuration and seed give the same bundle, byte for byte.
///
/// **Cost**: two passes over the log and two copies of the state; the fit of the embeddings dominates.
///
/// # Errors
/// Too little to learn from, a damaged log, or a store that cannot be written.
pub fn train(
    store: &Store,
    settings: &Settings<'_>,
    promote: Promote,
    now: Timestamp,
    progress: &mut dyn Progress,
) -> Result<Trained, TrainingError> {
    let Settings { events: event_types, surfaces, features, categories, training: config, seed } = *settings;
    let log = store.reader()?;
    let head = log.head()?;
    let first = DurableState::new(store.clone(), Arc::clone(event_types)).first()?;
    // A live server's retention waits until this has read what it needs.
    let _pin = store.pin("train", first.log_seq())?;
    let timeline = Timeline::read(&log, head.log_seq, first.clone(), progress)?;
    let split = Split::of(&timeline, head.log_seq, config)?;
    let pipeline = Pipeline::new(surfaces.home().clone())?;

    let outcomes = &config.ranker.event_types(event_types)?;
    let setting = Setting {
        store,
        log: &log,
        timeline: &timeline,
        split: &split,
        pipeline: &pipeline,
        features,
        categories,
        outcomes,
        config,
        seed,
    };
    let FirstStage { mut models, rows, categories, at_ranker_from, state } = setting.first_stage(first, progress)?;
    for (feature, attribute) in features.unmet(&state) {
        tracing::warn!(feature, attribute, "nobody in the log has the attribute that this feature reads");
    }
    let ranker = fit_ranker(&rows, categories, &config.ranker, seed, progress)?;
    let importance = importance(&ranker, &rows, seed)?;
    models.ranker = Some(ranker);
    drop(rows);
    let shown = ImpressionReplay { log: &log, pipeline: &pipeline, models: &models, outcomes, seed };
    let slice = timeline.between(split.ranker_from, split.evaluation_from);
    shown.run(slice, at_ranker_from, progress)?.calibrate(&mut models)?;

    let evaluation = Evaluation {
        timeline: &timeline,
        from: split.evaluation_from,
        from_time: split.evaluation_from_time,
        until: split.until,
        pipeline: &pipeline,
        models: &models,
        lists: None,
        seed,
    };
    let report = Report { importance, ..evaluation.run(&log, state.clone(), progress)? };

    let provenance = Provenance {
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        arithmetic: "first stage: kernels by CPU; else fixed lanes".to_owned(),
        seed,
        log_seq: head.log_seq,
        log_chain: Provenance::chain_text(head.chain),
        embeddings_until: split.ranker_from_time,
        ranker_until: split.evaluation_from_time,
        trained_log_seq: split.ranker_until(),
        config: serde_json::to_value(settings)?,
    };
    let files = Bundle::to_files(&models, &provenance, &report)?;
    // What is judged is what a server will load, not what happens to be in memory.
    let published = Models::from_files(&files)?;
    published.meet_new_items(&state);
    let gate = gate(&state, &pipeline, &published, &report, split.evaluation_from_time);
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
